"""Put a plane on the scale from 0 to 1, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.planes.noise import Stabiliser, noise_model, stabiliser

_BULK_PERCENTILES: Final = (0.1, 99.9)
_HOT_RANGES: Final = 3.0
_STRIP_PX: Final = 4 * 2**20

Plane = NDArray[Any]
"""(Y, X), any integer or float type, in detector counts."""


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
    stabiliser: Stabiliser | None = None
    """What was done to the scaled counts so that noise is alike everywhere; ``None`` for nothing."""

    def unscale(self, image: NDArray[np.floating[Any]], like: np.dtype[Any]) -> NDArray[np.floating[Any]]:
        """Return an image in the units of the plane.

        Parameters
        ----------
        image : ndarray
            On the scale from 0 to 1.
        like : dtype
            Of the plane: float32 comes back where it holds all values of that type to rounding, else float64.
        """
        variance = 0.0 if self.stabiliser is None else self._residual_variance(image)
        counts = np.empty(image.shape, np.result_type(like, np.float32))
        for rows in _strips(image.shape):
            scaled = image[rows].astype(np.float64)
            if self.stabiliser is not None:
                scaled = self.stabiliser.restore(scaled, variance)
            counts[rows] = scaled * (self.high - self.low) + self.low
        return counts

    def _residual_variance(self, image: NDArray[np.floating[Any]]) -> float:
        """Return the mean square of what the fit took away."""
        total, count = 0.0, 0
        for rows in _strips(image.shape):
            residual = self.image[rows].astype(np.float64) - image[rows]
            kept = residual if self.usable is None else residual[self.usable[rows]]
            total += float(np.sum(kept**2))
            count += kept.size
        return total / count

    def unscale_spread(
        self, spread: NDArray[np.floating[Any]], image: NDArray[np.floating[Any]]
    ) -> NDArray[np.float32]:
        """Return standard deviations in the units of the plane, for an image on the scale from 0 to 1."""
        counts = spread * np.float32(self.high - self.low)
        if self.stabiliser is not None:
            for rows in _strips(image.shape):
                counts[rows] *= self.stabiliser.slope(image[rows].astype(np.float64))
        return counts.astype(np.float32)


def scale_and_stabilise(plane: NDArray[np.generic], method: str, photons: float) -> Scaled:
    """Scale a plane, and make its noise alike at all intensities where it grows with them.

    Parameters
    ----------
    plane : ndarray
        (Y, X), any integer or float type, in detector counts.
    method : str
        Of :func:`scale`.
    photons : float
        What is added under the root, in photons; see :func:`.noise.stabiliser`. 0 leaves
        the noise as it is.
    """
    scaled = scale(plane, method)
    if not photons or scaled.low == scaled.high:
        return scaled
    model = noise_model(scaled.image, scaled.usable)
    root = None if model is None else stabiliser(scaled.image, model, photons)
    if root is None:
        return scaled
    image = np.empty_like(scaled.image)
    for rows in _strips(image.shape):
        image[rows] = root.stabilise(scaled.image[rows].astype(np.float64))
    return replace(scaled, image=image, stabiliser=root)


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield slices of whole rows of a plane, of at most four million pixels each.

    What is computed in float64 is computed strip by strip, so that it costs no memory of a whole plane.
    """
    step = max(_STRIP_PX // max(shape[-1], 1), 1)
    for top in range(0, shape[0], step):
        yield slice(top, min(top + step, shape[0]))


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
    usable = np.ones(plane.shape, bool) if plane.dtype.kind in "ui" else np.isfinite(plane)
    missing = plane.size - int(usable.sum())
    if missing == plane.size:
        return Scaled(np.zeros(plane.shape, np.float32), usable, 0.0, 0.0, 0, missing)
    hot = 0
    if method == "robust":
        lone = _lone_outliers(plane, usable)
        hot = int(lone.sum())
        usable &= ~lone
    low, high = _extremes(plane, usable)
    if low == high:
        return Scaled(np.zeros(plane.shape, np.float32), usable, low, high, hot, missing)
    image = np.empty(plane.shape, np.float32)
    for rows in _strips(plane.shape):
        counts = plane[rows].astype(np.float64)
        if missing + hot:
            counts[~usable[rows]] = low  # filled below; a NaN must not meet the arithmetic
        image[rows] = (counts - low) / (high - low)
    if missing + hot:
        for where in _pieces(~usable):
            image[where] = (_neighbour_medians(plane, usable, where) - low) / (high - low)
    return Scaled(image, usable if missing + hot else None, low, high, hot, missing)


def _used(plane: Plane, usable: NDArray[np.bool_]) -> Plane:
    """Return the usable pixels, one after the other; all of them without a copy."""
    return plane.ravel() if usable.all() else plane[usable]


def _extremes(plane: Plane, usable: NDArray[np.bool_]) -> tuple[float, float]:
    used = _used(plane, usable)
    return float(used.min()), float(used.max())


def _lone_outliers(plane: Plane, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find pixels far outside the range of the plane that stand alone among their neighbours."""
    used = np.array(_used(plane, usable), np.result_type(plane.dtype, np.float32))  # differences must fit
    bottom, top = np.percentile(used, _BULK_PERCENTILES, overwrite_input=True).astype(np.float64)
    del used
    limit = _HOT_RANGES * (top - bottom)
    if top == bottom:  # a plane of a few photons is nothing but lone pixels
        return np.zeros(plane.shape, bool)
    lone: NDArray[np.bool_] = usable & ((plane > top + limit) | (plane < bottom - limit))
    for where in _pieces(lone):
        distance = np.abs(plane[where] - _neighbour_medians(plane, usable, where))
        lone[where] = distance > limit
    return lone


def _pieces(mask: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the places where a mask holds, some at a time."""
    for rows in _strips(mask.shape):
        y, x = np.nonzero(mask[rows])
        if y.size:
            yield y + rows.start, x


def _neighbour_medians(
    plane: Plane, usable: NDArray[np.bool_], where: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> NDArray[np.float64]:
    """Return, for each place, the median of its usable neighbours, or else of the plane."""
    around = np.full((8, where[0].size), np.nan)
    steps = [(j, i) for j in (-1, 0, 1) for i in (-1, 0, 1) if (j, i) != (0, 0)]
    for values, (j, i) in zip(around, steps, strict=True):
        y, x = where[0] + j, where[1] + i
        inside = (y >= 0) & (y < plane.shape[0]) & (x >= 0) & (x < plane.shape[1])
        known = np.flatnonzero(inside)[usable[y[inside], x[inside]]]
        values[known] = plane[y[known], x[known]]
    alone = np.isnan(around).all(axis=0)
    if alone.any():
        around[:, alone] = np.median(_used(plane, usable))
    return np.asarray(np.nanmedian(around, axis=0))
