"""The error of an estimate is told without the clean image, and the best mean of estimates is taken by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from autodip_zarr.dip.planes.filters import BLURS_PX, blurred, filters
from autodip_zarr.dip.planes.mixture import Noisy, best_blur_px, mix, probes
from autodip_zarr.dip.planes.noise_sample import is_quiet, sample_noise

SIDE = 256
PROBE = 0.3


def scene() -> NDArray[np.float64]:
    """Spots as a microscope would see them, of many sizes, within [0, 1]."""
    points = np.random.default_rng(0).random((SIDE, SIDE)) ** 400
    found: NDArray[np.float64] = 3 * gaussian_filter(points, 1.5) + gaussian_filter(points, 6) * 20
    return found


def white(seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((SIDE, SIDE))


def correlated(seed: int = 1) -> NDArray[np.float64]:
    noise = gaussian_filter(white(seed), 0.8, mode="wrap")
    found: NDArray[np.float64] = noise / noise.std()
    return found


def taken(noise: NDArray[np.float64]) -> Noisy:
    image = (scene() + noise).astype(np.float32)
    sample = sample_noise(image, None, 5)
    assert sample is not None
    return Noisy(image, None, sample)


def error(estimate: NDArray[Any]) -> float:
    return float(np.mean((estimate - scene()) ** 2))


def test_white_noise_is_found_as_strong_as_it_is_at_each_intensity() -> None:
    strength = 0.03 + 0.1 * scene()
    noisy = taken(strength * white())
    assert noisy.sample.correlation == 0
    assert np.sqrt(noisy.sample.variance) == pytest.approx(np.sqrt(np.mean(strength**2)), rel=0.05)
    dark = scene() < np.quantile(scene(), 0.5)
    for where in (dark, ~dark):
        assert noisy.sample.noise[where].std() == pytest.approx(
            np.sqrt(np.mean(strength[where] ** 2)), rel=0.1
        )


def test_correlated_noise_is_found_with_its_strength_and_its_correlation() -> None:
    noise = 0.1 * correlated()
    noisy = taken(noise)
    true = float(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1])
    assert noisy.sample.correlation == pytest.approx(true, abs=0.06)
    assert np.sqrt(noisy.sample.variance) == pytest.approx(0.1, rel=0.15)
    drawn = noisy.sample.noise
    assert np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1] == pytest.approx(true, abs=0.08)


def test_noise_with_spikes_is_told_from_gaussian_noise() -> None:
    rng = np.random.default_rng(2)
    spikes = np.where(rng.random((SIDE, SIDE)) < 0.01, 4.0, 0.0) * 0.1
    assert not taken(0.1 * white()).sample.has_spikes
    assert not taken(0.1 * correlated()).sample.has_spikes
    spiked = taken(0.1 * white() + spikes)
    assert spiked.sample.has_spikes
    given = probes(spiked, PROBE, 2)
    shares = mix(spiked, [[one] for one in given], PROBE).shares
    assert all(name == "prior" or name.startswith("blur") for name in shares)


def test_structure_is_not_taken_for_correlated_noise() -> None:
    dense = 0.5 + 0.1 * gaussian_filter(white(7), 1.5) / gaussian_filter(white(7), 1.5).std()
    sample = sample_noise((dense + 0.05 * white()).astype(np.float32), None, 5)
    assert sample is not None
    assert sample.correlation == 0
    assert np.sqrt(sample.variance) == pytest.approx(0.05, rel=0.15)


def test_images_too_small_or_without_noise_tell_nothing() -> None:
    assert sample_noise(np.random.default_rng(0).random((40, 40)).astype(np.float32), None, 0) is None
    assert sample_noise(np.zeros((200, 200), np.float32), None, 0) is None


def test_narrow_images_and_unusable_pixels_are_taken_as_they_are() -> None:
    image = np.random.default_rng(0).normal(0.5, 0.1, (11, 900)).astype(np.float32)
    usable = np.ones(image.shape, bool)
    usable[:, 100:120] = False
    sample = sample_noise(image, usable, 0)
    assert sample is not None
    noisy = Noisy(image, usable, sample)
    given = probes(noisy, PROBE, 2)
    assert mix(noisy, [[one] for one in given], PROBE).image.shape == image.shape


@pytest.mark.parametrize("kind", [white, correlated])
def test_the_error_of_blurs_is_told_without_the_clean_image(
    kind: Callable[[], NDArray[np.float64]],
) -> None:
    noisy = taken(0.1 * kind())
    for width in BLURS_PX:
        follows = noisy.mean(blurred(noisy.sample.noise, width) * noisy.sample.noise)
        told = noisy.risk(blurred(noisy.image, width), follows)
        assert told == pytest.approx(error(blurred(noisy.image, width)), rel=0.2, abs=6e-4)
    errors = {width: error(blurred(noisy.image, width)) for width in BLURS_PX}
    assert errors[best_blur_px(noisy)] <= 1.1 * min(errors.values())


@pytest.mark.parametrize("kind", [white, correlated])
def test_a_mixture_is_better_than_the_best_filter_and_leaves_out_what_is_worse(
    kind: Callable[[], NDArray[np.float64]],
) -> None:
    noisy = taken(0.1 * kind())
    given = probes(noisy, PROBE, 2)
    mixed = mix(noisy, [[one] for one in given], PROBE)  # fits that have learnt all noise
    assert mixed.shares.get("prior", 0) < 0.1
    best = min(error(one(noisy.image)) for one in filters(float(np.sqrt(noisy.sample.variance))).values())
    assert error(mixed.image) < 1.05 * best


def test_correlated_noise_is_told_from_what_is_kept_at_each_frequency() -> None:
    noisy = taken(0.1 * correlated())
    one = filters(0.1, correlated=noisy.sample.noise)["cosines"]
    assert error(one(noisy.image)) < 0.15 * error(noisy.image)
    assert "cosines" not in filters(0.1)
    shares = mix(noisy, (), PROBE).shares
    assert shares["cosines"] > 0.2
    odd = noisy.image[:83, :101]
    assert one(odd).shape == odd.shape
    flat = np.full((64, 64), 3.0, np.float32)
    np.testing.assert_allclose(one(flat), flat, rtol=1e-5)


def test_the_slowest_parts_of_correlated_noise_are_as_strong_as_they_are() -> None:
    wide = gaussian_filter(white(1), 1.5, mode="wrap")
    wide *= 0.1 / wide.std()
    sample = sample_noise((0.5 + wide).astype(np.float32), None, 5)
    assert sample is not None
    slow = [gaussian_filter(one, 6, mode="wrap").std() for one in (sample.noise, wide)]
    assert slow[0] == pytest.approx(slow[1], rel=0.25)


def test_a_good_fit_is_taken_and_so_is_its_best_stop() -> None:
    noisy = taken(0.1 * white())
    clean = scene().astype(np.float32)
    poor = clean + np.float32(0.4) * gaussian_filter(white(9), 2).astype(np.float32)
    one, other = ([poor, clean + np.float32(0.03) * (each - clean), each] for each in probes(noisy, PROBE, 2))
    mixed = mix(noisy, [one, other], PROBE)
    assert mixed.look == 1, "0 is poor, 2 has learnt all noise"
    assert mixed.shares["prior"] > 0.8
    assert error(mixed.image) < 0.3 * error(blurred(noisy.image, best_blur_px(noisy)))


def test_without_filters_the_prior_alone_is_the_result() -> None:
    noisy = taken(0.1 * white())
    given = probes(noisy, PROBE, 2)
    mixed = mix(noisy, [[one] for one in given], PROBE, with_filters=False)
    assert mixed.shares == {"prior": 1.0}
    np.testing.assert_allclose(mixed.image, noisy.image, atol=1e-6)


@pytest.mark.parametrize("starts", [2, 3, 4])
def test_the_probes_of_the_starts_cancel(starts: int) -> None:
    noisy = taken(0.1 * white())
    given = probes(noisy, PROBE, starts)
    assert len(given) == starts
    np.testing.assert_allclose(np.mean(given, axis=0), noisy.image, atol=1e-6)
    assert np.std(given[0] - given[1]) == pytest.approx(2 * PROBE * 0.1, rel=0.1)


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_a_border_that_was_filled_up_tells_nothing_of_the_noise(value: float) -> None:
    image = (0.5 + 0.05 * correlated()).astype(np.float32)
    image[:, : SIDE // 2] = value
    sample = sample_noise(image, None, 5)
    assert sample is not None
    assert np.isfinite(sample.noise).all()
    assert sample.correlation == pytest.approx(np.exp(-1 / (4 * 0.8**2)), abs=0.1)
    white_one = sample_noise(
        np.where(image == value, image, 0.5 + 0.05 * white()).astype(np.float32), None, 5
    )
    assert white_one is not None
    assert (white_one.correlation, white_one.has_spikes) == (0, False)


def test_an_image_is_quiet_where_there_is_nothing_to_remove() -> None:
    noisy = white().astype(np.float32)
    none, one = np.zeros(noisy.shape, bool), np.zeros_like(noisy)
    one[3, 3] = 1
    assert not is_quiet(noisy, None)
    assert not is_quiet(noisy[:20, :20], None)
    assert is_quiet(noisy, none)
    assert is_quiet(one, None)
    assert is_quiet(np.ones((5, 3), np.float32), None)
