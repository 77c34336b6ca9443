"""The examples run as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from autodip_zarr.stores import read_attributes
from autodip_zarr.stores.sample import write_sample_zarr

from .samples import make_sample, write_archive

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *arguments: object) -> str:
    """Run an example in a process of its own; return what it prints."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_array(quick_table: str) -> None:
    lines = run("one_array.py", quick_table).splitlines()
    assert [line.split(":")[0] for line in lines] == ["noisy", "denoised"]


def test_folder_of_tiff(tmp_path: Path, quick_table: str) -> None:
    archive = write_archive(tmp_path / "archive")
    text = run("folder_of_tiff.py", archive, tmp_path / "results", quick_table)
    assert text.count("done: ") == 3
    assert "DipConfig(depth=2" in text


def test_zarr_on_a_cluster(tmp_path: Path, quick_table: str, scheduler: str) -> None:
    image = tmp_path / "x.zarr"
    write_sample_zarr(image, make_sample("x"), "0.5")
    text = run("zarr_on_a_cluster.py", image, scheduler, quick_table)
    assert text.startswith("done: ")
    assert read_attributes(str(image / "denoised")) is not None


@pytest.mark.soak
def test_the_notebook(tmp_path: Path) -> None:
    """Every cell runs in a real kernel; a plan is a table there, a preview a picture."""
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    env = {**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    NotebookClient(notebook, timeout=900, kernel_name="python3").execute(cwd=str(tmp_path), env=env)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert "image/png" in kinds
    assert kinds.count("text/html") >= 3
    (told,) = [output.text for output in outputs if "counts from the truth" in output.get("text", "")]
    noisy, denoised = (float(part.split()[1]) for part in told.split(","))
    assert denoised < noisy / 2
