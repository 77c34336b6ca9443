"""Workers that die, hang or kill themselves: real processes, real signals."""

from __future__ import annotations

import gc
import json
import logging
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import dask
import numpy as np
import psutil
import pytest

from autodip_zarr.errors import WorkerError
from autodip_zarr.run.choices import Machine
from autodip_zarr.run.scheduling.connect import connect, known_workers
from autodip_zarr.run.scheduling.dispatch import Call
from autodip_zarr.run.scheduling.schedule import CallConditions, drive
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample
from .processes import wait_for, workers_of
from .results import planes
from .test_interrupt import command

pytestmark = pytest.mark.filterwarnings(  # Dask leaves connections to killed workers to the garbage collector
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Have the garbage of each test collected with it, and not in a test of something else."""
    yield
    gc.collect()


def kill_own_process(_argument: int) -> None:
    """Die as the kernel kills a process that ran out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang(_argument: int) -> None:
    """Stop answering, the whole process."""
    os.kill(os.getpid(), signal.SIGSTOP)


def run_out_of_memory(_argument: int) -> None:
    """Fail as numpy does where memory is short."""
    raise MemoryError


class NeverHandedOver:
    """What a call comes to whose worker stops just when it is asked for it."""

    def __reduce__(self) -> tuple[object, ...]:
        """Stop the process that packs this."""
        os.kill(os.getpid(), signal.SIGSTOP)
        return NeverHandedOver, ()


def done_and_hung(_argument: int) -> NeverHandedOver:
    """Be done, and hand nothing over."""
    return NeverHandedOver()


def square(number: int) -> int:
    """Work."""
    time.sleep(0.05)
    return number * number


@pytest.mark.soak
def test_calls_that_kill_or_hang_are_given_up_and_all_others_are_made() -> None:
    bad = [Call(kill_own_process, -1), Call(hang, -2), Call(run_out_of_memory, -3)]
    good = [Call(square, number, alike="squares") for number in range(40)]
    answers: dict[int, list[object]] = {}
    told: list[str] = []

    def done(call: Call, answer: object) -> Iterable[Call]:
        answers.setdefault(call.argument, []).append(answer)
        return ()

    with connect(Machine("cpu", workers=2)) as client:
        drive(client, iter([*good[:5], *bad, *good[5:]]), done, CallConditions("cpu", 6.0, told.append))
    assert {n: answers[n] for n in range(40)} == {n: [n * n] for n in range(40)}
    for number, kind in ((-1, WorkerError), (-2, WorkerError), (-3, MemoryError)):
        (answer,) = answers[number]
        assert isinstance(answer, kind), answer
    assert sum("no answer for 6 s; what it had is tried again" in line for line in told) >= 2
    assert sum("died or lost its connection" in line and "tried again" in line for line in told) >= 2
    assert sum("what it had is given up" in line for line in told) == 3
    assert sum(line.startswith("MemoryError; ") for line in told) >= 2


@pytest.mark.soak
def test_workers_that_dask_forgets_come_again() -> None:
    answers: dict[int, object] = {}

    def done(call: Call, answer: object) -> Iterable[Call]:
        answers[call.argument] = answer
        return ()

    calls = [Call(kill_own_process, -1), *(Call(square, number) for number in range(20))]
    at_once = {"distributed.deploy.lost-worker-timeout": "1ms"}  # as if a start took longer
    with connect(Machine("cpu", workers=2)) as client, dask.config.set(at_once):
        drive(client, iter(calls), done, CallConditions("cpu", None, print, start_limit_s=120.0))
    assert [answers[number] for number in range(20)] == [number * number for number in range(20)]
    assert isinstance(answers[-1], WorkerError)


@pytest.mark.soak
def test_a_worker_that_hangs_when_it_is_done_holds_up_nobody_and_is_found() -> None:
    answers: list[tuple[float, object]] = []

    def done(_call: Call, answer: object) -> Iterable[Call]:
        answers.append((time.monotonic(), answer))
        return ()

    calls = [Call(done_and_hung, -1), *(Call(square, number) for number in range(20))]
    with connect(Machine("cpu", workers=2)) as client:
        began = time.monotonic()
        drive(client, iter(calls), done, CallConditions("cpu", 15.0, lambda _: None))
    first = sorted(when for when, answer in answers if isinstance(answer, int))
    assert len(first) == 20
    assert first[9] - began < 15, "the other worker went on"
    (given_up,) = (answer for _, answer in answers if not isinstance(answer, int))
    assert isinstance(given_up, WorkerError)


def denoise_while(how: signal.Signals, tmp_path: Path, table: str, limit_s: int) -> str:
    """Denoise while the worker gets a signal; check that nothing is lost, and return what was said."""
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (6, 1, 2, 24, 24)))
    run = [*command(source, tmp_path / "out", table), "--json", "--time-limit", str(limit_s)]
    process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(tmp_path / "out/x.ome.zarr/autodip/record/c", 400)  # the first plane is recorded
    (worker,) = workers_of(process.pid)
    worker.send_signal(how)
    out, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    (image,) = json.loads(out)["images"]
    assert (image["status"], image["planes_done"], image["planes_failed"]) == ("done", 12, 0)

    again = command(source, tmp_path / "quiet", table)
    assert subprocess.run(again, capture_output=True, check=False).returncode == 0
    found, expected = planes(tmp_path / "out/x.ome.zarr"), planes(tmp_path / "quiet/x.ome.zarr")
    np.testing.assert_array_equal(found, expected)
    return errors


