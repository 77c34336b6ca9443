"""Arrays by the names of their axes: what a dimension, and a resolution level, is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """One dimension of an image array."""

    name: str
    """Name, usually one of ``t c z y x``."""
    type: str | None
    """``time``, ``channel``, ``space``, or what the source says."""
    unit: str | None
    """UDUNITS name as OME-Zarr writes it (``micrometer``, ``second``), where known."""


@dataclass(frozen=True)
class Level:
    """One resolution level of an image pyramid."""

    path: str
    """Array path relative to the image group; the level index as text for TIFF."""
    shape: tuple[int, ...]
    """Size along each axis, in the order of the header's axes."""
    scale: tuple[float, ...]
    """Physical size of one pixel along each axis, in the unit of that axis; 1.0 where unknown."""
    translation: tuple[float, ...] | None
    """Physical offset of the first pixel along each axis, where the source gives one."""


def size_along(axis: str, axes: tuple[Axis, ...], shape: tuple[int, ...]) -> int:
    """Return the size of a shape along a named axis, 1 where there is none."""
    return next((size for one, size in zip(axes, shape, strict=True) if one.name == axis), 1)
