"""Signals that ask a run to end, and streams that are lost: a run ends in order, or goes on."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autodip_zarr.stores import read_attributes
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample, write_slower_table
from .processes import wait_for
from .test_interrupt import command

PLAN = [sys.executable, "-m", "autodip_zarr", "plan"]


@pytest.fixture(autouse=True)
def hang_up_is_heard() -> Iterator[None]:
    """Tests that were started by ``nohup`` would hand its deafness down to the runs that they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of four planes."""
    path = tmp_path / "x.ome.tif"
    write_sample_tiff(path, make_sample("x", (4, 1, 1, 24, 24)))
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.soak)])
def test_a_run_that_is_asked_to_end_gives_its_locks_back_and_says_how_to_go_on(
    source: Path, slow_table: str, number: signal.Signals
) -> None:
    target = source.parent / "out/x.ome.zarr"
    run = command(source, source.parent / "out", slow_table)
    process = subprocess.Popen(run, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(target / "autodip/record/c", 400)
    process.send_signal(number)
    process.send_signal(number)  # shells and service managers send several
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert f"{number.name}: stopping" in errors
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    assert not (target / "autodip/lock.json").exists()
    again = subprocess.run(run, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert (read_attributes(str(target)) or {})["status"] == "complete"


@pytest.mark.soak
def test_a_run_goes_on_that_was_started_to_outlive_its_terminal(source: Path, quick_table: str) -> None:
    run = ["nohup", *command(source, source.parent / "out", quick_table)]
    process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(source.parent / "out/x.ome.zarr", 400)
    process.send_signal(signal.SIGHUP)
    assert process.wait(120) == 0


@pytest.mark.soak
@pytest.mark.parametrize("after_s", [0.2, 0.3, 0.4])
def test_a_run_all_of_whose_processes_are_asked_to_end_says_nothing_of_dask(
    tmp_path: Path, quick_table: str, after_s: float
) -> None:
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x", (4, 1, 2, 48, 48)))
    table = write_slower_table(quick_table, 150, tmp_path / "slower.json")
    run = [*command(tmp_path / "x.ome.tif", tmp_path / "out", table), "--workers", "2"]
    process = subprocess.Popen(run, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(tmp_path / "out/x.ome.zarr/autodip/record/c", 400)
    time.sleep(after_s)  # in the midst of what comes after the first block
    os.killpg(process.pid, signal.SIGTERM)  # as `timeout`, Slurm and service managers do: to the workers, too
    time.sleep(0.01)
    process.send_signal(signal.SIGTERM)  # and `make` once more
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "the same command goes on" in errors
    assert "distributed" not in errors
    assert "Traceback" not in errors


@pytest.mark.soak
def test_a_terminal_that_is_closed_ends_a_run_in_order(source: Path, slow_table: str) -> None:
    main, secondary = pty.openpty()
    target = source.parent / "out/x.ome.zarr"
    run = command(source, source.parent / "out", slow_table)
    process = subprocess.Popen(
        run, stdin=secondary, stdout=secondary, stderr=secondary, start_new_session=True
    )
    os.close(secondary)
    wait_for(target / "autodip/record/c", 400)
    os.close(main)  # whatever is written from now on fails
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 129
    assert not (target / "autodip/lock.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("options", ["", "--log-json"])
def test_a_run_whose_news_nobody_can_read_goes_on(source: Path, quick_table: str, options: str) -> None:
    run = shlex.join([*command(source, source.parent / "out", quick_table), *options.split()])
    assert subprocess.run(f"{run} 2>/dev/full", shell=True, check=False).returncode == 0
    attributes = read_attributes(str(source.parent / "out/x.ome.zarr")) or {}
    assert attributes["status"] == "complete"


def test_a_reader_that_has_seen_enough_ends_a_command_quietly(source: Path) -> None:
    for number in range(40):
        os.link(source, source.with_name(f"y{number}.ome.tif"))
    for options in ("", "--json"):
        plan = shlex.join([*PLAN, str(source.parent), *options.split()])
        script = f"set -o pipefail; {plan} | head -n 1"
        ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert ran.returncode in (0, 141), ran
        assert "Error" not in ran.stderr
        assert "error" not in ran.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_results_that_cannot_be_printed_are_an_error_in_one_line(source: Path) -> None:
    for options in ("", "--json"):
        plan = shlex.join([*PLAN, str(source), *options.split()])
        ran = subprocess.run(f"{plan} >/dev/full", shell=True, capture_output=True, text=True, check=False)
        assert ran.returncode == 1, ran
        assert "standard output: cannot be written: No space left on device" in ran.stderr
        assert "Traceback" not in ran.stderr
