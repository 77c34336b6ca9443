"""Numbers without ground truth are near what was put in."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from autodip_zarr.run.statistics import describe, lag1_correlation, noise_level


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
