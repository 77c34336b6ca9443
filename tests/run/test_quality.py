"""What is written and said of the quality of a result: spread over the starts, cost of rounding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray

from autodip_zarr.run.execution.statistics import rounding_std
from autodip_zarr.stores import RECORD_FIELDS, read_attributes, read_record
from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from .results import Run, planes, statuses


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_spread_over_the_starts_is_written_on_request(tmp_path: Path, run: Run, version: str) -> None:
    source, out = tmp_path / "x.zarr", tmp_path / "out"
    write_sample_zarr(source, make_sample("x", (1, 2, 3, 20, 22)), "0.5")
    options = ("--output", out, "--preset", "best", "--uncertainty", "--zarr-format", version)
    result = run(source, *options, "--channels", "DAPI", "--z", "1:3")
    assert result.exit_code == 0, result.output
    opened = xarray.open_zarr(out / "x.zarr/autodip", consolidated=False)
    spread = opened["uncertainty"].transpose("t", "c", "z", "y", "x").values
    assert spread.shape == (1, 2, 3, 20, 22)
    assert spread.dtype == np.float32
    assert np.isnan(spread[:, 1]).all()
    assert np.isnan(spread[:, 0, 0]).all()
    assert (spread[:, 0, 1:] >= 0).all()
    assert spread[:, 0, 1:].max() > 0


def test_one_start_has_no_spread(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x"), "0.5")
    result = run(source, "--output", tmp_path / "out", "--uncertainty", "--preset", "reference")
    assert result.exit_code == 2
    assert "--preset best" in result.stderr


def test_a_result_without_a_map_is_not_taken_for_one_with_it(tmp_path: Path, run: Run) -> None:
    source, options = tmp_path / "x.zarr", ("--output", tmp_path / "out", "--preset", "best")
    write_sample_zarr(source, make_sample("x"), "0.5")
    assert run(source, *options).exit_code == 0
    assert run(source, *options, "--uncertainty").exit_code == 1
    assert run(source, *options, "--uncertainty", "--overwrite").exit_code == 0
    assert statuses(run(source, *options, "--uncertainty")) == ["unchanged"]


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_rounding_of_few_counts_is_measured_and_warned_about(
    tmp_path: Path, run: Run, dtype: str | None
) -> None:
    source, out = tmp_path / "x.zarr", tmp_path / "out"
    sample = make_sample("x", (1, 1, 1, 40, 40))
    few = np.random.default_rng(0).poisson(0.4, sample.pixels.shape).astype(np.uint16)
    write_sample_zarr(source, replace(sample, pixels=few), "0.5")
    result = run(source, "--output", out, *(() if dtype is None else ("--dtype", dtype)))
    assert result.exit_code == 0, result.output
    recorded = read_record(str(out / "x.zarr"))[0, 0, 0, RECORD_FIELDS.index("rounding_std")]
    attributes = read_attributes(str(out / "x.zarr"))
    assert attributes is not None
    warnings = attributes["run"]["warnings"]
    if dtype is None:
        assert recorded > 0.1
        assert "--dtype float32" in warnings[0]
        assert "--dtype float32" in result.stderr
    else:
        assert np.isnan(recorded)
        assert warnings == []
        assert planes(out / "x.zarr").dtype == np.float32


def test_rounding_is_measured_in_counts() -> None:
    plane = np.tile(np.array([[1.0, 2.25], [3.0, 4.5]], np.float32), (100, 100))
    assert rounding_std(plane, "uint8") == pytest.approx(np.sqrt((0.25**2 + 0.5**2) / 4))
    assert np.isnan(rounding_std(plane, "float32"))
