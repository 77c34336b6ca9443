"""Every loss of a recipe is least at the noisy image, leaves masked pixels out, and fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity as skimage_similarity

from autodip_zarr.dip.architecture import Architecture
from autodip_zarr.dip.fitting.fit import Tile, fit_tile
from autodip_zarr.dip.fitting.losses import (
    LOSSES,
    loss,
    mean_squared_error,
    structural_similarity,
    total_variation,
)
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.dip.settled import as_transferred
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import OptionError

FIT = as_transferred(DipConfig(2, 4, 0, 1), preset_recipe("standard", precision="float32"))


def images() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    target = torch.rand(20, 24, generator=generator)
    return target, (target + 0.1 * torch.randn(20, 24, generator=generator)).clamp(0.001, 0.999)


@pytest.mark.parametrize("name", LOSSES)
def test_least_at_the_target(name: str) -> None:
    target, other = images()
    fit = replace(FIT, loss=name)
    assert loss(target, target, None, fit) < loss(other, target, None, fit)


@pytest.mark.parametrize("name", LOSSES)
def test_masked_pixels_have_no_pull(name: str) -> None:
    target, other = images()
    output = other.clone().requires_grad_()
    mask = torch.ones(20, 24, dtype=torch.bool)
    mask[5, 6] = False
    spoilt = torch.where(mask, target, 1.0)
    values = [loss(output, t, mask, replace(FIT, loss=name)) for t in (target, spoilt)]
    assert torch.equal(*values)


def test_the_error_is_the_mean_over_the_pixels_that_count() -> None:
    target, other = images()
    mask = target > 0.3
    expected = ((other - target)[mask] ** 2).mean()
    torch.testing.assert_close(mean_squared_error(other, target, mask), expected)
    torch.testing.assert_close(mean_squared_error(other, target, None), ((other - target) ** 2).mean())


@pytest.mark.parametrize("brightness", [1.0, 0.02])
def test_similarity_is_that_of_skimage(brightness: float) -> None:
    target, other = (brightness * image for image in images())
    expected = skimage_similarity(  # type: ignore[no-untyped-call]
        target.numpy(), other.numpy(), data_range=1.0, use_sample_covariance=False
    )
    assert float(structural_similarity(target, other)) == pytest.approx(float(expected), abs=1e-6)


def test_total_variation_of_a_ramp() -> None:
    assert float(total_variation(torch.arange(12.0).view(3, 4))) == 5.0
    target, _ = images()
    plain = loss(target, target, None, FIT)
    assert loss(target, target, None, replace(FIT, tv_weight=0.5)) - plain == total_variation(target) / 2


@pytest.mark.parametrize("name", LOSSES)
def test_a_fit_with_any_loss_comes_near(name: str) -> None:
    y, x = np.mgrid[:24, :24] / 24
    image = (0.5 + 0.3 * np.sin(6 * y) * np.cos(5 * x)).astype(np.float32)
    network = Architecture(2, 8, 4)
    fit = replace(FIT, architecture=network, steps=60, loss=name, perturbation=0.0, averaging=None)
    found = fit_tile(Tile(image), fit, 1, "cpu")
    assert np.abs(found.image - image).mean() < 0.5 * np.abs(image - image.mean()).mean()


def test_an_unknown_loss_is_named() -> None:
    target, other = images()
    with pytest.raises(OptionError, match=", ".join(LOSSES)):
        loss(other, target, None, replace(FIT, loss="l3"))
