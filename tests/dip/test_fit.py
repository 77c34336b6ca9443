"""The fit learns the image before the noise, notices a collapse, and can be the published protocol."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from autodip_zarr.dip.architecture import Architecture
from autodip_zarr.dip.fitting import perturbation
from autodip_zarr.dip.fitting.fit import Tile, fit_tile, prepare
from autodip_zarr.dip.fitting.optics import REACH_PX, blur_kernel, seen_through
from autodip_zarr.dip.network import fast, norm
from autodip_zarr.dip.network.plain import forward, initial_parameters
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.dip.settled import as_transferred
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import FitError

SMALL = DipConfig(3, 16, 4, 120)


def pair() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    y, x = np.mgrid[:48, :48] / 48
    clean = 0.5 + 0.25 * np.sin(9 * y) * np.cos(7 * x)
    noisy = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape)
    return noisy.clip(0, 1).astype(np.float32), clean.astype(np.float32)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_fit_removes_noise(precision: str) -> None:
    noisy, clean = pair()
    found = fit_tile(
        Tile(noisy), as_transferred(SMALL, preset_recipe("standard", precision=precision)), 1, "cpu"
    )
    assert np.mean((found.image - clean) ** 2) < 0.3 * np.mean((noisy - clean) ** 2)


def test_reference_is_the_published_loop() -> None:
    noisy, _ = pair()
    config = replace(SMALL, iterations=12)
    found = fit_tile(
        Tile(noisy), as_transferred(config, preset_recipe("reference", precision="float32")), 5, "cpu"
    )
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(5)
    parameters = [p.requires_grad_() for p in initial_parameters(Architecture.of(config), generator)]
    z = torch.rand(1, 32, 48, 48, generator=generator) * 0.1
    adam = torch.optim.Adam(parameters, lr=0.01)
    target = torch.from_numpy(noisy)[None, None]
    for _ in range(config.iterations):
        adam.zero_grad()
        output = forward(z, parameters, Architecture.of(config))
        loss = torch.nn.functional.mse_loss(output, target)
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
    np.testing.assert_allclose(found.image, output[0, 0].detach(), atol=2e-3)
    assert found.loss == pytest.approx(loss.item(), rel=1e-3)


def test_a_collapse_restores_the_weights_of_the_last_check() -> None:
    recipe = preset_recipe("standard", precision="float32")
    state = prepare(as_transferred(SMALL, recipe), (48, 48), 1, "cpu")
    state.average_in(torch.zeros(48, 48))
    state.check(0.01)
    before = [p.detach().clone() for p in state.parameters]
    with torch.no_grad():
        for parameter in state.parameters:
            parameter.add_(1)
    state.average_in(torch.ones(48, 48))
    assert not state.collapsed(0.031)  # 4.9 dB worse
    state.check(0.032)  # 5.05 dB worse
    assert state.collapses == 1
    assert all(torch.equal(p, q) for p, q in zip(state.parameters, before, strict=True))
    assert state.average is not None
    assert float(state.average.max()) == 0


def test_a_loss_that_is_no_number_ends_the_fit() -> None:
    state = prepare(as_transferred(SMALL, preset_recipe("standard", precision="float32")), (48, 48), 1, "cpu")
    with pytest.raises(FitError, match="diverged"):
        state.check(float("nan"))


def test_a_forced_collapse_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy, clean = pair()
    recipe = preset_recipe("standard", precision="float32")
    step = torch.optim.Adam.step
    steps = 0

    def spoilt_once(adam: torch.optim.Adam) -> None:
        nonlocal steps
        steps += 1
        step(adam)
        if steps == 101:
            with torch.no_grad():
                for group in adam.param_groups:
                    group["params"][-1].fill_(40.0)  # the bias of the output: a white image from here on
            group["lr"] = 0.0

    monkeypatch.setattr(torch.optim.Adam, "step", spoilt_once)
    found = fit_tile(Tile(noisy), as_transferred(SMALL, recipe), 1, "cpu")
    assert found.collapses == 1
    assert np.mean((found.image - clean) ** 2) < np.mean((noisy - clean) ** 2)


def test_masked_pixels_do_not_count() -> None:
    noisy, _ = pair()
    usable = np.ones(noisy.shape, bool)
    usable[10:14, 20:24] = False
    spoilt = np.where(usable, noisy, 1).astype(np.float32)
    recipe = preset_recipe("standard", precision="float32")
    config = replace(SMALL, iterations=10)
    one, other = (
        fit_tile(Tile(image, usable), as_transferred(config, recipe), 1, "cpu").image
        for image in (noisy, spoilt)
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("preset", ["reference", "standard"])
def test_a_fit_goes_on_from_given_weights(preset: str) -> None:
    noisy, _ = pair()
    recipe = preset_recipe(preset, precision="float32")
    begun = fit_tile(Tile(noisy), as_transferred(replace(SMALL, iterations=40), recipe), 1, "cpu")
    kept = [weight.clone() for weight in begun.weights]
    again = fit_tile(
        Tile(noisy, weights=begun.weights), as_transferred(replace(SMALL, iterations=1), recipe), 1, "cpu"
    )
    assert again.loss < begun.loss * 1.2
    assert (
        again.loss
        < 0.5 * fit_tile(Tile(noisy), as_transferred(replace(SMALL, iterations=1), recipe), 1, "cpu").loss
    )
    assert all(torch.equal(one, other) for one, other in zip(begun.weights, kept, strict=True))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", [replace(SMALL, iterations=4), DipConfig(2, 8, 0, 4)])
def test_what_only_a_card_does_gives_the_same_on_a_cpu(
    config: DipConfig, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy, _ = pair()
    recipe = preset_recipe("standard", precision=precision)
    expected = fit_tile(Tile(noisy), as_transferred(config, recipe), 1, "cpu")
    for module in (fast, norm, perturbation):
        monkeypatch.setattr(module, "on_card", lambda _: True)
    found = fit_tile(Tile(noisy), as_transferred(config, recipe), 1, "cpu")
    apart = float(np.abs(found.image - expected.image).mean())  # Adam makes much of small differences
    assert 0 < apart < (0.01 if precision == "bfloat16" else 1e-3)


@pytest.mark.parametrize("width", [0.0, 0.6, 1.2, 1.68])
def test_a_network_is_seen_through_a_gaussian(width: float) -> None:
    image = np.random.default_rng(0).random((20, 30)).astype(np.float32)
    found = seen_through(blur_kernel(width), torch.from_numpy(image)[None, None])[0, 0].numpy()
    blurred = gaussian_filter(image, width, mode="mirror", radius=REACH_PX) if width else image
    np.testing.assert_allclose(found, blurred, atol=1e-5)


def test_looks_are_kept_along_the_fit_and_the_last_is_the_result() -> None:
    noisy, _ = pair()
    settled = as_transferred(replace(SMALL, iterations=40), preset_recipe("standard", precision="float32"))
    found = fit_tile(Tile(noisy), replace(settled, looks=4), 1, "cpu")
    assert [steps for steps, _ in found.looks] == [10, 20, 30, 40]
    np.testing.assert_array_equal(found.looks[-1][1], found.image)
    assert np.abs(found.looks[0][1] - found.image).max() > 0.01
    assert not fit_tile(Tile(noisy), replace(settled, looks=0), 1, "cpu").looks


def test_the_blur_of_a_tile_is_in_its_result() -> None:
    noisy, _ = pair()
    settled = as_transferred(SMALL, preset_recipe("standard", precision="float32"))
    sharp, soft = (fit_tile(Tile(noisy, blur_px=width), settled, 1, "cpu").image for width in (0.0, 1.5))

    def roughness(image: NDArray[np.float32]) -> float:
        return float(np.abs(np.diff(image, 2, axis=1)).mean())

    assert roughness(soft) < 0.7 * roughness(sharp)
