"""Arrays by the names of their axes: what a dimension, a resolution level, and an order of pages is."""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True)
class PageOrder:
    """The axes that the pages of a file run along, as a person gives them where no header tells."""

    leading: tuple[tuple[str, int | None], ...]
    """Name and size of each of ``t c z`` that is given, slowest first; ``None`` for a size that follows."""

    is_typed: bool = True
    """Whether it was typed for these images; that of a recorded recipe gives way to headers."""

    @property
    def text(self) -> str:
        """As it is typed, for example ``tz5yx``."""
        return "".join(f"{name}{size or ''}" for name, size in self.leading) + "yx"

    def agrees(self, told: Sequence[tuple[str, int]]) -> bool:
        """Return whether it says the same as the known axes besides y and x, (name, size), slowest first."""
        sizes = dict(told)
        given = [name for name, _ in self.leading if sizes.get(name, 1) > 1]
        fits = all(size in (None, sizes.get(name, 1)) for name, size in self.leading)
        return fits and given == [name for name, size in told if size > 1]


def size_along(axis: str, axes: tuple[Axis, ...], shape: tuple[int, ...]) -> int:
    """Return the size of a shape along a named axis, 1 where there is none."""
    return next((size for one, size in zip(axes, shape, strict=True) if one.name == axis), 1)
