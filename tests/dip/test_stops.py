"""One fit serves many stops: each is what a fit of its own would have given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from autodip_zarr.dip.planes.denoise import denoise_plane
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.planes.stops import AVERAGED, LAST, OUTPUTS, PRESET, denoise_at_stops
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import FitError, OptionError

PLACE = (0, 0, 0, 0)
COUNTS = (12, 3, 25)
NETWORK = DipConfig(depth=2, width=4, skip=4, iterations=1)


def noisy(shape: tuple[int, int] = (96, 112)) -> np.ndarray:
    random = np.random.default_rng(3)
    counts: np.ndarray = random.poisson(20 + 400 * gaussian_filter(random.random(shape), 4))
    return counts.astype(np.uint16)


def job(preset: str, device: str = "cpu", **changes: object) -> FitJob:
    recipe = replace(preset_recipe(preset, precision="float32"), least_iterations=0, **changes)  # type: ignore[arg-type]
    return FitJob(NETWORK, recipe, device)


@pytest.mark.parametrize("preset", ["reference", "prior", "standard"])
def test_each_stop_is_to_the_bit_what_a_fit_of_its_own_gives(preset: str) -> None:
    asked = job(preset)
    (stopped,) = denoise_at_stops([noisy()], asked, COUNTS, [PLACE])
    assert not isinstance(stopped, FitError)
    assert [one.count for one in stopped] == list(COUNTS)
    for one in stopped:
        alone = denoise_plane(noisy(), replace(asked, config=replace(NETWORK, iterations=one.count)), PLACE)
        assert one.steps == alone.iterations
        assert set(one.outputs) == set(OUTPUTS)
        np.testing.assert_array_equal(one.outputs[PRESET], alone.plane)
        assert (one.outputs[LAST] != one.outputs[AVERAGED]).any()
    same = LAST if preset == "reference" else AVERAGED
    if preset != "prior":  # whose mixture is one of averages, here the last
        is_mixed = preset == "standard"
        assert (stopped[2].outputs[same] != stopped[2].outputs[PRESET]).any() == is_mixed


def test_planes_of_several_tiles_are_blended_at_each_stop() -> None:
    asked = job("prior", tile_px=64, halo_px=16)
    (stopped,) = denoise_at_stops([noisy()], asked, (5,), [PLACE])
    assert not isinstance(stopped, FitError)
    alone = denoise_plane(noisy(), replace(asked, config=replace(NETWORK, iterations=5)), PLACE)
    np.testing.assert_array_equal(stopped[0].outputs[PRESET], alone.plane)


def test_counts_that_are_fitted_in_different_ways_get_fits_of_their_own() -> None:
    asked = job("prior", perturb_from=10)
    (stopped,) = denoise_at_stops([noisy()], asked, (5, 12), [PLACE])
    assert not isinstance(stopped, FitError)
    for one in stopped:
        alone = denoise_plane(noisy(), replace(asked, config=replace(NETWORK, iterations=one.count)), PLACE)
        np.testing.assert_array_equal(one.outputs[PRESET], alone.plane)


def test_seconds_are_shared_out_by_steps_and_an_empty_plane_costs_itself_alone() -> None:
    flat = np.full((96, 112), 7, np.uint16)
    found = list(denoise_at_stops([flat, noisy()], job("reference"), (10, 20), [PLACE, PLACE]))
    assert isinstance(found[0], FitError)
    assert not isinstance(found[1], FitError)
    assert found[1][1].seconds == pytest.approx(2 * found[1][0].seconds)


def test_what_fits_nothing_or_ends_by_itself_has_no_stops() -> None:
    for asked in (job("fast"), job("standard", stop="auto")):
        with pytest.raises(OptionError, match="transferred stops"):
            list(denoise_at_stops([noisy()], asked, (5,), [PLACE]))
