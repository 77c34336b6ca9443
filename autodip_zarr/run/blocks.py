"""Which planes are read, fitted and written together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from autodip_zarr.domain import Block, Header, TargetSpec

_BLOCK_BYTES: Final = 64 * 2**20
_BLOCK_COST: Final = {"cpu": 0.02, "cuda": 10.0}
"""Cost of a block that lasts a minute or so, in original priors on a 512x512 plane."""


def block_shape(header: Header, plane_cost: float, device: str) -> tuple[int, int]:
    """Return how many time points and depths make a block.

    A block lasts some seconds to a few minutes, and holds at most 64 MB of pixels. It runs along z, or
    along t where there is one depth only.

    Parameters
    ----------
    header : Header
        The source.
    plane_cost : float
        Relative cost of the dearest of its planes.
    device : str
        ``cpu`` or a CUDA device.
    """
    plane_bytes = header.size("y") * header.size("x") * np.dtype(header.dtype).itemsize
    budget = _BLOCK_COST["cuda" if device.startswith("cuda") else "cpu"]
    planes = max(1, min(_BLOCK_BYTES // plane_bytes, int(budget / plane_cost) if plane_cost else 64))
    depth = header.size("z")
    if depth > 1:
        return 1, min(planes, depth)
    return min(planes, header.size("t")), 1


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
