"""Pairs whose scales differ are put on one, once, and pixels at a limit are left out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from autodip_zarr.errors import OptionError
from autodip_zarr.metrics import score
from autodip_zarr.metrics.affine import comparable

RANDOM = np.random.default_rng(2)
CLEAN: NDArray[np.float64] = 1000 + 40000 * gaussian_filter(RANDOM.random((64, 64)), 4)


def noisy(slope: float = 1.0, offset: float = 0.0, noise: float = 30.0) -> NDArray[np.uint16]:
    values: NDArray[np.float64] = CLEAN * slope + offset + RANDOM.normal(0, noise, CLEAN.shape)
    return values.round().astype(np.uint16)


def test_pairs_of_one_scale_are_left_as_they_are() -> None:
    plane = noisy()
    for scales in ("same", "auto"):
        pair = comparable(plane, CLEAN, scales)
        assert pair.clean is CLEAN
        assert pair.counted is None
        assert pair.score(plane) == score(plane, CLEAN, plane)
    span = float(plane.max()) - float(plane.min())
    assert pair.noise_std * span == pytest.approx(30, rel=0.1)


def test_a_clean_plane_of_another_scale_is_put_on_that_of_the_noisy_one() -> None:
    plane = noisy(0.25, 100)
    pair = comparable(plane, CLEAN, "auto")
    assert pair.slope == pytest.approx(0.25, rel=0.02)
    assert pair.offset == pytest.approx(100, abs=40)
    moved = np.asarray(pair.clean, np.float64)
    np.testing.assert_allclose(moved, CLEAN * 0.25 + 100, atol=10)
    assert pair.score(plane).psnr > score(plane, CLEAN, plane).psnr + 10
    flattened = np.full(plane.shape, float(plane.mean()))
    assert pair.score(flattened).psnr < pair.score(moved + 1).psnr, "lost contrast is not forgiven"


def test_saturated_pixels_are_no_part_of_fit_and_scores() -> None:
    limit = int(np.percentile(CLEAN, 90))
    plane = np.minimum(noisy(), limit)
    pair = comparable(plane, CLEAN * 4, "fitted")
    assert pair.counted is not None
    assert pair.counted.mean() == pytest.approx(0.9, abs=0.02)
    assert pair.slope == pytest.approx(0.25, rel=0.02), "the cut would flatten it"
    right = np.where(pair.counted, np.asarray(pair.clean, np.float64) + 10.0, 0)
    span = float(plane.max()) - float(plane.min())
    assert pair.score(right).psnr == pytest.approx(20 * np.log10(span / 10), abs=1e-9)


def test_what_cannot_be_compared_is_refused() -> None:
    plane = noisy()
    holes = CLEAN.copy()
    holes[0, 0] = np.nan
    wrong = [
        (plane[:-1], CLEAN, "two planes"),
        (plane, holes, "clean: 1 pixels are NaN"),
        (np.full_like(plane, 7), CLEAN, "noisy: all pixels are 7"),
        (plane, 10_000 - CLEAN, "darker the other"),
        (np.eye(64, dtype=np.uint16), CLEAN, "saturated"),
    ]
    for one, other, message in wrong:
        with pytest.raises(OptionError, match=message):
            comparable(one, other, "fitted")
