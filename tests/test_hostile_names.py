"""Names that attack a terminal, a page, a table or a document, from one end of the program to the other."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autodip_zarr.cli import main

from .stores.builders import pixels, write_image

NAMES = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>&amp;",
    "\x1b[2J\x1b]0;gone\x07",
    "\u202egnp.exe",
    '=HYPERLINK("http://x")',
    "[bold red]x[/nothing]",
    "\ud800",
    "a" * 5000,
)

BREAKS = ("\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[1A")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images whose own names and channels are hostile, and two hostile file names."""
    folder = tmp_path_factory.mktemp("hostile")
    for number, name in enumerate(NAMES):
        omero = {"channels": [{"label": name}], "name": name}
        path = write_image(folder / f"{number}.zarr", pixels((1, 8, 9)), "cyx", 3, {"omero": omero})
        document = json.loads((path / "zarr.json").read_text())
        document["attributes"]["ome"]["multiscales"][0]["name"] = name
        document["attributes"]["microscope"] = {"imaging method": name}
        (path / "zarr.json").write_text(json.dumps(document))
    write_image(folder / "<b>\x1b[31m&.zarr", pixels((1, 8, 9)), "cyx")
    with_bytes = os.fsdecode(os.fsencode(folder) + b"/half\xff.zarr")
    write_image(Path(with_bytes), pixels((1, 8, 9)), "cyx")
    return folder


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False)


def is_harmless(text: str) -> bool:
    """Whether a terminal shows text as it is."""
    return all(char.isprintable() or char in "\n\t" for char in text)


@pytest.mark.parametrize("command", ["plan", "inspect"])
def test_what_is_printed_cannot_steer_a_terminal(archive: Path, command: str) -> None:
    done = call(command, archive)
    assert done.exit_code == 0
    assert is_harmless(done.output)
    document = call(command, archive, "--json")
    images = json.loads(document.stdout)["images"]
    names = {channel["name"] for image in images for channel in image["channels"]}
    assert set(NAMES) <= names, "in a document every name is what it is"


def test_a_table_for_spreadsheets_holds_no_formula(archive: Path, tmp_path: Path) -> None:
    assert call("inspect", archive, "--table", tmp_path / "t.csv").exit_code == 0
    rows = list(csv.reader(io.StringIO((tmp_path / "t.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 1 + len(NAMES) + 2
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))]


def test_results_and_the_page_about_them(
    archive: Path, tmp_path: Path, quick_table: str, scheduler: str
) -> None:
    fixed = ["--table", quick_table, "--scheduler", scheduler]
    done = call("denoise", archive, "--output", tmp_path / "out", *fixed)
    assert done.exit_code == 0, done.output
    assert is_harmless(done.output)
    verified = call("verify", tmp_path / "out")
    assert (verified.exit_code, verified.stdout.count("whole:")) == (0, len(NAMES) + 2)
    assert is_harmless(verified.output)
    assert call("report", tmp_path / "out", "--output", tmp_path / "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert is_harmless(page)
    assert page.count("<script") == 1, "its own"
    assert not [attack for attack in ("<img src=x", "<b>", "onerror=alert(1)>") if attack in page]
    assert "&lt;script&gt;alert(1)" in page


def write_broken_names(folder: Path, breaks: list[str]) -> Path:
    """Write images, a broken one and one that is skipped, whose names and channels hold line breaks."""
    for number, one in enumerate(breaks):
        name = f"{number}{one}error: z"
        omero = {"channels": [{"label": name}], "name": name}
        data = pixels((1, 8, 9))
        write_image(folder / f"{name}.zarr", data, "cyx", 3, {"omero": omero, "microscope": {"x": name}})
        (folder / f"broken{name}.zarr").mkdir()
        (folder / f"broken{name}.zarr" / "zarr.json").write_text("{")
        write_image(folder / f"chunk{name}.zarr", data, "cyx")
        (folder / f"chunk{name}.zarr" / "0/c/0/0/0").write_bytes(b"no chunk")
    return folder


def test_a_break_in_a_name_begins_no_line(tmp_path: Path, quick_table: str, scheduler: str) -> None:
    """Every command says as many lines as of names that have other letters there."""
    counts = []
    for place, breaks in (("hostile", list(BREAKS)), ("honest0", ["x" * len(one) for one in BREAKS])):
        archive, results = write_broken_names(tmp_path / place / "in", breaks), tmp_path / place / "out"
        fixed = ["--table", quick_table, "--scheduler", scheduler]
        commands: list[list[object]] = [
            ["plan", archive],
            ["plan", archive, "--microscope", "nonsense"],
            ["inspect", archive],
            ["denoise", archive, "--output", results, *fixed],
            ["denoise", archive, "--output", results, *fixed, "--seed", 1],
            ["verify", results],
            ["plan", archive / "missing\nerror: z"],
            ["report", results, "--output", tmp_path / f"{place}.html"],
        ]
        outputs = [call(*command) for command in commands]
        lines = [done.output.splitlines() for done in outputs]
        counts.append(
            [sum(not one.startswith("planes ") for one in said) for said in lines]
        )  # told by the clock
        for done in outputs:
            assert is_harmless(done.output)
            assert not [line for line in done.output.splitlines() if line.startswith("error: z")]
    assert counts[0] == counts[1]
    assert min(counts[0]) > 0
