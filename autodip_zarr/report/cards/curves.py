"""What charts of a plane show: histograms, power spectra, and checks that need no clean image."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.generic]

_BINS: Final = 64
_RINGS: Final = 48
_LARGEST_PX: Final = 1024
"""Side of the part in the middle of a plane whose spectrum is computed."""
_LEVELS: Final = 10
_LEAST_OF_LEVEL: Final = 200
"""Pixels that an intensity level must hold for its mean to tell something."""


def histograms(planes: list[Plane]) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Return the intensities in the middle of 64 bins, and the share of the pixels of each plane in them.

    Parameters
    ----------
    planes : list of ndarray
        (Y, X) each, any number type; the bins reach from the 0.1 to the 99.9 percentile of the first, and
        their ends hold all that lies beyond.
    """
    values = [plane[np.isfinite(plane)].astype(np.float64) for plane in planes]
    if not values[0].size:
        return np.zeros(0), [np.zeros(0) for _ in planes]
    low, high = np.percentile(values[0], [0.1, 99.9])
    edges = np.linspace(low, max(high, low + 1e-9), _BINS + 1)
    shares = [np.histogram(np.clip(one, edges[0], edges[-1]), edges)[0] / max(one.size, 1) for one in values]
    return (edges[1:] + edges[:-1]) / 2, shares


def power_spectrum(plane: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies in cycles a pixel, and the mean power of a plane in rings around each of them.

    Parameters
    ----------
    plane : ndarray
        (Y, X); pixels that are not finite count as the mean. Of more than 1024 pixels a side the middle is
        taken. A Hann window keeps the edges out.
    """
    starts = [max(0, (length - _LARGEST_PX) // 2) for length in plane.shape]
    cut = tuple(slice(start, start + _LARGEST_PX) for start in starts)
    values = plane[cut].astype(np.float64)
    finite = np.isfinite(values)
    mean = float(values[finite].mean()) if finite.any() else 0.0
    values = np.where(finite, values, mean) - mean
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in values.shape))
    power = np.abs(np.fft.rfft2(values * window)) ** 2 / float((window**2).sum())
    distance = np.hypot(np.fft.fftfreq(values.shape[0])[:, None], np.fft.rfftfreq(values.shape[1])[None])
    edges = np.linspace(0, 0.5, min(_RINGS, max(values.shape) // 2) + 1)
    ring = np.digitize(distance.ravel(), edges[1:-1])
    inside = distance.ravel() <= edges[-1]
    count = np.bincount(ring[inside], minlength=len(edges) - 1)
    total = np.bincount(ring[inside], power.ravel()[inside], minlength=len(edges) - 1)
    kept = count > 0
    return ((edges[1:] + edges[:-1]) / 2)[kept], total[kept] / count[kept]


def residual_correlation(noisy: Plane, denoised: Plane) -> float | None:
    """Return the correlation of what was taken away with the result; ``None`` where one of them is flat.

    Near 0 where noise was taken away; clearly negative or positive where bright places were made darker or
    brighter as a whole.
    """
    residual, result = _pair(noisy, denoised)
    if residual.size == 0 or residual.std() == 0 or result.std() == 0:
        return None
    return float(np.corrcoef(residual, result)[0, 1])


def worst_level_bias(noisy: Plane, denoised: Plane) -> float | None:
    """Return the largest mean difference of source and result in one of ten levels of intensity.

    As a share of the range of the result from its 1 to its 99 percentile; ``None`` where there is no range.
    Denoising must not change the mean of what is equally bright.
    """
    residual, result = _pair(noisy, denoised)
    if result.size == 0:
        return None
    low, high = np.percentile(result, [1, 99])
    if high <= low:
        return None
    level = np.clip(((result - low) / (high - low) * _LEVELS).astype(int), 0, _LEVELS - 1)
    count = np.bincount(level, minlength=_LEVELS)
    mean = np.bincount(level, residual, minlength=_LEVELS) / np.maximum(count, 1)
    known = count >= _LEAST_OF_LEVEL
    return float(np.abs(mean[known]).max() / (high - low)) if known.any() else None


def _pair(noisy: Plane, denoised: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return residual and result where both are finite."""
    finite = np.isfinite(noisy) & np.isfinite(denoised)
    result = denoised[finite].astype(np.float64)
    return noisy[finite].astype(np.float64) - result, result
