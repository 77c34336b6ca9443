"""Put a plane on the scale from 0 to 1, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_BULK_PERCENTILES: Final = (0.1, 99.9)
_HOT_RANGES: Final = 3.0


@dataclass(frozen=True)
class Scaled:
    """A plane on the scale from 0 to 1."""

    image: NDArray[np.float32]
    """(Y, X) float32 within [0, 1]; pixels that cannot be used hold the median of their neighbours."""
    usable: NDArray[np.bool_] | None
    """(Y, X), which pixels the fit is held to; ``None`` for all."""
    low: float
    """Value that became 0."""
    high: float
    """Value that became 1; equal to ``low`` where there is nothing to fit."""
    hot_pixels: int
    """Lone pixels far outside the range of all others, which were left out."""
    missing_pixels: int
    """Pixels that are NaN or infinite, which were left out."""

    def unscale(self, image: NDArray[np.floating[Any]], like: np.dtype[Any]) -> NDArray[np.floating[Any]]:
        """Return an image in the units of the plane.

        Parameters
        ----------
        image : ndarray
            On the scale from 0 to 1.
        like : dtype
            Of the plane: float32 comes back where it holds all values of that type to rounding, else float64.
        """
        counts = image.astype(np.float64) * (self.high - self.low) + self.low
        return counts.astype(np.result_type(like, np.float32))


def scale(plane: NDArray[np.generic], method: str) -> Scaled:
    """Scale a plane by its smallest and largest value.

    Parameters
    ----------
    plane : ndarray
        (Y, X), any integer or float type, in detector counts.
    method : str
        ``minmax``: of all finite pixels, as published. ``robust``: of all but hot pixels, which are lone
        pixels that differ from the median of their eight neighbours by more than three times the range
        between the percentiles 0.1 and 99.9 of the plane. A pixel a hundred times brighter than the rest
        would else press the rest into a hundredth of the scale.
    """
    counts = plane.astype(np.float64)
    usable = np.isfinite(counts)
    missing = counts.size - int(usable.sum())
    if missing == counts.size:
        return Scaled(np.zeros(counts.shape, np.float32), usable, 0.0, 0.0, 0, missing)
    hot = 0
    if method == "robust":
        lone = _lone_outliers(counts, usable)
        hot = int(lone.sum())
        usable &= ~lone
    low, high = float(counts[usable].min()), float(counts[usable].max())
    if low == high:
        return Scaled(np.zeros(counts.shape, np.float32), usable, low, high, hot, missing)
    if missing + hot:
        counts[~usable] = _neighbour_medians(counts, usable, ~usable)
    image = ((counts - low) / (high - low)).astype(np.float32)
    return Scaled(image, None if usable.all() else usable, low, high, hot, missing)


def _lone_outliers(counts: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find pixels far outside the range of the plane that stand alone among their neighbours."""
    bottom, top = np.percentile(counts[usable], _BULK_PERCENTILES)
    limit = _HOT_RANGES * (top - bottom)
    lone: NDArray[np.bool_] = usable & ((counts > top + limit) | (counts < bottom - limit))
    if top == bottom:  # a plane of a few photons is nothing but lone pixels
        return np.zeros(counts.shape, bool)
    lone[lone] = np.abs(counts[lone] - _neighbour_medians(counts, usable, lone)) > limit
    return lone


def _neighbour_medians(
    counts: NDArray[np.float64], usable: NDArray[np.bool_], where: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return, for each pixel in ``where``, the median of its usable neighbours, or else of the plane."""
    known = np.pad(np.where(usable, counts, np.nan), 1, constant_values=np.nan)
    y, x = np.nonzero(where)
    around = np.stack([known[y + j, x + i] for j in range(3) for i in range(3) if (j, i) != (1, 1)])  # (8, n)
    around[:, np.isnan(around).all(axis=0)] = np.median(counts[usable])
    return np.asarray(np.nanmedian(around, axis=0))
