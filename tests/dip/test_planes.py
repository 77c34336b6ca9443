"""Planes of every kind have a defined result: types, sizes, hot and missing pixels, fits that diverge."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import DTypeLike, NDArray

from autodip_zarr.dip.fitting.fit import Fit
from autodip_zarr.dip.fitting.tile_pool import TileJob, fit_tiles
from autodip_zarr.dip.planes import begun
from autodip_zarr.dip.planes.denoise import denoise_plane, denoise_planes
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.planes.scaling import scale
from autodip_zarr.dip.presets import PRESETS, preset_recipe, warm_start
from autodip_zarr.dip.settled import SettledFit
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import FitError

TINY = DipConfig(2, 4, 4, 3)
PLACE = (0, 0, 0, 0)


def job(config: DipConfig = TINY, **changes: object) -> FitJob:
    recipe = preset_recipe("standard", precision="float32")
    recipe = replace(recipe, size_exponent=0.0, least_iterations=0)
    return FitJob(config, replace(recipe, **changes), "cpu")  # type: ignore[arg-type]


def noise(*shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(100, 10, shape)


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_constant_plane_is_returned_as_it_is(value: int) -> None:
    found = denoise_plane(np.full((9, 8), value, np.uint8), job(), PLACE)
    assert (found.iterations, found.loss) == (0, 0.0)
    np.testing.assert_array_equal(found.plane, value)


def test_a_plane_without_any_number_is_returned_as_it_is() -> None:
    found = denoise_plane(np.full((4, 5), np.nan, np.float32), job(), PLACE)
    assert found.missing_pixels == 20
    assert np.isnan(found.plane).all()


def test_a_plane_of_one_photon_is_fitted() -> None:
    plane = np.zeros((40, 40), np.uint16)
    plane[3, 4] = 1
    found = denoise_plane(plane, job(), PLACE)
    assert (found.iterations, found.hot_pixels) == (TINY.iterations, 0)
    assert found.plane.min() >= 0
    assert found.plane.max() <= 1


def test_a_saturated_plane_stays_in_its_range() -> None:
    plane = np.full((32, 32), 255, np.uint8)
    plane[:3] = 250
    found = denoise_plane(plane, job(), PLACE)
    assert found.plane.min() >= 250
    assert found.plane.max() <= 255


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (17, 31), (5, 64)])
@pytest.mark.parametrize("skip", [0, 4])
def test_any_size(shape: tuple[int, int], skip: int) -> None:
    found = denoise_plane(noise(*shape), job(DipConfig(3, 4, skip, 2)), PLACE)
    assert found.plane.shape == shape
    assert np.isfinite(found.plane).all()


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", ">u2", "i2", "f2", "f4", "u4", "i4", "i8", "u8", ">f8"])
def test_any_type(dtype: DTypeLike) -> None:
    kind = np.dtype(dtype)
    plane = (noise(16, 16) > 100 if kind.kind == "b" else noise(16, 16)).astype(kind)
    found = denoise_plane(plane, job(), PLACE)
    exceeds_float32 = kind.itemsize > 4 or (kind.kind in "ui" and kind.itemsize == 4)
    assert found.plane.dtype == (np.float64 if exceeds_float32 else np.float32)
    assert plane.min() <= found.plane.min() <= found.plane.max() <= plane.max()


@pytest.mark.parametrize("dtype", ["u4", "f8"])
def test_a_large_offset_costs_no_precision(dtype: str) -> None:
    plane = np.round(noise(24, 24)).astype(dtype)
    low = denoise_plane(plane, job(), PLACE).plane
    high = denoise_plane(plane + np.array(4_000_000_000, dtype), job(), PLACE).plane
    np.testing.assert_allclose(high - 4_000_000_000, low, atol=1e-4)


def test_missing_pixels_stay_and_do_not_spread() -> None:
    plane = noise(24, 24).astype(np.float32)
    plane[3, 5], plane[10, 10], plane[20, :] = np.nan, np.inf, -np.inf
    found = denoise_plane(plane, job(), PLACE)
    missing = ~np.isfinite(plane)
    assert found.missing_pixels == missing.sum()
    np.testing.assert_array_equal(found.plane[missing], plane[missing])
    assert np.isfinite(found.plane[~missing]).all()


def test_hot_pixels_do_not_change_the_rest() -> None:
    plane = noise(64, 64).astype(np.float32)
    plane[10, 10] = plane[9:12, 9:12].min()  # cannot be an extreme of the plane
    clean = denoise_plane(plane, job(), PLACE)
    plane[10, 10] = 10_000
    hot = denoise_plane(plane, job(), PLACE)
    assert (clean.hot_pixels, hot.hot_pixels) == (0, 1)
    assert hot.plane.max() < 200
    assert np.abs(hot.plane - clean.plane).max() < 10  # the noise has a standard deviation of 10
    reference = denoise_plane(
        plane, FitJob(TINY, preset_recipe("reference", precision="float32"), "cpu"), PLACE
    )
    assert reference.hot_pixels == 0


def test_a_missing_and_a_hot_pixel_are_both_left_out() -> None:
    plane = noise(64, 64).astype(np.float32)
    plane[10, 10], plane[40, 41] = np.nan, 10_000
    scaled = scale(plane, "robust")
    assert (scaled.missing_pixels, scaled.hot_pixels) == (1, 1)
    assert scaled.usable is not None
    assert np.argwhere(~scaled.usable).tolist() == [[10, 10], [40, 41]]
    assert scaled.image.min() == 0
    assert scaled.image.max() == 1
    assert min(scaled.image[10, 10], scaled.image[40, 41]) > 0.2, "as their neighbours, not as the darkest"


@pytest.mark.parametrize("place", [(0, 0), (0, 31), (1, 1), (31, 0), (63, 1), (62, 62), (63, 63), (40, 41)])
def test_a_hot_pixel_becomes_the_median_of_its_neighbours(place: tuple[int, int]) -> None:
    plane = noise(64, 64).astype(np.float32)
    plane[place] = np.nan
    y, x = place
    around = plane[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
    median = np.nanmedian(around)
    plane[place] = 10_000
    scaled = scale(plane, "robust")
    assert scaled.image[place] * (scaled.high - scaled.low) + scaled.low == pytest.approx(median, rel=1e-6)


@pytest.mark.parametrize(("ranges", "is_hot"), [(2.8, 0), (3.2, 1)])
def test_how_far_a_lone_pixel_may_stand_out(ranges: float, is_hot: int) -> None:
    plane = noise(64, 64).astype(np.float32)
    bottom, top = np.percentile(plane, (0.1, 99.9))
    plane[30, 30] = top + ranges * (top - bottom)
    assert denoise_plane(plane, job(), PLACE).hot_pixels == is_hot


def test_small_bright_structures_are_not_hot() -> None:
    plane = noise(64, 64)
    plane[20:23, 20:23] = 5000
    assert denoise_plane(plane, job(), PLACE).hot_pixels == 0


def test_of_bright_pixels_those_are_hot_whose_neighbours_are_dark() -> None:
    plane = noise(160, 160)
    plane[20:23, 20:23] = 5000
    scaled = scale(plane, "robust")
    assert scaled.usable is not None
    assert scaled.hot_pixels == 4
    assert scaled.usable[20:23, 20:23].tolist() == [[0, 1, 0], [1, 1, 1], [0, 1, 0]]


def test_hot_pixels_on_a_plane_of_one_value_else() -> None:
    plane = np.tile(np.array([5, 6], np.uint16), (64, 32))
    plane[7, 7] = 60_000
    assert denoise_plane(plane, job(), PLACE).hot_pixels == 1


@pytest.mark.parametrize(
    "preset", [*sorted(PRESETS.keys() - {"best"}), pytest.param("best", marks=pytest.mark.soak)]
)
def test_the_same_recipe_gives_the_same_bits(preset: str) -> None:
    recipe = replace(preset_recipe(preset, seed=3, precision="bfloat16"), tile_px=88, halo_px=8)
    one = FitJob(DipConfig(2, 8, 4, 3), recipe, "cpu")
    plane = noise(88, 92)
    alone = denoise_plane(plane, one, PLACE).plane
    denoise_plane(noise(89, 88), one, (0, 1, 0, 0))
    np.testing.assert_array_equal(denoise_plane(plane, one, PLACE).plane, alone)
    with ThreadPoolExecutor(2) as workers:  # as a worker of a cluster does it, and two at once
        both = workers.map(lambda place: denoise_plane(plane, one, place).plane, [PLACE, PLACE])
    for other in both:
        np.testing.assert_array_equal(other, alone)
    torch.set_num_threads(2)  # as the environment may say: threads belong to the recipe
    np.testing.assert_array_equal(denoise_plane(plane, one, PLACE).plane, alone)
    among_others = denoise_planes([noise(88, 92) + 1, plane], one, [(0, 5, 0, 0), PLACE])
    np.testing.assert_array_equal(list(among_others)[1].plane, alone)  # type: ignore[union-attr]
    assert not np.array_equal(denoise_plane(plane, one, (0, 0, 0, 1)).plane, alone)


def test_the_spread_over_the_starts() -> None:
    found = denoise_plane(noise(20, 20), job(starts=3), PLACE)
    assert found.spread is not None
    assert found.spread.shape == (20, 20)
    assert (found.spread > 0).all()
    assert denoise_plane(noise(20, 20), job(starts=1), PLACE).spread is None


def test_starts_are_averaged() -> None:
    one, two = (
        denoise_plane(noise(20, 20), job(starts=starts, scaling="minmax", stabilisation=0.0), PLACE)
        for starts in (1, 2)
    )
    assert two.spread is not None  # of two, each is as far from their mean as their standard deviation
    np.testing.assert_allclose(np.abs(two.plane - one.plane), two.spread, atol=1e-3)


def test_a_fit_that_diverges_twice_is_an_error() -> None:
    with pytest.raises(FitError, match="diverged"):
        denoise_plane(noise(20, 20), job(learning_rate=float("inf")), PLACE)


def test_a_fit_that_diverges_once_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def fails_first(jobs: Sequence[TileJob], settled: SettledFit, device: str) -> list[Fit | FitError]:
        seeds.extend(one.seed for one in jobs)
        rate = float("inf") if len(seeds) == 1 else 0.01
        return fit_tiles(jobs, replace(settled, learning_rate=rate), device)

    monkeypatch.setattr(begun, "fit_tiles", fails_first)
    found = denoise_plane(noise(20, 20), job(starts=1), PLACE)
    assert found.restarts == 1
    assert len(set(seeds)) == 2
    assert np.isfinite(found.plane).all()


def halves(value: float) -> NDArray[np.float32]:
    """Return a plane of which the left tile of two has one value alone."""
    plane = noise(128, 256).astype(np.float32)
    plane[:, :140] = value
    return plane


@pytest.mark.parametrize("preset", ["standard", "reference", "fast"])
@pytest.mark.parametrize("uncertainty", [1, 2])
def test_a_tile_without_any_number_stays_as_it_is(preset: str, uncertainty: int) -> None:
    recipe = preset_recipe(preset, precision="float32")
    starts = recipe.starts and uncertainty
    recipe = replace(recipe, tile_px=128, halo_px=0, size_exponent=0.0, least_iterations=0, starts=starts)
    plane = halves(np.nan)
    found = denoise_plane(plane, FitJob(TINY, recipe, "cpu"), PLACE)
    np.testing.assert_array_equal(np.isnan(found.plane), np.isnan(plane))
    assert found.iterations == (TINY.iterations if starts else 0)


def test_a_tile_without_any_number_has_its_place_in_a_chain() -> None:
    chain = job(tile_px=128, halo_px=16, sequence=replace(warm_start("z"), least_correlation=-2.0))
    stack = [halves(np.nan), noise(128, 256).astype(np.float32), halves(np.nan)]
    found = list(denoise_planes(stack, chain, [(0, 0, 0, z) for z in range(3)]))
    for plane, one in zip(stack, found, strict=True):
        assert not isinstance(one, FitError)
        np.testing.assert_array_equal(np.isnan(one.plane), np.isnan(plane))
        assert one.restarts == 0


@pytest.mark.parametrize("value", [0, 90])
def test_filters_alone_leave_a_tile_of_one_value_as_it_is(value: float) -> None:
    recipe = replace(preset_recipe("fast", precision="float32"), tile_px=128, halo_px=0)
    plane = halves(value)
    found = denoise_plane(plane, FitJob(TINY, recipe, "cpu"), PLACE)
    np.testing.assert_allclose(found.plane[:, :128], value, atol=1e-4)
    assert found.plane[:, 150:].std() < 0.5 * plane[:, 150:].std()


@pytest.mark.parametrize("preset", ["standard", "fast"])
def test_a_filled_up_border_does_not_spoil_a_plane(preset: str) -> None:
    recipe = replace(preset_recipe(preset, precision="float32"), size_exponent=0.0, least_iterations=0)
    plane = noise(256, 256).astype(np.float32)
    plane[:, :128] = 0
    found = denoise_plane(plane, FitJob(TINY, recipe, "cpu"), PLACE)
    assert np.isfinite(found.plane).all()
