"""Planes are fitted on from their neighbours where these are alike, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from autodip_zarr.dip.estimate import estimate
from autodip_zarr.dip.planes.denoise import denoise_plane, denoise_planes
from autodip_zarr.dip.planes.job import DenoisedPlane, FitJob
from autodip_zarr.dip.planes.sequence import correlation, fit_run, runs
from autodip_zarr.dip.presets import preset_recipe, warm_start
from autodip_zarr.dip.settled import warm_steps
from autodip_zarr.domain import DipConfig, WarmStart
from autodip_zarr.errors import FitError

TINY = DipConfig(2, 4, 4, 12)
WARM = replace(warm_start("z"), share=0.25, least_iterations=2)


def scene(seed: int, side: int = 64) -> NDArray[np.float64]:
    """Return blobs of some pixels, from 0 to 1."""
    blobs = gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 3)
    scaled: NDArray[np.float64] = (blobs - blobs.min()) / np.ptp(blobs)
    return scaled


def noisy(clean: NDArray[np.float64], sigma: float, seed: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(0, sigma, clean.shape)
    return (clean + noise).astype(np.float32)


def stack(*scenes: int, side: int = 32) -> list[NDArray[np.generic]]:
    """Return noisy planes of the scenes, in detector counts."""
    return [noisy(scene(which, side) * 100, 3, index) for index, which in enumerate(scenes)]


def job(warm: WarmStart | None = WARM, **changes: object) -> FitJob:
    recipe = preset_recipe("standard", precision="float32")
    recipe = replace(recipe, size_exponent=0.0, least_iterations=0, sequence=warm)
    return FitJob(TINY, replace(recipe, **changes), "cpu")  # type: ignore[arg-type]


def places(count: int) -> list[tuple[int, int, int, int]]:
    return [(0, 0, 0, z) for z in range(count)]


def denoised(planes: list[NDArray[np.generic]], one: FitJob) -> list[DenoisedPlane]:
    found = []
    for result in denoise_planes(planes, one, places(len(planes))):
        assert isinstance(result, DenoisedPlane)
        found.append(result)
    return found


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3])
def test_the_correlation_is_that_of_the_images_whatever_their_noise(sigma: float) -> None:
    one, other = scene(1, 128), scene(2, 128)
    for share in (0.0, 0.5, 1.0):
        mixed = share * one + (1 - share) * other
        expected = np.corrcoef(one.ravel(), mixed.ravel())[0, 1]
        assert correlation(noisy(one, sigma, 3), noisy(mixed, sigma, 4)) == pytest.approx(expected, abs=0.12)


def test_nothing_is_known_of_planes_of_noise_or_one_value() -> None:
    flat, noise = np.ones((64, 64), np.float32), noisy(np.zeros((64, 64)), 1, 0)
    assert correlation(flat, flat) == 0
    assert correlation(noise, noisy(np.zeros((64, 64)), 1, 1)) == 0
    assert correlation(noise, noise[:32]) == 0


def test_no_plane_is_more_than_alike() -> None:
    plane = noisy(scene(1), 0.1, 3)
    assert correlation(plane, plane) == 1.0


def test_a_chain_is_cut_where_the_scene_changes() -> None:
    planes = [plane.astype(np.float32) for plane in stack(1, 1, 2, 2, 2, 3)]
    assert runs(planes, 0.7) == [range(2), range(2, 5), range(5, 6)]
    assert runs([], 0.7) == []


@pytest.mark.parametrize(("likeness", "chained"), [(0.55, False), (0.85, True)])
def test_how_alike_planes_must_be_to_be_fitted_on(likeness: float, chained: bool) -> None:
    one, other = (scene(seed, 128) - scene(seed, 128).mean() for seed in (1, 2))
    one, other = one / one.std(), other - one * (one * other).mean() / one.var()
    mixed = likeness * one + np.sqrt(1 - likeness**2) * other / other.std()
    planes = [noisy(one, 0.05, 3), noisy(mixed, 0.05, 4)]
    assert len(runs(planes, warm_start("z").least_correlation)) == (1 if chained else 2)


@given(st.integers(0, 3000), st.floats(0.01, 1), st.integers(1, 200))
def test_the_floor_of_iterations_is_kept_and_a_fresh_fit_never_exceeded(
    fresh: int, share: float, least: int
) -> None:
    found = warm_steps(fresh, replace(WARM, share=share, least_iterations=least))
    assert min(fresh, least) <= found <= fresh


def test_the_work_is_that_of_the_iterations() -> None:
    config, fresh = DipConfig(4, 32, 4, 100), preset_recipe("reference", precision="float32")
    alone = estimate(config, fresh, (512, 512), "cpu")
    for both_ways, steps in ((False, 2 * 100 + 8 * 25), (True, 2 * 100 + 16 * 25)):
        chained = replace(fresh, sequence=replace(WARM, both_ways=both_ways))
        cost = estimate(config, chained, (512, 512), "cpu").chain_cost(10, 2)
        assert cost == pytest.approx(alone.cost * steps / 100)


def test_the_order_of_a_run() -> None:
    calls: list[tuple[int, int | None]] = []

    def fit(index: int, network: int | None) -> tuple[str, int]:
        calls.append((index, network))
        if index == 1:
            raise FitError("fit", "diverged")
        return f"{index} from {network}", index

    next(fit_run(range(4), fit, both_ways=False))
    assert calls == [(0, None)], "each is given as soon as it is there"
    calls.clear()
    one_way = list(fit_run(range(4), fit, both_ways=False))
    assert calls == [(0, None), (1, 0), (2, 0), (3, 2)]
    assert isinstance(one_way[1], FitError)
    both = list(fit_run(range(4), fit, both_ways=True))
    assert calls[4:] == [(0, None), (1, 0), (2, 0), (3, 2), (2, 3), (0, 2)]
    assert both[3] == ("3 from 2",)
    assert both[0] == ("0 from None", "0 from 2")


def test_each_plane_is_fitted_on_its_own_by_default() -> None:
    assert preset_recipe("standard", precision="float32").sequence is None
    planes, alone = stack(1, 1), job(None)
    for place, plane, found in zip(places(2), planes, denoised(planes, alone), strict=True):
        assert found.iterations == TINY.iterations
        np.testing.assert_array_equal(found.plane, denoise_plane(plane, alone, place).plane)


def test_warm_planes_take_fewer_iterations_and_a_scene_cut_begins_again() -> None:
    planes = stack(1, 1, 1, 2, 2)
    found = denoised(planes, job())
    assert [plane.iterations for plane in found] == [12, 3, 3, 12, 3]
    for index in (0, 3):  # what begins again is what it would be on its own
        np.testing.assert_array_equal(
            found[index].plane, denoise_plane(planes[index], job(), places(5)[index]).plane
        )
    again = denoised(planes, job())
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one.plane, other.plane)


def test_the_floor_holds_for_fitted_planes() -> None:
    assert [p.iterations for p in denoised(stack(1, 1), job(replace(WARM, least_iterations=7)))] == [12, 7]


def test_a_warm_fit_that_diverges_begins_again() -> None:
    planes = stack(1, 1, 1)
    found = denoised(planes, job(replace(WARM, learning_rate=float("inf"))))
    assert [(plane.iterations, plane.restarts) for plane in found] == [(12, 0), (12, 2), (12, 2)]
    np.testing.assert_array_equal(found[1].plane, denoise_plane(planes[1], job(), places(3)[1]).plane)


def test_tiles_and_starts_are_each_fitted_on() -> None:
    planes = stack(1, 1, side=48)
    found = denoised(planes, job(tile_px=32, halo_px=8, starts=2))
    assert [plane.iterations for plane in found] == [12, 3]
    assert found[1].spread is not None
    assert np.isfinite(found[1].plane).all()


def test_both_ways_the_passes_are_averaged() -> None:
    planes = stack(1, 1, 1)
    forward, both = (denoised(planes, job(replace(WARM, both_ways=way))) for way in (False, True))
    assert [plane.iterations for plane in both] == [15, 6, 3]
    np.testing.assert_array_equal(both[2].plane, forward[2].plane)
    assert not np.array_equal(both[0].plane, forward[0].plane)
    assert both[0].plane.dtype == forward[0].plane.dtype


def test_planes_without_anything_to_fit_break_the_chain() -> None:
    first, last = stack(1, 1)
    found = denoised([first, np.full_like(first, 7), last], job())
    assert [plane.iterations for plane in found] == [12, 0, 12]


def test_odd_planes_keep_their_treatment() -> None:
    planes = stack(1, 1)
    planes[1] = planes[1].copy()
    planes[1][3, 4] = np.nan
    found = denoised(planes, job(replace(WARM, both_ways=True)))
    assert found[1].missing_pixels == 1
    assert np.isnan(found[1].plane[3, 4])
    assert np.isfinite(np.delete(found[1].plane.ravel(), 3 * 32 + 4)).all()
