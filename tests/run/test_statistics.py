"""Numbers without ground truth are near what was put in."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from autodip_zarr.run.execution import statistics
from autodip_zarr.run.execution.statistics import describe, lag1_correlation, noise_level


def test_noise_level_of_white_noise_on_a_smooth_image() -> None:
    random = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(200.0), np.arange(200.0))
    assert noise_level(smooth + random.normal(0, 5, smooth.shape)) == pytest.approx(5, rel=0.03)


def test_correlation_tells_white_from_correlated() -> None:
    white = np.random.default_rng(1).normal(size=(200, 200))
    assert lag1_correlation(white) == pytest.approx(0, abs=0.02)
    assert lag1_correlation(gaussian_filter(white, 1)) > 0.6


def test_a_single_pixel_has_no_statistics_but_a_record() -> None:
    numbers = describe(np.full((1, 1), 7, np.uint8), np.full((1, 1), 7, np.float32))
    assert numbers["minimum"] == numbers["maximum"] == 7
    assert numbers["residual_std"] == 0
    assert np.isnan(numbers["noise_before"])
    assert np.isnan(numbers["residual_lag1"])


def test_a_large_plane_is_described_by_strips_as_if_it_were_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(2)
    noisy = np.add.outer(np.arange(330.0), np.arange(200.0)) + random.normal(0, 5, (330, 200))
    denoised = gaussian_filter(noisy, 1).astype(np.float32)
    noisy[3, 4] = denoised[3, 4] = np.nan
    whole = describe(noisy, denoised)
    monkeypatch.setattr(statistics, "_STRIP_PX", 100 * 200)
    strips = describe(noisy, denoised)
    for name in ("minimum", "maximum", "residual_mean", "residual_std"):
        assert strips[name] == pytest.approx(whole[name], rel=0.01, abs=0.01)
    for name in ("noise_before", "noise_after", "residual_lag1"):
        assert strips[name] == pytest.approx(whole[name], rel=0.05, abs=0.01)
    nothing = np.full((330, 200), np.nan, np.float32)
    assert all(np.isnan(number) for number in describe(nothing, nothing).values())
