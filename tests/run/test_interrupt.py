"""Ctrl-C stops a run within seconds, breaks nothing, and the same command goes on; a terminal shows a bar."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autodip_zarr.stores import read_attributes
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample
from .processes import wait_for
from .results import planes


def command(source: Path, results: Path, table: str) -> list[str]:
    """Return a whole run with worker processes of its own."""
    run = [sys.executable, "-m", "autodip_zarr", "denoise", str(source), "--output", str(results)]
    return [*run, "--table", table, "--workers", "1"]


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, slow_table: str) -> None:
    source, results = tmp_path / "x.ome.tif", tmp_path / "out"
    write_sample_tiff(source, make_sample("x", (4, 1, 2, 48, 48)))
    run = command(source, results, slow_table)
    target = results / "x.ome.zarr"
    process = subprocess.Popen(run, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(target / "autodip/record/c", 400)  # the first plane is recorded
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on" in errors
    attributes = read_attributes(str(target))
    assert attributes is not None
    assert attributes["status"] == "running"

    again = subprocess.run([*run, "--json"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    (image,) = json.loads(again.stdout)["images"]
    assert image["status"] == "done"
    assert 0 < image["planes_done"] < 8


@pytest.mark.soak
def test_a_second_interrupt_stops_at_once_and_breaks_nothing(tmp_path: Path, slow_table: str) -> None:
    source, results = tmp_path / "x.ome.tif", tmp_path / "out"
    write_sample_tiff(source, make_sample("x", (4, 1, 2, 24, 24)))
    run = command(source, results, slow_table)
    process = subprocess.Popen(run, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(results / "x.ome.zarr/autodip/record/c", 400)
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr is not None
    said = process.stderr.readline()
    while "again stops at once" not in said:
        said = process.stderr.readline()
        assert said, "ended without a word"
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on" in errors

    again = subprocess.run([*run, "--json"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert subprocess.run(command(source, tmp_path / "whole", slow_table), check=False).returncode == 0
    found, expected = planes(results / "x.ome.zarr"), planes(tmp_path / "whole/x.ome.zarr")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.soak
def test_a_terminal_shows_a_bar_with_rate_and_time_left(tmp_path: Path, slow_table: str) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 1, 2, 32, 32)))
    main, secondary = pty.openpty()
    process = subprocess.Popen(command(source, tmp_path / "out", slow_table), stderr=secondary)
    os.close(secondary)
    shown = b""
    try:
        while part := os.read(main, 4096):
            shown += part
    except OSError:  # the end of a pseudo-terminal on Linux
        pass
    os.close(main)
    assert process.wait() == 0, shown
    text = shown.decode()
    assert "2/2" in text
    assert "planes/h" in text
    assert re.search(r"(\d+ min|-) left", text)
