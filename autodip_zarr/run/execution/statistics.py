"""Numbers about a plane that need no ground truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_STRIP_PX: Final = 4 * 2**20

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
