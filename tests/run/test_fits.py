"""Fits as runs make them: the same bits in any order, a plane that cannot be fitted kept as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample
from .results import Run, planes


def test_a_plane_has_the_same_bits_whatever_is_fitted_before_and_beside_it(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 2, 3, 30, 33)))
    chosen = [source, "--tile", 20, "--halo", 4]
    assert run(*chosen, "--output", tmp_path / "all").exit_code == 0
    assert run(*chosen, "--z", 2, "--channels", 1, "--output", tmp_path / "alone").exit_code == 0
    every, alone = (planes(tmp_path / name / "x.ome.zarr", 1)[2] for name in ("all", "alone"))
    np.testing.assert_array_equal(alone, every)


def test_a_plane_whose_fit_diverges_is_recorded_and_stays_the_source_s(tmp_path: Path, run: Run) -> None:
    source, target = tmp_path / "x.ome.tif", tmp_path / "out/x.ome.zarr"
    sample = make_sample("x", (1, 1, 3, 30, 30), "float64")
    too_far = np.finfo(np.float64).max * np.random.default_rng(1).choice([-1, 1], (30, 30))
    sample.pixels[0, 0, 1] = too_far  # the difference of two of its pixels is infinite, and so the loss
    write_sample_tiff(source, replace(sample, pixels=sample.pixels))
    result = run(source, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["images"][0]["planes_failed"] == 1
    noisy, denoised = planes(source), planes(target)
    np.testing.assert_array_equal(denoised[1], noisy[1])
    assert all(not np.array_equal(denoised[z], noisy[z]) for z in (0, 2))
    verified = CliRunner().invoke(main, ["verify", str(tmp_path / "out")])
    assert "t=0 c=0 z=1: fit: diverged" in verified.output
