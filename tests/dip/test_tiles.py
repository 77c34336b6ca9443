"""Cover and blend, for any plane, tile and halo."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.dip.planes.tiles import axis_weights, blend, cover, cut, tile_seed

SIDES = st.integers(1, 90)


@st.composite
def tilings(draw: st.DrawFn) -> tuple[tuple[int, int], int, int]:
    """Draw the size of a plane, a tile, and a halo that fits into it."""
    tile = draw(st.integers(1, 40))
    return (draw(SIDES), draw(SIDES)), tile, draw(st.integers(0, tile - 1))


@given(tilings())
def test_tiles_are_equal_lie_inside_and_overlap_by_the_halo(tiling: tuple[tuple[int, int], int, int]) -> None:
    shape, tile_px, halo_px = tiling
    covering = cover(shape, tile_px, halo_px)
    plane = np.zeros(shape)
    assert {tile.shape for tile in cut(plane, covering)} == {covering.tile}
    for length, tile, starts in zip(shape, covering.tile, covering.starts, strict=True):
        assert tile == min(tile_px, length)
        assert starts[0] == 0
        assert starts[-1] + tile == length
        overlaps = [first + tile - second for first, second in itertools.pairwise(starts)]
        assert all(halo_px <= overlap < tile for overlap in overlaps)


@given(tilings(), st.integers(0, 2**31))
def test_blending_unchanged_tiles_returns_the_plane(
    tiling: tuple[tuple[int, int], int, int], seed: int
) -> None:
    shape, tile_px, halo_px = tiling
    plane = np.random.default_rng(seed).normal(100, 30, shape).astype(np.float32)
    covering = cover(shape, tile_px, halo_px)
    tiles = [tile.copy() for tile in cut(plane, covering)]
    np.testing.assert_allclose(blend(tiles, covering), plane, rtol=1e-6)


@given(tilings())
def test_weights_are_positive_and_sum_to_one_everywhere(tiling: tuple[tuple[int, int], int, int]) -> None:
    shape, tile_px, halo_px = tiling
    covering = cover(shape, tile_px, halo_px)
    for axis in (0, 1):
        length, tile, starts = shape[axis], covering.tile[axis], covering.starts[axis]
        weights = axis_weights(length, tile, halo_px, starts)
        assert (weights > 0).all()
        total = np.zeros(length)
        for weight, start in zip(weights, starts, strict=True):
            total[start : start + tile] += weight
        np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_the_ramp_is_linear_over_the_halo_where_two_tiles_meet() -> None:
    covering = cover((1, 28), 16, 4)
    assert covering.starts[1] == (0, 12)
    left, right = axis_weights(28, 16, 4, covering.starts[1])
    np.testing.assert_allclose(left[12:], [0.875, 0.625, 0.375, 0.125])
    np.testing.assert_allclose(right[:4], [0.125, 0.375, 0.625, 0.875])


def test_where_tiles_overlap_by_more_than_the_halo_both_count_the_same_between_the_ramps() -> None:
    covering = cover((1, 20), 16, 4)
    assert covering.starts[1] == (0, 4)
    left, right = axis_weights(20, 16, 4, covering.starts[1])
    ramp = np.array([0.125, 0.375, 0.625, 0.875, 1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(right[:8], ramp / (1 + ramp))
    np.testing.assert_allclose(left[::-1][:8], ramp / (1 + ramp))


def test_a_plane_that_fits_is_not_tiled() -> None:
    assert cover((512, 300), 512, 32).corners == ((0, 0),)
    assert len(cover((513, 300), 512, 32).corners) == 2


@pytest.mark.parametrize(("shape", "tile", "halo"), [((0, 5), 4, 1), ((5, 5), 4, 4), ((5, 5), 4, -1)])
def test_what_cannot_be_covered_is_refused(shape: tuple[int, int], tile: int, halo: int) -> None:
    with pytest.raises(ValueError, match="cannot cover"):
        cover(shape, tile, halo)


@given(st.integers(0, 99), st.lists(st.integers(0, 5), min_size=6, max_size=6))
def test_seeds_depend_on_the_place_alone(seed: int, place: list[int]) -> None:
    first = tile_seed(seed, *place)
    assert first == tile_seed(seed, *place)
    assert 0 <= first < 2**63
    assert first != tile_seed(seed + 1, *place)
    assert first != tile_seed(seed, *place[:-1], place[-1] + 1)