@pytest.mark.soak
def test_a_killed_worker_costs_a_retry_and_no_plane(tmp_path: Path, slow_table: str) -> None:
    denoise_while(signal.SIGKILL, tmp_path, slow_table, 600)


@pytest.mark.soak
def test_a_stopped_worker_is_replaced_and_no_plane_is_lost(tmp_path: Path, slow_table: str) -> None:
    said = denoise_while(signal.SIGSTOP, tmp_path, slow_table, 60)
    assert "no answer for 60 s" in said


def kill_children(end: threading.Event, spared: set[psutil.Process], most: float) -> None:
    """Kill worker processes as soon as they start, a number of them at most."""
    killed = 0
    while killed < most and not end.wait(0.02):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if child not in spared and any("spawn_main" in word for word in child.cmdline()):
                    child.kill()
                    killed += 1


Killing = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def killing() -> Killing:
    """Have worker processes killed that come during a test; a cluster that tests share is spared."""
    spared = set(psutil.Process().children(recursive=True))

    @contextmanager
    def kill(most: float = math.inf) -> Iterator[None]:
        end = threading.Event()
        killer = threading.Thread(target=kill_children, args=(end, spared, most))
        killer.start()
        try:
            yield
        finally:
            end.set()
            killer.join()

    return kill


@pytest.mark.soak
def test_a_run_whose_workers_end_as_soon_as_they_start_ends_too(killing: Killing) -> None:
    conditions = CallConditions("cpu", None, lambda _: None, start_limit_s=3.0)
    with (
        connect(Machine("cpu", workers=1)) as client,
        killing(),
        pytest.raises(WorkerError, match="there has been none for 3 s"),
    ):
        drive(client, iter([Call(square, 1)]), lambda *_: (), conditions)


def test_a_worker_that_is_killed_while_it_starts_is_started_again(killing: Killing) -> None:
    with killing(most=1), connect(Machine("cpu", workers=1)) as client:
        assert client.submit(square, 3).result(timeout=60) == 9


def test_workers_that_are_killed_each_time_they_start_are_an_error_of_one_line(killing: Killing) -> None:
    with killing(), pytest.raises(WorkerError, match="cannot be started"), connect(Machine(workers=1)):
        pass


def level_of_dask() -> int:
    return logging.getLogger("distributed.core").getEffectiveLevel()


def test_workers_write_no_remarks_of_dask_between_the_lines_for_machines() -> None:
    with connect(Machine("cpu", workers=1)) as client:
        assert list(client.run(level_of_dask).values()) == [logging.CRITICAL]


def limited(kilobytes: int, run: list[str]) -> subprocess.CompletedProcess[str]:
    """Run under a limit of address space, as clusters set it."""
    shell = ["bash", "-c", f'ulimit -v {kilobytes} && exec "$@"', "bash", *run]
    return subprocess.run(shell, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    "kilobytes",
    [1_150_000, *(pytest.param(n, marks=pytest.mark.soak) for n in (700_000, 1_000_000))],
)
def test_workers_that_cannot_load_what_they_need_end_the_run_in_one_line(
    tmp_path: Path, quick_table: str, kilobytes: int
) -> None:
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x", (2, 1, 2, 24, 24)))
    run = limited(kilobytes, command(tmp_path / "x.ome.tif", tmp_path / "out", quick_table))
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    (line,) = (line for line in run.stderr.splitlines() if line.startswith("error: "))
    assert "cannot be started" in line
    assert "ulimit -v" in line


@pytest.mark.soak
def test_enough_address_space_is_enough(tmp_path: Path, quick_table: str) -> None:
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x", (2, 1, 2, 24, 24)))
    run = limited(3_000_000, command(tmp_path / "x.ome.tif", tmp_path / "out", quick_table))
    assert run.returncode == 0, run.stderr


def test_no_worker_seems_gone_while_dask_asks_for_something_else_in_between() -> None:
    """Dask's client asks now and then for a list without workers, and keeps one answer for everybody."""
    with (
        dask.config.set({"distributed.client.scheduler-info-interval": "1ms"}),
        connect(Machine("cpu", workers=1)) as client,
    ):
        end = time.monotonic() + 5
        while time.monotonic() < end:
            assert len(known_workers(client)) == 1
