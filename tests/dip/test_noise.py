"""The noise of a plane is found from the plane, and made alike at all intensities; the mean stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from autodip_zarr.dip.planes.noise import NoiseModel, Stabiliser, noise_model, stabiliser
from autodip_zarr.dip.planes.scaling import scale_and_stabilise


def scene(side: int = 192) -> NDArray[np.float64]:
    """Blobs of many intensities on a dark ground, within [0, 1]."""
    y, x = np.mgrid[:side, :side] / side
    blobs: NDArray[np.float64] = 0.02 + 0.9 * np.abs(np.sin(7 * x) * np.sin(9 * y)) ** 3
    return blobs


def photons(mean: NDArray[np.float64], gain: float, read: float = 0.0) -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    counts = gain * rng.poisson(mean / gain) + read * rng.standard_normal(mean.shape)
    return counts.astype(np.float32)


ALL = np.ones((192, 192), bool)


@pytest.mark.parametrize("gain", [0.002, 0.01, 0.05])
def test_the_gain_of_photon_noise_is_found(gain: float) -> None:
    model = noise_model(photons(scene(), gain), None)
    assert model is not None
    assert model.gain == pytest.approx(gain, rel=0.15)
    assert abs(model.at_zero) < 0.02 * gain


def test_readout_noise_is_told_from_photon_noise() -> None:
    model = noise_model(photons(scene(), 0.01, read=0.03), ALL)
    assert model is not None
    assert model.gain == pytest.approx(0.01, rel=0.2)
    assert model.at_zero == pytest.approx(0.03**2, rel=0.2)


def test_noise_that_is_the_same_everywhere_is_left_as_it_is() -> None:
    plane = scene() + 0.05 * np.random.default_rng(0).standard_normal(ALL.shape)
    assert scale_and_stabilise(plane, "minmax", 1.0).stabiliser is None


def test_a_plane_too_small_to_tell_is_left_as_it_is() -> None:
    assert noise_model(photons(scene(48), 0.01), np.ones((48, 48), bool)) is None


def test_saturated_and_unusable_blocks_do_not_count() -> None:
    plane = photons(scene(), 0.01)
    plane[:64] = plane.max()
    usable = ALL.copy()
    usable[64:96] = False
    plane[64:96] = 1e6
    model = noise_model(np.minimum(plane, np.float32(1)), usable)
    assert model is not None
    assert model.gain == pytest.approx(0.01, rel=0.2)


def test_noise_is_alike_at_all_intensities_after_the_root() -> None:
    mean, gain = scene(), 0.01
    root = stabiliser(photons(mean, gain), NoiseModel(gain, 0.0), 1.0)
    assert root is not None
    residual = root.stabilise(photons(mean, gain).astype(np.float64)) - root.stabilise(mean)
    dark, bright = residual[mean < 0.1].std(), residual[mean > 0.5].std()
    assert 0.75 < dark / bright < 1.1


def test_the_mean_is_kept() -> None:
    mean, gain = np.full((256, 256), 0.05), 0.01
    noisy = photons(mean, gain).astype(np.float64)
    root = Stabiliser(offset=gain, low=0.1, high=0.7)
    roots = root.stabilise(noisy)
    restored = root.restore(np.full(mean.shape, roots.mean()), float(roots.var()))
    assert restored.mean() == pytest.approx(noisy.mean(), rel=1e-9)


@pytest.mark.parametrize("missing", [0, 9])
def test_what_a_fit_takes_away_does_not_darken_the_plane(missing: int) -> None:
    plane = photons(scene(), 0.01)
    plane[5, :missing] = np.nan
    scaled = scale_and_stabilise(plane, "minmax", 1.0)
    assert scaled.stabiliser is not None
    usable = np.isfinite(plane)
    flat = np.full(plane.shape, scaled.image[usable].mean(dtype=np.float64))
    assert scaled.unscale(flat, np.dtype(float)).mean() == pytest.approx(
        plane[usable].mean(dtype=float), rel=1e-6
    )


@given(st.floats(0, 2), st.floats(0.1, 2), st.lists(st.floats(0, 1), min_size=1))
def test_restoring_undoes_stabilising(offset: float, span: float, values: list[float]) -> None:
    root = Stabiliser(offset, float(np.sqrt(offset)), float(np.sqrt(offset)) + span)
    x = np.array(values)
    np.testing.assert_allclose(root.restore(root.stabilise(x), 0.0), x, atol=1e-9)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_planes_come_back_in_their_units(dtype: str) -> None:
    plane = (100 + 150 * photons(scene(), 0.01).clip(0, 1)).astype(dtype)
    scaled = scale_and_stabilise(plane, "robust", 1.0)
    assert scaled.stabiliser is not None
    assert scaled.image.min() == pytest.approx(0, abs=1e-6)
    assert scaled.image.max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(scaled.unscale(scaled.image, plane.dtype), plane, atol=0.02)
