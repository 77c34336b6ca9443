"""The rule, the tool and the wrapper of workflow engines, run by the engines themselves."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from autodip_zarr.run.results.export import check_exported

from ..run.test_export import noisy
from ..stores.builders import ome_xml, write_image, write_pages
from .fetch import tool

PLATFORMS = Path(__file__).resolve().parents[2] / "platforms"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a few images."""
    write_pages(tmp_path / "archive" / "a.ome.tif", noisy((2, 70, 90)), ome_xml([(1, 1, 2, 70, 90)]))
    write_image(tmp_path / "archive" / "b.zarr", noisy((1, 70, 90)), "cyx", 3)
    return tmp_path


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables by which engines find this program, and nothing of theirs lies in anybody's home."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "autodip-zarr"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m autodip_zarr "$@"\n')
    program.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    root = str(PLATFORMS.parent)
    return {**os.environ, "PATH": path, "PYTHONPATH": root, "HOME": str(folder), "OMP_NUM_THREADS": "1"}


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_snakemake_makes_each_image_once(folder: Path, environment: dict[str, str], quick_table: str) -> None:
    options = f"options=--preset reference --table {quick_table}"
    rule = str(PLATFORMS / "snakemake" / "Snakefile")
    command = [str(tool("snakemake")), "-s", rule, "--cores", "1", "--config", options]
    environment = {**environment, "PYTHONPATH": ""}  # the engine has another Python
    environment["PATH"] = with_root(environment["PATH"])
    run(command, folder, environment)
    for name in ("a", "b"):
        assert check_exported(str(folder / "results" / f"{name}.ome.tif")) == []
        told = json.loads((folder / "results" / f"{name}.json").read_text())
        assert [image["status"] for image in told["images"]] == ["done"]
    assert "Nothing to be done" in run(command, folder, environment)


def with_root(path: str) -> str:
    """Have the program find its package without PYTHONPATH, which would reach the engine, too."""
    program = Path(path.partition(os.pathsep)[0]) / "autodip-zarr"
    text = program.read_text()
    program.write_text(text.replace("exec ", f"PYTHONPATH={shlex.quote(str(PLATFORMS.parent))} exec "))
    return path


@pytest.mark.parametrize("name", ["a.ome.tif", "b.zarr"])
def test_cwltool_runs_the_tool(
    folder: Path, environment: dict[str, str], quick_table: str, name: str
) -> None:
    source = folder / "archive" / name
    kind = "Directory" if source.is_dir() else "File"
    job = {
        "source": {"class": kind, "path": str(source)},
        "table": {"class": "File", "path": quick_table},
        "preset": "reference",
        "microscope": "confocal",
    }
    (folder / "job.json").write_text(json.dumps(job))
    environment = {**environment, "PYTHONPATH": ""}
    environment["PATH"] = with_root(environment["PATH"])
    command = [str(tool("cwltool")), "--no-container", "--preserve-environment", "PATH", "--outdir", "made"]
    run([*command, str(PLATFORMS / "cwl" / "denoise.cwl"), "job.json"], folder, environment)
    told = json.loads((folder / "made" / "denoised.json").read_text())
    assert [image["status"] for image in told["images"]] == ["done"]
    assert check_exported(str(folder / "made" / "denoised" / f"{name[0]}.ome.tif")) == []


def test_cwltool_finds_the_tool_valid(folder: Path, environment: dict[str, str]) -> None:
    command = [str(tool("cwltool")), "--validate", str(PLATFORMS / "cwl" / "denoise.cwl")]
    assert "is valid CWL" in run(command, folder, {**environment, "PYTHONPATH": ""})


def test_planemo_has_nothing_against_the_wrapper(folder: Path, environment: dict[str, str]) -> None:
    wrapper = str(PLATFORMS / "galaxy" / "denoise.xml")
    command = [str(tool("planemo")), "lint", "--fail_level", "warn", wrapper]
    run(command, folder, {**environment, "PYTHONPATH": ""})


def test_the_command_of_the_galaxy_wrapper_makes_what_it_collects(
    tmp_path: Path, environment: dict[str, str], quick_table: str
) -> None:
    wrapper = ET.parse(PLATFORMS / "galaxy" / "denoise.xml")
    rendered = render(wrapper.findtext("command") or "")
    shell = rendered.strip().replace("\n", " ") + f" --table {shlex.quote(quick_table)}"
    run(["bash", "-ec", shell], tmp_path, environment)
    (pattern,) = [one.get("pattern", "") for one in wrapper.iter("discover_datasets")]
    (made,) = [path for path in (tmp_path / "out").iterdir() if re.fullmatch(pattern, path.name)]
    assert made.name == "my_nuclei__1_.ome.tif"
    assert check_exported(str(made)) == []


def render(template: str) -> str:
    """Return a command as Galaxy would make it, by the template engine that comes with planemo."""
    data = PLATFORMS / "galaxy" / "test-data" / "nuclei.ome.tif"
    script = (
        "import sys\n"
        "from Cheetah.Template import Template\n"
        "class Data(str):\n"
        "    element_identifier = 'my nuclei (1).ome.tiff'\n"
        f"names = dict(input=Data({str(data)!r}), preset='reference',"
        " microscope='metadata', specimen='actin')\n"
        "print(Template(source=sys.stdin.read(), searchList=[names]))\n"
    )
    python = tool("planemo").with_name("python")
    return subprocess.run(
        [str(python), "-c", script], input=template, capture_output=True, text=True, check=True
    ).stdout
