"""Runs on a Dask scheduler in a process of its own, in another folder: it dies; results lie right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from autodip_zarr.errors import WorkerError
from autodip_zarr.run.choices import Machine
from autodip_zarr.run.scheduling.connect import connect
from autodip_zarr.run.scheduling.dispatch import Call
from autodip_zarr.run.scheduling.schedule import CallConditions, drive
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample
from .processes import wait_for
from .test_workers import square


@dataclass(frozen=True)
class Elsewhere:
    """A scheduler and its worker, which run in another folder."""

    address: str
    """Address of the scheduler."""
    folder: Path
    """Where they run."""
    scheduler: subprocess.Popen[bytes]
    """Process of the scheduler."""
    start_worker: Callable[[], None]
    """Starts one more worker."""


@contextmanager
def elsewhere(folder: Path, workers: int = 1) -> Iterator[Elsewhere]:
    """Start a scheduler and workers as an administrator would."""
    folder.mkdir()
    said = folder.parent / "scheduler.json"

    processes: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        command = [sys.executable, "-m", *words, "--scheduler-file", str(said), "--no-dashboard"]
        processes.append(subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL))

    def start_worker() -> None:
        start("distributed.cli.dask_worker", "--nthreads", "3")

    try:
        start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_for(said, 120)
        for _ in range(workers):
            start_worker()
        yield Elsewhere(json.loads(said.read_text())["address"], folder, processes[0], start_worker)
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(60)


def start_denoising(folder: Path, table: str, address: str) -> subprocess.Popen[str]:
    """Denoise an image of a folder, all paths relative to it."""
    command = [sys.executable, "-m", "autodip_zarr", "denoise", "x.ome.tif", "--output", "rel/out"]
    command += ["--table", table, "--scheduler", address, "--device", "cpu"]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Folder with an image, in which a person works."""
    write_sample_tiff(tmp_path / "here/x.ome.tif", make_sample("x", (20, 1, 2, 48, 48)))
    return tmp_path / "here"


@pytest.mark.soak
def test_a_scheduler_that_dies_ends_the_run_in_one_line_and_the_locks_are_given_back(
    tmp_path: Path, here: Path, slow_table: str
) -> None:
    target = here / "rel/out/x.ome.zarr"
    with elsewhere(tmp_path / "there") as there:
        process = start_denoising(here, slow_table, there.address)
        wait_for(target / "autodip/record/c", 400)  # the first plane is recorded
        there.scheduler.kill()
        _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert "distributed" not in said
    (line,) = (line for line in said.splitlines() if line.startswith("error: "))
    assert f"scheduler {there.address}: is gone, or does not answer" in line
    assert "the same command goes on" in line
    assert "tried again" not in said
    assert not (target / "autodip/lock.json").exists()


@pytest.mark.soak
def test_a_scheduler_that_dies_while_nothing_is_handed_out_is_noticed_too(tmp_path: Path) -> None:
    with (
        elsewhere(tmp_path / "there", workers=0) as there,
        connect(Machine(scheduler=there.address)) as client,
    ):
        there.scheduler.kill()
        there.scheduler.wait()
        with pytest.raises(WorkerError, match="is gone"):
            drive(client, iter([Call(square, 1)]), lambda *_: (), CallConditions("cpu", None, lambda _: None))


@pytest.mark.soak
def test_a_run_without_workers_says_once_that_it_waits_and_goes_on_when_there_is_one(tmp_path: Path) -> None:
    told: list[str] = []
    answers: list[object] = []

    def done(_call: Call, answer: object) -> tuple[Call, ...]:
        answers.append(answer)
        return ()

    with (
        elsewhere(tmp_path / "there", workers=0) as there,
        connect(Machine(scheduler=there.address)) as client,
    ):

        def tell(line: str) -> None:
            told.append(line)
            there.start_worker()

        drive(client, iter([Call(square, 3)]), done, CallConditions("cpu", None, tell))
    assert told == ["there has been no worker for 20 s; waiting for one"]
    assert answers == [9]


@pytest.mark.soak
def test_a_relative_output_lies_where_the_command_was_given(
    tmp_path: Path, here: Path, quick_table: str
) -> None:
    with elsewhere(tmp_path / "there") as there:
        process = start_denoising(here, quick_table, there.address)
        _, said = process.communicate(timeout=400)
        assert process.returncode == 0, said
        assert not [path for path in there.folder.iterdir() if "dask" not in path.name]
    assert (here / "rel/out/x.ome.zarr/zarr.json").is_file()
