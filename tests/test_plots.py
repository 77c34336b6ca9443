"""Plots show what they are given, and nothing breaks on what is missing."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

from autodip_zarr.report.plots import Axes, Series, heat_map, plot


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def coloured(png: bytes) -> np.ndarray:
    """Return where a picture is neither grey nor white."""
    values = pixels(png).astype(int)
    found: np.ndarray = values.max(axis=-1) - values.min(axis=-1) > 60
    return found


def test_points_lie_where_the_axes_say() -> None:
    axes = Axes("x", "y", log_x=True)
    grey = Series("", [(1.0, 0.0), (100.0, 10.0)], is_line=False)
    found = coloured(plot(axes, [grey, Series("one", [(10.0, 5.0)], is_line=False)]))
    found[:40] = False  # the legend
    y, x = (np.flatnonzero(found.any(axis=axis)) for axis in (1, 0))
    assert abs(x.mean() - (70 + 620) / 2) < 2, "the middle of a logarithmic axis"
    assert abs(y.mean() - (20 + 370) / 2) < 2


def test_what_is_not_finite_is_left_out() -> None:
    axes = Axes("x", "y")
    one = Series("one", [(1, 1), (math.nan, 2), (3, math.inf), (4, 2)])
    np.testing.assert_array_equal(
        pixels(plot(axes, [one])), pixels(plot(axes, [Series("one", [(1, 1), (4, 2)])]))
    )
    assert not coloured(plot(axes, [Series("", [])])).any()
    assert not coloured(plot(Axes("x", "y", log_x=True), [Series("", [(0.0, 1.0)])])).any()


def test_a_heat_map_is_darkest_at_its_greatest_value() -> None:
    picture = pixels(heat_map(["4", "5"], ["16", "asc"], [[0.0, 1.0], [2.0, math.nan]])).astype(int)
    corners = {
        (row, column): picture[34 * row + 3, 64 * column + 3].sum() for row in (1, 2) for column in (1, 2)
    }
    assert corners[1, 1] == corners[2, 2] == 3 * 255
    assert corners[2, 1] < corners[1, 2] < corners[1, 1]
    assert pixels(heat_map(["4"], ["16"], [[math.nan]])).shape == (68, 128, 3)
