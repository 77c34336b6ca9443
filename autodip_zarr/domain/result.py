"""How a result is laid out, and the unit in which it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autodip_zarr.domain.axes import Axis, Level, size_along
from autodip_zarr.domain.source import ChannelDisplay

Treatment = Literal["denoised", "copied", "failed"]
"""What became of a channel in a result."""


@dataclass(frozen=True)
class Block:
    """Planes of one channel that are read, fitted and written together: the unit of work."""

    c: int
    """Channel."""
    t: range
    """Time points."""
    z: range
    """Depths."""

    @property
    def positions(self) -> tuple[tuple[int, int], ...]:
        """All (t, z) of the block, in the order in which its planes are stacked."""
        return tuple((t, z) for t in self.t for z in self.z)


@dataclass(frozen=True)
class TargetSpec:
    """Layout of a result image, fixed before its first plane is computed."""

    uri: str
    """Path or URI of the image group."""
    zarr_format: Literal[2, 3]
    """2 writes OME-Zarr 0.4, 3 writes 0.5."""
    name: str
    """Image name."""
    axes: tuple[Axis, ...]
    """Axes, in the order of the source."""
    levels: tuple[Level, ...]
    """Resolution levels, full first; paths ``0``, ``1``, ..."""
    dtype: str
    """Numpy name of the pixel type."""
    chunk: tuple[int, ...]
    """Chunk shape of level 0 along ``axes``."""
    shard: tuple[int, ...] | None
    """Shard shape of level 0 along ``axes``; ``None`` for no sharding (always in Zarr 2)."""
    block_t: int
    """Time points in a block."""
    block_z: int
    """Depths in a block."""
    channels: tuple[ChannelDisplay, ...]
    """Display settings of the channels."""
    uncertainty: bool = False
    """Whether the spread over several starts is written beside the record."""
    checksums: bool = True
    """Whether checksums of all that is stored are kept; ``False`` for results begun before there were any."""

    def size(self, axis: str) -> int:
        """Return the full-resolution size along a named axis, 1 where there is none."""
        return size_along(axis, self.axes, self.levels[0].shape)
