"""Numbers about a plane that need no ground truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_STRIP_PX: Final = 4 * 2**20

_JUST_BELOW: Final = 0.9
"""Least second largest value of a saturated plane, relative to its largest."""

_SPIKE: Final = 4
"""How many times as many pixels have the largest value of a saturated plane as the second largest."""

_LEAST_BITS: Final = 8
_UPPER_HALF: Final = 2**15

Plane = NDArray[np.float64]


def noise_level(plane: Plane) -> float:
    """Estimate the standard deviation of the noise of a plane.

    The median absolute deviation of its finest diagonal Haar details, scaled for Gaussian noise. Noise
    that is correlated between neighbours is underestimated.

    Parameters
    ----------
    plane : ndarray
        (Y, X) float64, in detector counts.

    Returns
    -------
    float
        In detector counts; NaN for a plane of a single row or column.

    References
    ----------
    Donoho and Johnstone, Biometrika 81 (1994) 425.
    """
    if min(plane.shape) < 2:
        return float("nan")
    details = (plane[:-1, :-1] - plane[1:, :-1] - plane[:-1, 1:] + plane[1:, 1:]) / 2
    return float(np.median(np.abs(details - np.median(details))) / 0.6745)


def lag1_correlation(residual: Plane) -> float:
    """Return the mean correlation of a residual with its right and its lower neighbour.

    Near 0 for white noise alone; a positive value tells of correlated noise or of structure that was
    taken away.

    Parameters
    ----------
    residual : ndarray
        (Y, X) float64.

    Returns
    -------
    float
        NaN where the residual is constant or has a single row or column.
    """
    centred = residual - residual.mean()
    power = float(np.mean(centred**2))
    if min(residual.shape) < 2 or power == 0:
        return float("nan")
    down = np.mean(centred[1:] * centred[:-1])
    across = np.mean(centred[:, 1:] * centred[:, :-1])
    return float((down + across) / 2 / power)


def _finite(plane: NDArray[np.generic]) -> Plane:
    values = plane.astype(np.float64)
    usable = np.isfinite(values)
    if usable.all():
        return values
    middle = np.median(values[usable]) if usable.any() else np.nan
    return np.where(usable, values, middle)


def describe(noisy: NDArray[np.generic], denoised: NDArray[np.generic]) -> dict[str, float]:
    """Return the entries of the quality record that compare a plane before and after.

    A plane of more than four million pixels is described strip by strip of its rows: levels of noise are
    the median over the strips, the correlation their mean. Everything else is exact.

    Parameters
    ----------
    noisy, denoised : ndarray
        (Y, X), in detector counts. Pixels that are NaN or infinite count as the median of the others of
        their strip.

    Returns
    -------
    dict
        All NaN but for a plane with at least one finite pixel.
    """
    step = max(_STRIP_PX // noisy.shape[1], 1)
    tops = range(0, noisy.shape[0], step)
    strips = [_describe_strip(noisy[top : top + step], denoised[top : top + step]) for top in tops]
    return strips[0] if len(strips) == 1 else _of_all(strips, [len(noisy[top : top + step]) for top in tops])


def rounding_std(plane: NDArray[np.floating[Any]], dtype: str) -> float:
    """Return the root mean square of what rounding to a pixel type changes, in detector counts.

    Parameters
    ----------
    plane : ndarray
        (Y, X), as it was denoised.
    dtype : str
        Pixel type of the result.

    Returns
    -------
    float
        NaN where nothing is rounded.
    """
    if np.dtype(dtype).kind not in "ui":
        return math.nan
    step = max(_STRIP_PX // plane.shape[1], 1)
    strips = (plane[top : top + step] for top in range(0, len(plane), step))
    return math.sqrt(sum(float(np.sum((strip - np.rint(strip)) ** 2)) for strip in strips) / plane.size)


def _of_all(strips: Sequence[Mapping[str, float]], rows: Sequence[int]) -> dict[str, float]:
    """Return the numbers of a plane from those of its strips, which have so many rows."""
    known = {name: np.array([strip[name] for strip in strips]) for name in strips[0]}
    weight = np.array(rows) * np.isfinite(known["minimum"])
    if not weight.any():
        return dict(strips[0])

    def mean(name: str, values: NDArray[np.float64]) -> float:
        usable = np.isfinite(known[name]) & (weight > 0)
        return float(np.average(values[usable], weights=weight[usable])) if usable.any() else math.nan

    def median(name: str) -> float:
        usable = known[name][np.isfinite(known[name])]
        return float(np.median(usable)) if usable.size else math.nan

    residual_mean = mean("residual_mean", known["residual_mean"])
    squares = known["residual_std"] ** 2 + (known["residual_mean"] - residual_mean) ** 2
    return {
        "noise_before": median("noise_before"),
        "noise_after": median("noise_after"),
        "minimum": float(np.nanmin(known["minimum"])),
        "maximum": float(np.nanmax(known["maximum"])),
        "residual_mean": residual_mean,
        "residual_std": math.sqrt(mean("residual_std", squares)),
        "residual_lag1": mean("residual_lag1", known["residual_lag1"]),
    }


def _describe_strip(noisy: NDArray[np.generic], denoised: NDArray[np.generic]) -> dict[str, float]:
    before, after = _finite(noisy), _finite(denoised)
    residual = before - after
    return {
        "noise_before": noise_level(before),
        "noise_after": noise_level(after),
        "minimum": float(after.min()),
        "maximum": float(after.max()),
        "residual_mean": float(residual.mean()),
        "residual_std": float(residual.std()),
        "residual_lag1": lag1_correlation(residual),
    }


def saturated_share(plane: NDArray[Any]) -> float:
    """Return the share of pixels at the end of what a detector can count.

    That end is the largest value of the plane, where it is the largest number of 8 to 16 bits, or of so many
    bits at the upper end of 16, where far more pixels have it than the value below, and where there are
    values just below.

    Parameters
    ----------
    plane : ndarray
        (Y, X), in detector counts.

    Returns
    -------
    float
        0 where nothing is saturated; NaN for pixels that are no integers.
    """
    if plane.dtype.kind not in "ui":
        return math.nan
    top = int(plane.max())
    if not _is_full_scale(top):
        return 0.0
    count = int(np.count_nonzero(plane == top))
    below = plane[plane < top]
    if not below.size:
        return 0.0
    second = int(below.max())
    if second < _JUST_BELOW * top or count < _SPIKE * int(np.count_nonzero(below == second)):
        return 0.0
    return count / plane.size


def _is_full_scale(value: int) -> bool:
    if value >= _UPPER_HALF:  # cameras of 10 to 14 bits may stand at the upper end of 16
        value >>= (value & -value).bit_length() - 1
    return value.bit_length() >= _LEAST_BITS and value & (value + 1) == 0


def repeated_share(plane: NDArray[np.generic]) -> float:
    """Return the share of pixels that have the value of their left neighbour, background left out.

    Near 1 for labels, masks and drawings; small where there is noise.

    Parameters
    ----------
    plane : ndarray
        (Y, X), in detector counts; its least value is its background.

    Returns
    -------
    float
        NaN where there is nothing but background.
    """
    right, left = plane[:, 1:], plane[:, :-1]
    inside = right != plane.min()
    count = int(np.count_nonzero(inside))
    return int(np.count_nonzero(inside & (right == left))) / count if count else math.nan
