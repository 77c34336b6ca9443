"""Places with and without structure are told apart by the structure, never by the noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from autodip_zarr.dip.planes.mixture import Noisy, mix
from autodip_zarr.dip.planes.noise_sample import sample_noise
from autodip_zarr.dip.planes.parts import parts

SIDE = 256
NOISE = 0.05


def half_empty() -> NDArray[np.float64]:
    """Spots on the left, within [0, 1]; next to nothing on the right."""
    points = np.random.default_rng(0).random((SIDE, SIDE)) ** 30
    found = gaussian_filter(points, 2.0)
    found[:, SIDE // 2 :] = 0
    return np.asarray(found / found.max())


def noise(seed: int, blur_px: float = 0.0) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).standard_normal((SIDE, SIDE))
    drawn = gaussian_filter(drawn, blur_px, mode="wrap") if blur_px else drawn
    return np.asarray(NOISE * drawn / drawn.std())


@pytest.mark.parametrize("blur_px", [0.0, 0.8])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_alone_is_one_part(seed: int, blur_px: float) -> None:
    (weight,) = parts(noise(seed, blur_px), noise(seed + 10, blur_px))
    np.testing.assert_array_equal(weight, 1)


def test_a_slow_change_is_no_structure_of_its_own() -> None:
    ramp = np.linspace(0, 1, SIDE)[None] * np.ones((SIDE, 1))
    assert len(parts(ramp + noise(1), noise(2))) == 1


def test_parts_add_up_and_lie_where_the_structure_is() -> None:
    found = parts(half_empty() + noise(1), noise(2))
    assert len(found) >= 2
    np.testing.assert_allclose(np.sum(found, axis=0), 1, rtol=1e-5)
    empty = found[0]
    assert empty[:, SIDE // 2 + 20 :].mean() > 0.95
    assert empty[:, : SIDE // 2 - 20].mean() < 0.5


def test_a_part_of_a_few_pixels_belongs_to_its_neighbour() -> None:
    image = noise(1)
    image[100:104, 100:104] += 5
    assert len(parts(image, noise(2))) == 1


def test_shares_found_in_parts_leave_less_error() -> None:
    image = (half_empty() + noise(1)).astype(np.float32)
    sample = sample_noise(image, None, 5)
    assert sample is not None
    noisy = Noisy(image, None, sample)
    errors = [
        float(np.mean((mix(noisy, (), 0.3, in_parts=apart).image - half_empty()) ** 2))
        for apart in (False, True)
    ]
    assert errors[1] < 0.92 * errors[0]
    shares = mix(noisy, (), 0.3, in_parts=True).shares
    assert sum(shares.values()) == pytest.approx(1, abs=0.02)
