"""Slow is not dead, and dead is found: whole runs in real processes that take minutes to most of an hour."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from autodip_zarr.demo.archive import ARCHIVE
from autodip_zarr.dip.estimate import estimate
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import DipConfig
from autodip_zarr.run.scheduling.dispatch import SILENCE_S
from autodip_zarr.stores import RECORD_FIELDS, STATUS_DENOISED, read_record, walk_results
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample
from .processes import wait_for, workers_of
from .test_interrupt import command

FIT_SECONDS: Final = 40 * 60
"""How long the long fit holds a core, at least, by its own time and not by the clock."""

BUSY_PROCESSES: Final = 30
"""What runs beside the demonstration."""

SIDE: Final = 32
"""Of the plane of the long fit, in pixels; a deep network pads it, and takes far longer than is estimated."""

PACE_STEPS: Final = (100, 500)
"""Of two short fits, from which the number of steps of the long one follows."""

OLD_FACTOR: Final = 20
"""Times its estimate after which a fit once counted as hung."""


def deep_table(quick_table: str, path: Path, steps: int) -> str:
    """Write a table of one deep network everywhere, with as many steps."""
    document = json.loads(Path(quick_table).read_text())
    for entry in document["entries"]:
        entry |= {"depth": 8, "width": 16, "iterations": steps}
    path.write_text(json.dumps(document))
    return str(path)


def run_logged(run: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Run to the end with ``--log-json``, and return its lines."""
    ran = subprocess.run([*run, "--log-json"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stderr.splitlines()], ran.stderr


def done_planes(lines: list[dict[str, Any]]) -> Counter[tuple[str, int, int, int]]:
    """Count how often each plane was done, by source, c, t and z."""
    return Counter(
        (line["source"], line["c"], t, z)
        for line in lines
        if line.get("event") == "block"
        for t in range(*line["t"])
        for z in range(*line["z"])
    )


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Have processes beside this one that never rest."""
    spin = [sys.executable, "-c", "while True: pass"]
    beside = [subprocess.Popen(spin) for _ in range(count)]
    try:
        yield
    finally:
        for process in beside:
            process.kill()
            process.wait()


@pytest.mark.soak
def test_the_demonstration_beside_busy_processes_does_each_plane_once(
    tmp_path: Path, slow_table: str
) -> None:
    began = time.monotonic()
    run = [sys.executable, "-m", "autodip_zarr", "demo", "--output", str(tmp_path), "--table", slow_table]
    with busy(BUSY_PROCESSES):
        ran = subprocess.run(run, capture_output=True, text=True, check=False)
    print(f"{time.monotonic() - began:.0f} s")  # noqa: T201 - shown by pytest -s
    assert ran.returncode == 0, ran.stderr
    assert "tried again" not in ran.stderr
    planes = sum(image.depth * len(image.channels) for image in ARCHIVE)
    records = [read_record(item.source) for item in walk_results([str(tmp_path / "denoised")])]
    status = RECORD_FIELDS.index("status")
    assert sum(int((record[..., status] == STATUS_DENOISED).sum()) for record in records) == planes


@pytest.mark.soak
def test_a_stopped_worker_is_found_after_ten_minutes_without_a_step(tmp_path: Path, slow_table: str) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (20, 1, 2, 48, 48)))  # a block a time point
    run = [*command(source, tmp_path / "out", slow_table), "--workers", "2", "--log-json"]
    # in a session of its own: who starts this in the background must not wake what is stopped by going away
    process = subprocess.Popen(run, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(tmp_path / "out/x.ome.zarr/autodip/record/c", 400)  # the first plane is recorded
    stopped = max(workers_of(process.pid), key=lambda worker: worker.cpu_times().user)  # one that fits
    stopped.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    _, said = process.communicate(timeout=3 * SILENCE_S)
    assert process.returncode == 0, said
    assert time.monotonic() - began > SILENCE_S, said
    lines = [json.loads(line) for line in said.splitlines()]
    told = [line["message"] for line in lines if "tried again" in line.get("message", "")]
    print(f"{time.monotonic() - began:.0f} s after the signal: {told}")  # noqa: T201 - shown by pytest -s
    (line,) = told
    assert f"no step made for {SILENCE_S:.0f} s" in line
    assert not stopped.is_running()
    done = done_planes(lines)
    assert len(done) == 40
    assert set(done.values()) == {1}


@pytest.mark.soak
def test_a_fit_that_holds_a_core_for_forty_minutes_is_done_once(tmp_path: Path, quick_table: str) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 1, 1, SIDE, SIDE)))

    def fitted(steps: int) -> tuple[float, dict[str, Any], str]:
        table = deep_table(quick_table, tmp_path / f"{steps}.json", steps)
        run = [*command(source, tmp_path / f"out{steps}", table), "--preset", "reference"]
        began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        lines, said = run_logged(run)
        assert list(done_planes(lines).values()) == [1]
        (block,) = (line for line in lines if line.get("event") == "block")
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began, block, said

    few, more = PACE_STEPS
    pace = (fitted(more)[0] - fitted(few)[0]) / (more - few)
    steps = int(1.1 * FIT_SECONDS / pace)
    held, block, said = fitted(steps)
    print(f"{steps} steps of {pace:.4f} s at first; {held:.0f} s held, {block['fit_seconds']:.0f} s passed")  # noqa: T201
    assert (block["denoised"], block["failed"]) == (1, 0)
    assert "tried again" not in said
    recipe = preset_recipe("reference", precision="float32")
    expected = estimate(DipConfig(8, 16, 4, steps), recipe, (SIDE, SIDE), "cpu").seconds()
    assert held > FIT_SECONDS
    assert block["fit_seconds"] > OLD_FACTOR * expected
