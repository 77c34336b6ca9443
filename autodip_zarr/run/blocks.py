"""Which planes are read, fitted and written together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from autodip_zarr.dip.iterations import starts_for
from autodip_zarr.domain import Block, ChannelPlan, Header, Recipe, TargetSpec, WarmStart

_CHAIN_BYTES: Final = 512 * 2**20
_BLOCK_BYTES: Final = 64 * 2**20
_BLOCK_SECONDS: Final = 60.0
_ORIGINAL_SECONDS: Final = {"cpu": 2300.0, "cuda": 30.0}
"""Time of the arithmetic of the original prior (5/128/4/1800) on a 512x512 plane: one core, one card."""

_PIXEL_SECONDS: Final = {"cpu": 3.5e-7, "cuda": 3e-9}
"""Time that one iteration takes for one pixel besides, however narrow the network."""

_STEP_SECONDS: Final = {"cpu": 0.002, "cuda": 0.005}
"""Time that one iteration takes besides, however small the plane."""


def estimated_seconds(cost: float, iterations: int, pixels: int, device: str) -> float:
    """Return roughly how long the fit of a plane takes; good enough to size blocks.

    Parameters
    ----------
    cost : float
        Relative cost of the plane; 1.0 is the original prior on a 512x512 plane.
    iterations : int
        Steps of its fit.
    pixels : int
        Pixels of the plane.
    device : str
        ``cpu`` or a CUDA device.

    Notes
    -----
    The figures for a core agree within a fifth with the steps of five configurations that
    docs/explanation/engine.md lists; those for a card are guesses.
    """
    kind = "cuda" if device.startswith("cuda") else "cpu"
    step = pixels * _PIXEL_SECONDS[kind] + _STEP_SECONDS[kind]
    return cost * _ORIGINAL_SECONDS[kind] + iterations * step


def plane_seconds(channel: ChannelPlan, recipe: Recipe, header: Header, device: str) -> float:
    """Return roughly how long one plane of a channel takes; 0 where it is copied."""
    if channel.match is None:
        return 0.0
    config = channel.match.config
    iterations = config.iterations * starts_for(config, recipe)
    return estimated_seconds(channel.plane_cost, iterations, header.size("y") * header.size("x"), device)


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
