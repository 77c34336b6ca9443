"""What nobody foresaw is told in one line, and in full to whoever asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autodip_zarr.stores.sample import write_sample_tiff

from .samples import make_sample

FAULTY = """
import sys
from autodip_zarr.cli import main
from autodip_zarr.run.planning import plan
def fail(*_): raise ZeroDivisionError("a fault\\nof two lines")
plan.Planner.plan_channel = fail
main(sys.argv[1:])
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of one plane."""
    path = tmp_path / "x.ome.tif"
    write_sample_tiff(path, make_sample("x", (1, 1, 1, 16, 16)))
    return path


def test_a_fault_is_one_line_and_a_traceback_for_whoever_asks(source: Path) -> None:
    command = [sys.executable, "-c", FAULTY, "plan", str(source)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "error: unexpected ZeroDivisionError: a fault of two lines" in ran.stderr
    assert "AUTODIP_ZARR_TRACEBACK=1" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    asked = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"AUTODIP_ZARR_TRACEBACK": "1"}
    )
    assert "Traceback" in asked.stderr


def test_too_little_memory_is_said_as_such(source: Path) -> None:
    faulty = FAULTY.replace('ZeroDivisionError("a fault\\nof two lines")', "MemoryError")
    assert "MemoryError" in faulty
    command = [sys.executable, "-c", faulty, "plan", str(source)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: memory: too little of it")
    assert len(ran.stderr.splitlines()) == 1
