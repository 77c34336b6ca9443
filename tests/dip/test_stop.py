"""A fit that learns the noise grows restless, and is stopped between half and twice its count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from autodip_zarr.dip.fitting.fit import Tile, fit_tile
from autodip_zarr.dip.fitting.stop import LOOK_EVERY, Restlessness, StopWatch
from autodip_zarr.dip.planes.denoise import denoise_plane
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.dip.settled import as_transferred, settle
from autodip_zarr.domain import DipConfig

AUTO = replace(preset_recipe("standard", precision="float32"), stop="auto", perturbation=0.0)
CONFIG = DipConfig(3, 16, 4, 300)


def scene(side: int = 48) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    smooth: np.ndarray = (0.5 + 0.3 * np.sin(9 * x) * np.cos(7 * y)).astype(np.float32)
    return smooth


def test_restlessness_is_the_moving_variance_of_the_outputs() -> None:
    steady, shaken = Restlessness(), Restlessness()
    generator = torch.Generator().manual_seed(0)
    for _ in range(400):
        steady.take(torch.ones(8, 8))
        shaken.take(0.1 * torch.randn(64, 64, generator=generator))
    assert steady.variance is not None
    assert steady.variance.item() == 0
    assert shaken.variance is not None
    assert shaken.variance.item() == pytest.approx(0.01, rel=0.15)


def test_half_of_the_count_is_made_in_any_case() -> None:
    watch = StopWatch(400)
    for iteration, variance in ((50, 1.0), (100, 0.1), (150, 5.0)):
        watch.observe(iteration, variance)
        assert np.isnan(watch.overshoot)
        assert not watch.is_over
    watch.observe(200, 1.0)
    assert watch.overshoot == 1.0, "half of the count is the first that can be the calmest"
    for iteration in range(225, 400, 25):
        watch.observe(iteration, 1.0)
    assert not watch.is_over
    watch.observe(400, 3.0)
    assert watch.is_over


def test_outputs_that_do_not_move_are_calm() -> None:
    watch = StopWatch(100)
    watch.observe(75, 0.0)
    watch.observe(100, 0.0)
    assert watch.overshoot == 1.0
    assert not watch.is_over


def test_an_image_that_is_still_being_learnt_takes_twice_its_count() -> None:
    config = replace(CONFIG, iterations=60)
    shape = scene().shape
    most = settle(config, AUTO, (shape[0], shape[1])).most_steps
    found = denoise_plane(scene() * 1000, FitJob(config, AUTO, "cpu"), (0, 0, 0, 0))
    assert found.iterations == most


def test_noise_is_not_fitted_to_the_end() -> None:
    noise = np.random.default_rng(0).random((40, 40)).astype(np.float32)
    config = replace(CONFIG, iterations=2 * CONFIG.iterations)
    fit = fit_tile(Tile(noise), as_transferred(CONFIG, AUTO), 1, "cpu")
    assert CONFIG.iterations / 2 <= fit.iterations < config.iterations
    assert fit.iterations % LOOK_EVERY == 0
    whole = fit_tile(Tile(noise), as_transferred(config, replace(AUTO, stop="transferred")), 1, "cpu")
    assert whole.iterations == config.iterations
    assert whole.loss < fit.loss


def test_watching_changes_no_bit() -> None:
    recipe = replace(AUTO, stop="transferred")
    config = replace(CONFIG, iterations=50)
    short = fit_tile(Tile(scene()), as_transferred(config, recipe), 1, "cpu")
    again = fit_tile(Tile(scene()), as_transferred(config, recipe), 1, "cpu")
    np.testing.assert_array_equal(short.image, again.image)
    assert short.overshoot == again.overshoot
