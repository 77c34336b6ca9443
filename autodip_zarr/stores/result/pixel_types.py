"""Pixels in another type: rounded to the nearest, and clipped to what it can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.errors import TargetError

_STRIP_PX = 4 * 1024 * 1024


def converted(pixels: NDArray[Any], dtype: str, where: str) -> NDArray[Any]:
    """Return pixels in another type, rounded to the nearest and clipped where it holds integers.

    Raises
    ------
    TargetError
        A pixel is not a number, and integers have no such value.
    """
    target = np.dtype(dtype)
    if pixels.dtype == target or target.kind not in "ui":
        return pixels.astype(target, copy=False)
    limits = np.iinfo(target)
    if pixels.dtype.kind == "f":
        # float32(2**32 - 1) is 2**32, which does not fit: clip in float64, and below the limit in 64 bits
        high = np.nextafter(np.float64(limits.max), 0) if target.itemsize == 8 else np.float64(limits.max)
        rounded = np.empty(pixels.shape, target)
        rows, rounded_rows = pixels.reshape(-1, pixels.shape[-1]), rounded.reshape(-1, pixels.shape[-1])
        step = max(_STRIP_PX // pixels.shape[-1], 1)  # float64 costs memory of a strip alone
        for strip in (slice(top, top + step) for top in range(0, len(rows), step)):
            values = rows[strip].astype(np.float64)
            if not np.isfinite(values).all():
                raise TargetError(where, "found a pixel that is no number", f"finite values for {dtype}")
            rounded_rows[strip] = np.clip(np.rint(values), np.float64(limits.min), high)
        return rounded
    if pixels.dtype.kind == "b":
        return pixels.astype(target)
    own = np.iinfo(pixels.dtype)
    low, top = max(limits.min, own.min), min(limits.max, own.max)  # both types hold these
    clipped: NDArray[Any] = np.clip(pixels, low, top).astype(target)
    return clipped
