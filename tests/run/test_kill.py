"""Runs killed at random moments, driver, worker or both: nothing is lost, nothing is made twice over."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil
import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample
from .processes import wait_for, workers_of
from .results import assert_same_result
from .test_interrupt import command

Victim = Literal["driver", "worker", "all"]
VICTIMS: tuple[Victim, ...] = ("driver", "worker", "all")
PATIENCE_SECONDS = 400


@dataclass
class Loop:
    """Kills runs of one image until enough were killed, and compares each result that comes to its end."""

    folder: Path
    table: str
    chance: random.Random
    work_seconds: float = 0.0
    start_seconds: float = 0.0
    kills: list[str] = field(default_factory=list)
    finished: int = 0
    slowest_end: float = 0.0

    def __post_init__(self) -> None:
        """Make the result of a run that nobody disturbs, and measure it."""
        write_sample_tiff(self.folder / "x.ome.tif", make_sample("x", (4, 1, 2, 32, 32)))
        started = time.monotonic()
        process = self.start("whole")
        wait_for(self.folder / "whole/x.ome.zarr/autodip/lock.json", PATIENCE_SECONDS)
        self.start_seconds = time.monotonic() - started
        assert process.wait(PATIENCE_SECONDS) == 0
        self.work_seconds = time.monotonic() - started - self.start_seconds

    def start(self, output: str) -> subprocess.Popen[bytes]:
        arguments = command(self.folder / "x.ome.tif", self.folder / output, self.table)
        return subprocess.Popen(arguments, stderr=subprocess.DEVNULL, start_new_session=True)

    def run(self, victims: Sequence[Victim]) -> None:
        """Kill each victim in turn, in as many runs as that takes, then let the last result be finished."""
        waiting = list(victims)
        while waiting:
            process = self.start(self.output)
            while waiting and process.poll() is None:
                self.wait(process)
                if process.poll() is None and self.kill(process, waiting[0]):
                    waiting.pop(0)
            if process.wait(PATIENCE_SECONDS) == 0:
                self.compare()
        attempts = 0
        while self.start(self.output).wait(PATIENCE_SECONDS) != 0:
            attempts += 1
            assert attempts < 3, "a block whose worker was killed again and again is retried by the next run"
        self.compare()

    @property
    def output(self) -> str:
        return f"out{self.finished}"

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for a random moment: half of them from the start on, half while planes are worked on."""
        lock = self.folder / self.output / "x.ome.zarr/autodip/lock.json"
        seconds = self.chance.uniform(0, self.work_seconds)
        if self.chance.random() < 0.5:
            seconds = self.chance.uniform(0, self.start_seconds + self.work_seconds)
        elif not lock.exists():
            end = time.monotonic() + PATIENCE_SECONDS
            while not lock.exists() and process.poll() is None:
                assert time.monotonic() < end
                time.sleep(0.02)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def kill(self, process: subprocess.Popen[bytes], victim: Victim) -> bool:
        """Kill without warning, and say whether there was one to kill."""
        try:
            workers = workers_of(process.pid)
        except psutil.NoSuchProcess:  # the run came to its end, or its worker did
            return False
        if victim == "worker":
            if not workers:
                return False
            self.chance.choice(workers).send_signal(signal.SIGKILL)
        else:
            psutil.Process(process.pid).send_signal(signal.SIGKILL)
            if victim == "all":
                for worker in workers:
                    if worker.is_running():
                        worker.send_signal(signal.SIGKILL)
            process.wait()
            killed = time.monotonic()
            _, alive = psutil.wait_procs(workers, timeout=60)
            assert not alive, "workers outlive their run"
            self.slowest_end = max(self.slowest_end, time.monotonic() - killed)
        self.kills.append(victim)
        return True

    def compare(self) -> None:
        """Check that the result is the one of a run that nobody disturbed; begin another one next."""
        result = self.folder / self.output
        assert_same_result(result / "x.ome.zarr", self.folder / "whole/x.ome.zarr")
        assert CliRunner().invoke(main, ["verify", str(result)]).exit_code == 0
        self.finished += 1


@pytest.mark.soak
def test_killed_twice(tmp_path: Path, slow_table: str) -> None:
    loop = Loop(tmp_path, slow_table, random.Random(4))
    loop.run(["driver", "worker"])
    assert loop.kills == ["driver", "worker"]


@pytest.mark.soak
@pytest.mark.parametrize("seed", [20261124])
def test_killed_twenty_times(tmp_path: Path, slow_table: str, seed: int) -> None:
    chance = random.Random(seed)
    victims: list[Victim] = [*VICTIMS, *(chance.choice(VICTIMS) for _ in range(18))]
    chance.shuffle(victims)
    loop = Loop(tmp_path, slow_table, chance)
    loop.run(victims)
    said = [
        f"seed {seed}; one run: {loop.start_seconds:.1f} s to begin, {loop.work_seconds:.1f} s of work",
        f"killed: {', '.join(loop.kills)}",
        f"{loop.finished} results compared; workers outlived a driver by {loop.slowest_end:.2f} s at most",
    ]
    print("\n".join(said))  # noqa: T201 - shown by pytest -rP
    assert len(loop.kills) == 21
