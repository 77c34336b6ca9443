"""Which planes are read, fitted and written together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from autodip_zarr.domain import Block, Header, TargetSpec, WarmStart

_CHAIN_BYTES: Final = 512 * 2**20
_BLOCK_BYTES: Final = 64 * 2**20
_BLOCK_SECONDS: Final = 60.0


def block_shape(header: Header, plane_seconds: float) -> tuple[int, int]:
    """Return how many time points and depths make a block.

    A block lasts about a minute, unless one plane alone lasts longer, and holds at most 64 MB of pixels.
    It runs along z, or along t where there is one depth only.

    Parameters
    ----------
    header : Header
        The source.
    plane_seconds : float
        Estimated time of the longest of its planes.
    """
    plane_bytes = header.size("y") * header.size("x") * np.dtype(header.dtype).itemsize
    planes = max(1, min(_BLOCK_BYTES // plane_bytes, int(_BLOCK_SECONDS / plane_seconds)))
    depth = header.size("z")
    if depth > 1:
        return 1, min(planes, depth)
    return min(planes, header.size("t")), 1


def chain_shape(header: Header, warm: WarmStart) -> tuple[int, int]:
    """Return how many time points and depths make a block, where each block is one chain of planes.

    The axis is cut into as few even parts as the longest chain allows. Nothing of the machine enters, since
    a plane depends on those before it in its chain; at most 512 MB of pixels, since a worker holds them all.

    Parameters
    ----------
    header : Header
        The source.
    warm : WarmStart
        Axis and longest chain.
    """
    plane_bytes = header.size("y") * header.size("x") * np.dtype(header.dtype).itemsize
    longest = max(1, min(warm.longest, _CHAIN_BYTES // plane_bytes))
    size = header.size(warm.axis)
    planes = math.ceil(size / math.ceil(size / longest))
    return (1, planes) if warm.axis == "z" else (planes, 1)


def chains(chosen: tuple[Sequence[int], Sequence[int]], block: tuple[int, int]) -> int:
    """Return how many blocks hold a chosen plane.

    Parameters
    ----------
    chosen : (sequence of int, sequence of int)
        Time points and depths.
    block : (int, int)
        Time points and depths in a block.
    """
    return math.prod(
        len({index // size for index in indices}) for indices, size in zip(chosen, block, strict=True)
    )


def blocks(spec: TargetSpec, channels: Sequence[int]) -> Iterator[Block]:
    """Yield all blocks of the given channels of a result, in the order c, t, z."""
    times, depths = spec.size("t"), spec.size("z")
    for c in channels:
        for t in range(0, times, spec.block_t):
            for z in range(0, depths, spec.block_z):
                yield Block(
                    c,
                    range(t, min(t + spec.block_t, times)),
                    range(z, min(z + spec.block_z, depths)),
                )
