"""Parts of planes: read from what a person typed, or found where there is most to see."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.errors import OptionError

Crop = tuple[slice, slice]
"""Rows and columns."""

_STEP_PX: Final = 64
"""Distance of the parts among which `busiest_crop` chooses."""


def parse_crop(text: str | None, size: tuple[int, int]) -> Crop:
    """Read a part of a plane.

    Parameters
    ----------
    text : str or None
        ``Y,X,HEIGHT,WIDTH`` in pixels; ``None`` for all.
    size : tuple of int
        Size of the plane (Y, X).

    Raises
    ------
    OptionError
        If it is no such text, or lies not inside the plane.
    """
    if text is None:
        return slice(None), slice(None)
    try:
        y, x, height, width = (int(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError("--crop", repr(text), "Y,X,HEIGHT,WIDTH in pixels") from error
    if not (0 <= y < y + height <= size[0] and 0 <= x < x + width <= size[1]):
        raise OptionError("--crop", repr(text), f"a part of the plane of {size[0]} x {size[1]} pixels")
    return slice(y, y + height), slice(x, x + width)


def busiest_crop(plane: NDArray[np.generic], side: int) -> Crop:
    """Return the square of a plane, among those every 64 pixels, in which it varies most.

    Parameters
    ----------
    plane : ndarray
        (Y, X), any number type; pixels that are not finite count as absent.
    side : int
        Side of the square in pixels; a shorter side of the plane is taken whole.
    """
    starts = [_starts(length, side) for length in plane.shape]
    corners = [(slice(y, y + side), slice(x, x + side)) for y in starts[0] for x in starts[1]]
    return max(corners, key=lambda corner: _spread(plane[corner]))


def _starts(length: int, side: int) -> range:
    return range(0, max(length - side, 0) + 1, _STEP_PX)


def _spread(part: NDArray[np.generic]) -> float:
    finite = part[np.isfinite(part)]
    return float(finite.std(dtype=np.float64)) if finite.size else -1.0
