"""What those are told who wait for one fit: callbacks in Python, a bar on a terminal, nothing in a pipe."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import dask.array
import numpy as np
import pytest
from tqdm.auto import tqdm

from autodip_zarr import AutodipError, Choices, FitProgress, denoise_array, preview
from autodip_zarr.dip.estimate import steps_of_planes
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import DipConfig
from autodip_zarr.run.execution.summary import Progress
from autodip_zarr.run.trials import progress
from autodip_zarr.run.trials.progress import Meter
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample, write_slower_table

PLANES = make_sample("x", (1, 1, 3, 24, 32)).pixels[0, 0]


def told_of(pixels: np.ndarray, choices: Choices) -> list[FitProgress]:
    told: list[FitProgress] = []
    denoise_array(pixels, microscope="confocal", choices=choices, device="cpu", progress=told.append)
    return told


def test_one_long_fit_tells_how_far_it_is_a_few_times_a_second(quick_table: str, tmp_path: Path) -> None:
    table = write_slower_table(quick_table, 300, tmp_path / "table.json")
    told = told_of(PLANES[0], Choices(table=table, preset="reference"))
    assert len(told) > 3, "within the fit of one plane"
    assert (told[0].steps_done, told[0].planes_done, told[0].planes_total) == (0, 0, 1)
    assert {now.steps_total for now in told} == {300}
    steps = [now.steps_done for now in told]
    assert steps == sorted(steps)
    assert (steps[-1], told[-1].planes_done, told[-1].seconds_left) == (300, 1, 0.0)
    between = [later.seconds - now.seconds for now, later in pairwise(told[:-1])]
    assert min(between) >= 0.25
    assert told[-2].seconds_left is not None
    assert 0 < told[-2].seconds_left < 60


def test_steps_count_every_start_and_plane(quick_table: str) -> None:
    told = told_of(PLANES, Choices(table=quick_table))
    recipe = preset_recipe("standard", precision="float32")
    expected = steps_of_planes(DipConfig(2, 4, 4, 3), recipe, (24, 32), 3)
    assert len(set(expected)) == 1
    assert (told[0].steps_total, told[-1].steps_done) == (sum(expected), sum(expected))
    assert (told[-1].planes_done, told[-1].planes_total) == (3, 3)


def test_planes_of_one_value_take_no_steps(quick_table: str) -> None:
    told = told_of(np.full((2, 16, 16), 7, np.uint16), Choices(table=quick_table))
    assert (told[-1].steps_done, told[-1].steps_total, told[-1].planes_done) == (0, 0, 2)
    assert told[0].steps_total > 0


@pytest.mark.parametrize("both_ways", [False, True])
def test_planes_of_a_sequence_count_as_fitted_on(quick_table: str, *, both_ways: bool) -> None:
    same = np.repeat(PLANES[:1], 3, axis=0)
    told = told_of(same, Choices(table=quick_table, sequence="z", both_ways=both_ways))
    assert told[-1].steps_done == told[-1].steps_total
    assert told[-1].planes_done == 3


def test_a_fit_that_makes_more_steps_than_expected_never_passes_its_end() -> None:
    told: list[FitProgress] = []
    meter = Meter(told.append, [10, 10])
    meter.step(14)  # begun again
    meter.tell()
    meter.plane()
    meter.tell()
    assert [(now.steps_done, now.steps_total) for now in told] == [(14, 20), (14, 24)]
    meter.step(16)
    meter.tell()
    assert (told[-1].steps_done, told[-1].steps_total) == (30, 30)


def test_what_the_callback_raises_ends_the_fit(slow_table: str) -> None:
    class EnoughError(Exception):
        pass

    def stop(now: FitProgress) -> None:
        if now.steps_done:
            raise EnoughError

    with pytest.raises(EnoughError):
        denoise_array(PLANES[0], choices=Choices(table=slow_table), device="cpu", progress=stop)


def test_fits_of_other_threads_are_not_counted(quick_table: str) -> None:
    told: dict[int, list[FitProgress]] = {0: [], 1: []}
    choices = Choices(table=quick_table)

    def fit(number: int) -> None:
        denoise_array(PLANES[: 1 + number], choices=choices, device="cpu", progress=told[number].append)

    threads = [threading.Thread(target=fit, args=(number,)) for number in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [told[number][-1].planes_total for number in told] == [1, 2]
    assert told[1][-1].steps_done == 2 * told[0][-1].steps_done


def test_dask_arrays_have_bars_of_their_own(quick_table: str) -> None:
    lazy = dask.array.from_array(PLANES)  # type: ignore[no-untyped-call]
    with pytest.raises(AutodipError, match="progress: given with a dask array"):
        denoise_array(lazy, choices=Choices(table=quick_table), progress=print)


def test_a_preview_tells_and_moves_a_bar_of_tqdm(tmp_path: Path, quick_table: str) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 1, 1, 24, 32)))
    with tqdm(file=io.StringIO()) as bar:
        preview(source, choices=Choices(table=quick_table), progress=lambda now: now.show_on(bar))
        assert bar.n == bar.total > 0
    with tqdm(file=io.StringIO()) as bar:
        Progress(9, 3, 1).show_on(bar)
        assert (bar.n, bar.total) == (4, 9)


def run_preview(folder: Path, table: str, stderr: int) -> subprocess.Popen[bytes]:
    source = folder / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 1, 1, 24, 32)))
    command = [sys.executable, "-m", "autodip_zarr", "preview", str(source), "--table", table]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, env=environment)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="Windows has no pseudo-terminals")
def test_the_command_shows_a_bar_on_a_terminal(tmp_path: Path, quick_table: str) -> None:
    ours, theirs = os.openpty()
    shown: list[bytes] = []

    def read() -> None:  # or the terminal fills, and the command waits
        with suppress(OSError):  # the other end is closed
            while part := os.read(ours, 4096):
                shown.append(part)

    reader = threading.Thread(target=read)
    with run_preview(tmp_path, quick_table, theirs) as process:
        os.close(theirs)
        reader.start()
        out, _ = process.communicate(timeout=60)
    reader.join()
    os.close(ours)
    assert process.returncode == 0
    assert "steps" in b"".join(shown).decode()
    assert "picture: preview.png" in out.decode()


def test_the_command_shows_nothing_in_a_pipe(tmp_path: Path, quick_table: str) -> None:
    with run_preview(tmp_path, quick_table, subprocess.PIPE) as process:
        _, shown = process.communicate(timeout=60)
    assert (process.returncode, shown) == (0, b"")


def test_where_nothing_is_fitted_planes_tell_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_BETWEEN_S", 0.0)
    noisy = np.random.default_rng(0).poisson(50, (3, 96, 96)).astype("uint16")
    told: list[FitProgress] = []
    denoise_array(noisy, choices=Choices(preset="fast"), device="cpu", progress=told.append)
    assert [one.planes_done for one in told] == [0, 1, 2, 3, 3]
    assert told[0].seconds_left is None
    assert (told[1].seconds_left or 0) > 0
    assert told[-1].seconds_left == 0
    bar = SimpleNamespace(total=0, n=0, refresh=lambda: None)
    told[2].show_on(bar)
    assert (bar.total, bar.n) == (3, 2)
