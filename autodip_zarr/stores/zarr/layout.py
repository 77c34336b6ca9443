"""Chunk and shard shapes of a result, chosen so that a block of planes writes whole shards."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

CHUNK_PX = 1024
"""Longest side of a chunk."""

SHARD_BYTES = 64 * 1024 * 1024
"""Most bytes in a shard, uncompressed."""

Shape = tuple[int, ...]
"""Size along each axis of an array."""


def plan_layout(
    axes: Sequence[str], shape: Sequence[int], dtype: str, block: tuple[int, int], zarr_format: int
) -> tuple[Shape, Shape | None]:
    """Return the chunk and shard shape of a full-resolution array.

    Parameters
    ----------
    axes : sequence of str
        Name of each axis, with ``y`` and ``x``.
    shape : sequence of int
        Size along each axis.
    dtype : str
        Numpy name of the pixel type.
    block : (int, int)
        Time points and depths that are written together.
    zarr_format : {2, 3}
        Format 2 knows no shards.

    Returns
    -------
    chunk, shard : tuple of int, tuple of int or None
        Along `axes`. A chunk is one plane or an even part of it. A shard is a multiple of the chunk, may
        overhang the array, never spans two blocks, and holds at most `SHARD_BYTES`.
    """
    chunk = _chunk_shape(axes, shape)
    if zarr_format == 2:
        return chunk, None
    return chunk, shard_shape(axes, shape, chunk, block, SHARD_BYTES // np.dtype(dtype).itemsize)


def _chunk_shape(axes: Sequence[str], shape: Sequence[int]) -> Shape:
    """Return the chunk: one plane, cut into even parts of at most 1024 by 1024 pixels.

    Examples
    --------
    >>> _chunk_shape("czyx", (3, 20, 2160, 512))
    (1, 1, 720, 512)
    """
    return tuple(
        _even(size, CHUNK_PX) if name in ("y", "x") else 1 for name, size in zip(axes, shape, strict=True)
    )


def shard_shape(
    axes: Sequence[str], shape: Sequence[int], chunk: Sequence[int], block: tuple[int, int], limit_px: int
) -> Shape:
    """Return the largest shard of at most `limit_px` pixels that no two blocks share.

    A plane that fits is never cut; small planes of one block share a shard.

    Examples
    --------
    >>> shard_shape("czyx", (3, 20, 1024, 1024), (1, 1, 1024, 1024), (1, 10), 6 * 1024 * 1024)
    (1, 5, 1024, 1024)
    """
    size = dict(zip(axes, shape, strict=True))
    part = dict(zip(axes, chunk, strict=True))
    count = {name: math.ceil(size[name] / part[name]) for name in "yx"}
    room = max(limit_px // (part["y"] * part["x"]), 1)  # chunks that fit
    shard = dict.fromkeys(axes, 1)
    if count["y"] * count["x"] > room:
        across = _even(count["x"], room)
        down = _even(count["y"], room // count["x"]) if across == count["x"] else 1
        shard |= {"y": down * part["y"], "x": across * part["x"]}
    else:
        shard |= {"y": count["y"] * part["y"], "x": count["x"] * part["x"]}
        planes = room // (count["y"] * count["x"])
        for name, length in (("z", block[1]), ("t", block[0])):
            if name in size:
                shard[name] = _within(length, size[name], planes)
                planes //= shard[name]
    return tuple(shard[name] for name in axes)


def _even(size: int, most: int) -> int:
    """Return the length of the parts when `size` is cut into as few even parts as `most` allows."""
    return math.ceil(size / math.ceil(size / max(most, 1)))


def _within(block: int, size: int, most: int) -> int:
    """Return how many planes along one axis share a shard, so that none spans two blocks."""
    if block >= size:  # a single block: whatever is cut inside it stays inside it
        return _even(size, most)
    return max(divisor for divisor in range(1, min(block, max(most, 1)) + 1) if block % divisor == 0)
