"""Whether what the record says of a plane is what is there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Block, TargetSpec
from autodip_zarr.errors import PixelError
from autodip_zarr.stores import RECORD_FIELDS, check_block, read_block, read_rows

_RANGE = [RECORD_FIELDS.index("minimum"), RECORD_FIELDS.index("maximum")]
_ROUNDING = 0.5001


def range_problem(plane: NDArray[Any], row: NDArray[np.float64]) -> str | None:
    """Compare the least and greatest value of a plane with those recorded.

    Parameters
    ----------
    plane : ndarray
        (Y, X), as read back from a result.
    row : ndarray
        (F,) its entry in the record.

    Returns
    -------
    str or None
        What is wrong.
    """
    finite = plane[np.isfinite(plane)]
    noted = row[_RANGE]
    if not finite.size or np.isnan(noted).any():
        return None
    found = np.array([finite.min(), finite.max()], np.float64)
    tolerance = 1e-5 * float(np.abs(noted).max())
    if plane.dtype.kind in "ui":
        limits = np.iinfo(plane.dtype)
        noted, tolerance = np.clip(noted, limits.min, limits.max), _ROUNDING
    if (np.abs(found - noted) > tolerance).any():
        return f"values from {found[0]:g} to {found[1]:g}, recorded were {noted[0]:g} to {noted[1]:g}"
    return None


def is_whole(spec: TargetSpec, block: Block) -> bool:
    """Return whether a block that is recorded as done is as it was written.

    Its checksums tell; where an earlier version kept none, that it can be read back with the values recorded.
    """
    if spec.checksums:
        return not check_block(spec.uri, block)
    try:
        planes = read_block(spec, block)
    except PixelError:
        return False
    rows = read_rows(spec, block)
    return not any(range_problem(plane, row) for plane, row in zip(planes, rows, strict=True))
