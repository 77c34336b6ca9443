"""Smaller levels are means of the level above, whatever the shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autodip_zarr.stores.result import pyramid
from autodip_zarr.stores.result.pyramid import bins, downscaled


def naive(data: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return means over the bins of every axis, one pixel at a time."""
    edges = [bins(large, small) for large, small in zip(data.shape, shape, strict=True)]
    result = np.empty(shape)
    for index in np.ndindex(*shape):
        cut = tuple(slice(edge[i], edge[i + 1]) for edge, i in zip(edges, index, strict=True))
        result[index] = data[cut].mean(dtype=np.float64)
    return result


def fill(coarse: Any, fine: Any, names: list[str]) -> None:
    """Write one level from the level above."""
    for region, means in downscaled(fine, coarse, names):
        coarse[region] = means


@given(st.integers(1, 5000), st.data())
def test_bins_are_even_and_cover_all(fine: int, data: st.DataObject) -> None:
    coarse = data.draw(st.integers(1, fine))
    edges = bins(fine, coarse)
    widths = np.diff(edges)
    assert (edges[0], edges[-1], len(widths)) == (0, fine, coarse)
    assert widths.min() >= 1
    assert widths.max() - widths.min() <= 1


@st.composite
def shapes(draw: st.DrawFn) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    axes = draw(st.sampled_from(["zyx", "yx", "czyx", "cxy", "tyx"]))
    fine = tuple(draw(st.integers(1, 24 if name in "yx" else 4)) for name in axes)
    scaled = {"y", "x", "z"}
    coarse = tuple(
        draw(st.integers(1, n)) if name in scaled else n for n, name in zip(fine, axes, strict=True)
    )
    return axes, fine, coarse


@settings(max_examples=40)
@given(shapes(), st.sampled_from(["uint8", "float32", "int16"]), st.integers(1, 40))
def test_each_pixel_is_a_mean(
    case: tuple[str, tuple[int, ...], tuple[int, ...]], dtype: str, strip_px: int
) -> None:
    axes, fine, coarse = case
    data = (
        np.random.default_rng(0).uniform(-100, 200, fine).clip(0 if dtype == "uint8" else -100).astype(dtype)
    )
    above = zarr.create_array({}, shape=fine, dtype=dtype, chunks=tuple(min(n, 7) for n in fine))
    below = zarr.create_array({}, shape=coarse, dtype=dtype, chunks=tuple(min(n, 5) for n in coarse))
    above[...] = data
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyramid, "_STRIP_PX", strip_px)
        fill(below, above, list(axes))
    expected = naive(data, coarse)
    found: Any = below[...]
    if dtype == "float32":
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    else:
        assert np.abs(found - expected).max() <= 0.5 + 1e-9


def test_halving_is_the_usual_two_by_two_mean(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 1000, (2, 64, 80)).astype(np.uint16)
    above = zarr.create_array(
        tmp_path / "a", shape=data.shape, dtype="uint16", chunks=(1, 32, 32), shards=(2, 64, 96)
    )
    below = zarr.create_array(
        tmp_path / "b", shape=(2, 32, 40), dtype="uint16", chunks=(1, 16, 16), shards=(1, 32, 48)
    )
    above[...] = data
    fill(below, above, list("zyx"))
    expected = np.rint(data.reshape(2, 32, 2, 40, 2).mean((2, 4)))
    np.testing.assert_array_equal(below[...], expected)
