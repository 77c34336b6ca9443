"""Cover a plane by equal, overlapping tiles, and blend what was made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True)
class Cover:
    """Tiles of equal size that cover a plane."""

    shape: tuple[int, int]
    """Size of the plane (Y, X), in pixels."""
    tile: tuple[int, int]
    """Size of every tile (Y, X), in pixels."""
    halo_px: int
    """Width of the linear ramp at the borders between tiles, in pixels."""
    starts: tuple[tuple[int, ...], tuple[int, ...]]
    """First pixel of the tiles along Y and along X."""

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """First pixel (y, x) of each tile, row by row."""
        return tuple((y, x) for y in self.starts[0] for x in self.starts[1])


def cover(shape: tuple[int, int], tile_px: int, halo_px: int) -> Cover:
    """Cover a plane by the fewest tiles that overlap by at least the halo, spread evenly.

    Parameters
    ----------
    shape : tuple of int
        Size of the plane (Y, X), in pixels.
    tile_px : int
        Largest side of a tile; along an axis that is not longer, one tile covers all.
    halo_px : int
        Least overlap of neighbours; must be smaller than ``tile_px``.

    Raises
    ------
    ValueError
        If a side is not positive or the halo does not fit into the tile.
    """
    if min(shape) < 1 or tile_px < 1 or not 0 <= halo_px < tile_px:
        msg = f"cannot cover {shape} by tiles of {tile_px} px with a halo of {halo_px} px"
        raise ValueError(msg)
    tile = (min(tile_px, shape[0]), min(tile_px, shape[1]))
    starts = (_starts(shape[0], tile[0], halo_px), _starts(shape[1], tile[1], halo_px))
    return Cover(shape, tile, halo_px, starts)


def _starts(length: int, tile: int, halo: int) -> tuple[int, ...]:
    if length <= tile:
        return (0,)
    gaps = -(-(length - tile) // (tile - halo))
    return tuple(i * (length - tile) // gaps for i in range(gaps + 1))


def axis_weights(length: int, tile: int, halo_px: int, starts: Sequence[int]) -> NDArray[np.float64]:
    """Return the weight of each tile at each of its pixels along one axis.

    The weight rises linearly over the halo from each border that the tile does not share with the plane,
    and is normalised so that the weights of all tiles sum to one at every pixel of the plane.

    Returns
    -------
    ndarray
        (len(starts), tile) float64, all positive.
    """
    inside = np.arange(tile) + 0.5
    total = np.zeros(length)
    weights = np.ones((len(starts), tile))
    for weight, start in zip(weights, starts, strict=True):
        if halo_px and start > 0:
            np.multiply(weight, np.minimum(1.0, inside / halo_px), out=weight)
        if halo_px and start + tile < length:
            np.multiply(weight, np.minimum(1.0, inside[::-1] / halo_px), out=weight)
        total[start : start + tile] += weight
    return np.stack([w / total[s : s + tile] for w, s in zip(weights, starts, strict=True)])


def cut(plane: NDArray[_Value], covering: Cover) -> Iterator[NDArray[_Value]]:
    """Yield the tiles of a plane, row by row, as views."""
    height, width = covering.tile
    for y, x in covering.corners:
        yield plane[y : y + height, x : x + width]


def blend(tiles: Iterable[NDArray[np.float32]], covering: Cover) -> NDArray[np.float32]:
    """Join tiles to a plane, fading each into its neighbours.

    Parameters
    ----------
    tiles : iterable of ndarray
        One (Y, X) float32 a tile, in the order of :func:`cut`; each is taken when its turn comes.
    covering : Cover
        How the plane was cut.

    Returns
    -------
    ndarray
        (Y, X) float32. Tiles that were not changed give the plane they were cut from.
    """
    down, across = (
        axis_weights(covering.shape[axis], covering.tile[axis], covering.halo_px, covering.starts[axis])
        for axis in (0, 1)
    )
    height, width = covering.tile
    plane = np.empty(covering.shape, np.float32)
    band = np.zeros((height, covering.shape[1]))  # float64 sums of the rows that are not done yet
    source = iter(tiles)
    ys = covering.starts[0]
    for y, below, weight_down in zip(ys, (*ys[1:], covering.shape[0]), down, strict=True):
        for x, weight_across in zip(covering.starts[1], across, strict=True):
            band[:, x : x + width] += next(source) * np.outer(weight_down, weight_across)
        done = below - y
        plane[y:below] = band[:done]
        band[: height - done] = band[done:]
        band[height - done :] = 0
    return plane


def tile_seed(seed: int, *place: int) -> int:
    """Derive the seed of one tile from that of the recipe and from what is computed.

    Parameters
    ----------
    seed : int
        Seed of the recipe.
    *place : int
        Series, t, c, z, y, x of the tile, and the number of the start. No path enters, so that a moved
        archive gives the same pixels; no order enters, so that any number of workers does.

    Returns
    -------
    int
        Below 2**63.
    """
    digest = hashlib.sha256(repr((seed, *place)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
