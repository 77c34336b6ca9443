"""Whatever the documentation shows runs, and generated pages are current."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from autodip_zarr.cli import main as command_line

from .samples import write_archive, write_pairs
from .stores.builders import write_plate

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "autodip_zarr"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w.]+)`:\n\n```(?:csv|toml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SMALL_GRID = shlex.split("--depths 2 --widths 4 --skips 4 --stops 1,2 --crop 32 --in-process")
FITTING = {"biomero", "demo", "denoise", "evaluate", "plan", "preview"}
OFFLINE = {**os.environ, "https_proxy": "http://127.0.0.1:9"}  # weights of LPIPS are not downloaded
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return language and text of the code blocks of a page that can be run."""
    return [(found[1], found[2]) for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def write_files(page: Path, folder: Path) -> None:
    """Write the files that a page shows, each named in the line before."""
    for found in FILE.finditer(page.read_text(encoding="utf-8")):
        (folder / found[1]).write_text(found[2], encoding="utf-8")


def run_shell(line: str, folder: Path, table: str) -> None:
    """Run one command as shown, with networks that fit in milliseconds."""
    words = shlex.split(line, comments=True)
    if words[0] != "autodip-zarr":
        check_other(words)
        return
    to = words[-1] if words[-2] == ">" else None
    words = words[:-2] if to else words
    if words[1] in FITTING and "--recipe" not in words:  # a recipe has its own configurations
        words += ["--table", table]
    if words[1] == "calibrate":  # the last of two options counts
        words += SMALL_GRID
    done = subprocess.run(
        [sys.executable, "-m", "autodip_zarr", *words[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=OFFLINE,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    if to is not None:
        (folder / to).write_text(done.stdout, encoding="utf-8")


def check_other(words: list[str]) -> None:
    """Check a command that installs or builds, and is run by the build itself: its parts must exist."""
    if words[0] == "make":
        targets = (ROOT / "Makefile").read_text().splitlines()
        assert any(line.startswith(f"{words[1]}:") for line in targets), words
    else:
        assert words[:2] in (
            ["pip", "install"],
            ["git", "clone"],
            ["python", "docs/generate.py"],
            ["dask", "scheduler"],
        ), words


TUTORIALS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with what the pages begin with."""
    write_archive(tmp_path / "archive")
    return tmp_path


@pytest.mark.soak
def test_what_the_tutorials_show_runs_and_the_python_of_the_reference_after_them(
    folder: Path, quick_table: str
) -> None:
    for page in TUTORIALS:
        run_page(page, folder, quick_table)
    for page in sorted((ROOT / "docs" / "reference").glob("*.md")):
        for language, text in blocks(page):
            assert language == "python", page
            subprocess.run([sys.executable, "-c", text], cwd=folder, check=True, capture_output=True)


def test_what_the_readme_shows_runs(folder: Path, quick_table: str) -> None:
    run_page(ROOT / "README.md", folder, quick_table)


def run_page(page: Path, folder: Path, quick_table: str) -> None:
    """Run what a page shows, block by block."""
    found = blocks(page)
    assert found
    for language, text in found:
        if language == "sh":
            for line in text.strip().splitlines():
                run_shell(line, folder, quick_table)
        else:
            done = subprocess.run(
                [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{text}\n{done.stderr}"


HOW_TOS = [page for page in sorted((ROOT / "docs" / "how-to").glob("*.md")) if blocks(page)]
"""What pages about clusters and buckets show needs one, and runs in the tests of these."""


@pytest.mark.soak
@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: page.name)
def test_what_the_how_tos_show_runs(page: Path, tmp_path: Path, quick_table: str) -> None:
    write_archive(tmp_path / "archive")
    write_plate(tmp_path / "archive" / "plate.zarr", 3)
    write_pairs(tmp_path / "pairs")
    write_files(page, tmp_path)
    run_page(page, tmp_path, quick_table)


def test_the_command_line_reference_is_current() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    assert page == generate.command_line_page(), "run python docs/generate.py"
    assert all(f"`autodip-zarr {name}`" in page for name in command_line.commands)


NAME = re.compile(r"\bautodip_zarr((?:\.[A-Za-z_]\w*)+)")
PATH = re.compile(
    r"(?<![\w./-])(?:(?:autodip_zarr|benchmarks|calibration|docs|examples|tests)/[\w./-]*"
    r"|[\w./-]+/[\w-]+\.py\b|[\w-]+\.py\b)"
)


def is_named_rightly(dotted: str) -> bool:
    """Whether ``.x.y`` is a module of the package, or a name in one."""
    module, names = "autodip_zarr", dotted.strip(".").split(".")
    while names and importlib.util.find_spec(f"{module}.{names[0]}") is not None:
        module = f"{module}.{names.pop(0)}"
        if not hasattr(importlib.import_module(module), "__path__"):
            break
    found: object = importlib.import_module(module)
    for name in names:
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_and_paths_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = {one.rstrip(".") for one in PATH.findall(text)}
    missing = [one for one in found if not any((base / one).exists() for base in (ROOT, PACKAGE))]
    missing += [f"autodip_zarr{one}" for one in NAME.findall(text) if not is_named_rightly(one)]
    assert sorted(missing) == []


def test_names_of_the_glossary_live_where_it_says() -> None:
    page = (ROOT / "docs/reference/glossary.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+)\.py` \((`\w+`(?:, `\w+`)*)\)", page)
    assert len(named) > 60
    for path, names in named:
        module = importlib.import_module("autodip_zarr." + path.replace("/", "."))
        here = [name for name in re.findall(r"\w+", names) if hasattr(module, name)]
        assert here == re.findall(r"\w+", names), f"{path} has {here} of {names}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_targets_of_make_that_a_page_names_are_there(page: Path) -> None:
    for target in re.findall(
        r"`make ([a-z]+)`|^make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE
    ):
        check_other(["make", "".join(target)])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page}: {target}"
