"""Numbers about a plane that need no ground truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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

    Parameters
    ----------
    noisy, denoised : ndarray
        (Y, X), in detector counts. Pixels that are NaN or infinite count as the median of the others.

    Returns
    -------
    dict
        All NaN but for a plane with at least one finite pixel.
    """
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
