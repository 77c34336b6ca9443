"""Runs without workers: the same results, from the same dispatcher, in one process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from autodip_zarr.dip.estimate import Estimate
from autodip_zarr.dip.planes.job import DenoisedPlane, FitJob
from autodip_zarr.domain import DipConfig, Recipe
from autodip_zarr.errors import FitError
from autodip_zarr.run.choices import Choices, Machine
from autodip_zarr.run.execution.denoise import denoise
from autodip_zarr.run.method import Method
from autodip_zarr.run.planning.plan import make_plan
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import make_sample, write_archive
from .results import Run, assert_same_result, planes, statuses


def test_results_are_those_of_workers_bit_for_bit(tmp_path: Path, run: Run, here: Run) -> None:
    source = write_archive(tmp_path / "in")
    for name, way in (("workers", run), ("here", here)):
        found = way(source, "--output", tmp_path / name)
        assert (found.exit_code, statuses(found)) == (0, ["done"] * 3)
    made = sorted(path.parent for path in (tmp_path / "here").rglob("autodip"))
    assert len(made) == 3
    for result in made:
        assert_same_result(result, tmp_path / "workers" / result.relative_to(tmp_path / "here"))


def test_a_plane_that_cannot_be_read_fails_and_the_same_command_goes_on(tmp_path: Path, here: Run) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x", (3, 1, 1, 24, 32)), "0.4")
    (chunk,) = (path for path in (source / "0/1").rglob("0") if path.is_file())
    chunk.write_bytes(b"no pixels")
    broken = here(source, "--output", tmp_path / "out")
    assert (broken.exit_code, statuses(broken)) == (1, ["partial"])
    again = here(source, "--output", tmp_path / "out")
    assert statuses(again) == ["partial"]


def test_neither_dask_nor_its_scheduler_is_loaded(tmp_path: Path, quick_table: str) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x"))
    run = ["denoise", str(source), "--output", str(tmp_path / "out"), "--table", quick_table, "--in-process"]
    code = """
import sys
from autodip_zarr.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    sys.exit(end.code or any(name in sys.modules for name in ("dask", "distributed")))
"""
    subprocess.run([sys.executable, "-c", code, *run], check=True)


@pytest.mark.parametrize(
    "option", [["--workers", "2"], ["--scheduler", "tcp://127.0.0.1:1"], ["--time-limit", "9"]]
)
def test_options_about_workers_are_refused(tmp_path: Path, here: Run, option: list[str]) -> None:
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x"))
    found = here(tmp_path / "x.ome.tif", "--output", tmp_path / "out", *option)
    assert found.exit_code == 2
    assert f"--in-process, {option[0]}" in found.stderr
    assert not (tmp_path / "out").exists()


def halve(
    noisy: Sequence[NDArray[np.generic]], job: FitJob, places: Sequence[Sequence[int]]
) -> Iterable[DenoisedPlane | FitError]:
    """A method of no use, but for this test: half of every plane."""
    del job, places
    return [DenoisedPlane(np.asarray(plane, np.float32) / 2, 1, 0.0, 0.0) for plane in noisy]


def cheap(config: DipConfig, recipe: Recipe, size: tuple[int, int], device: str) -> Estimate:
    """Its cost: a millionth of a fit a pixel."""
    del config, recipe, device
    return Estimate(1e-6 * size[0] * size[1], 1, 1, 1, 1.0, 0.0, 0, 0, side_by_side=False)


def test_another_method_is_plugged_in_at_one_place(tmp_path: Path) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 1, 2, 24, 32)))
    method, choices = Method(cheap, halve), Choices(output=str(tmp_path / "out"))
    plan = make_plan([str(source)], choices, "cpu", method)
    assert plan.totals.relative_cost == pytest.approx(2 * 24 * 32 * 1e-6)
    summary = denoise([str(source)], choices, Machine("cpu", in_process=True), method=method)
    assert [image.status for image in summary.images] == ["done"]
    noisy = planes(source)
    np.testing.assert_array_equal(planes(tmp_path / "out/x.ome.zarr"), np.rint(noisy / 2))


def test_memory_is_that_of_the_method(tmp_path: Path) -> None:
    def greedy(*arguments: Any) -> Estimate:
        return replace(cheap(*arguments), network_bytes=2**60)

    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 1, 2, 24, 32)))
    choices, machine = Choices(output=str(tmp_path / "out")), Machine("cpu", in_process=True)
    (image,) = denoise([str(source)], choices, machine, method=Method(greedy, halve)).images
    assert image.status == "failed"
    assert "one block needs" in image.messages[0]
