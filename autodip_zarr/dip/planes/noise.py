"""Find the noise of a plane from the plane itself, and make it alike at all intensities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

_BLOCK_PX: Final = 8
_BINS: Final = 20
LEAST_BLOCKS: Final = 4 * _BINS
_FLOOR: Final = 1e-3
_NEARLY_CONSTANT: Final = 3.0
_STRIP_ROWS: Final = 64 * _BLOCK_PX

_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True)
class NoiseModel:
    """Noise whose variance is a straight line over the intensity: ``gain * x + at_zero``."""

    gain: float
    """Variance for each unit of intensity; for photon noise the intensity of one photon."""
    at_zero: float
    """Variance at intensity 0; negative where the detector's zero lies above it."""


@dataclass(frozen=True)
class Stabiliser:
    """The root that makes noise alike at all intensities, on a scale from 0 to 1."""

    offset: float
    """What is added to the intensity before its root is taken."""
    low: float
    """Root that becomes 0."""
    high: float
    """Root that becomes 1."""

    def stabilise(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scaled root of intensities of any shape; those below ``-offset`` count as that."""
        return (np.sqrt(np.maximum(x + self.offset, 0)) - self.low) / (self.high - self.low)

    def restore(self, scaled: NDArray[np.float64], variance: float) -> NDArray[np.float64]:
        """Return the intensities that have these roots in the mean.

        The mean of squares exceeds the square of the mean by the variance; without it, what is denoised
        would be too dark by a quarter of a photon.

        Parameters
        ----------
        scaled : ndarray
            Denoised roots, of any shape.
        variance : float
            Of the noise, on the scale of ``scaled``.
        """
        root = scaled * (self.high - self.low) + self.low
        restored: NDArray[np.float64] = root**2 - self.offset + variance * (self.high - self.low) ** 2
        return restored

    def slope(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by how much intensities change for a change of their scaled roots."""
        slope: NDArray[np.float64] = 2 * (scaled * (self.high - self.low) + self.low) * (self.high - self.low)
        return slope


def noise_model(image: NDArray[np.float32], usable: NDArray[np.bool_] | None) -> NoiseModel | None:
    """Fit a straight line to the variance of the finest details over the intensity.

    Blocks of 8x8 pixels are sorted by their mean into 20 groups; the median variance of each group's finest
    diagonal Haar details is hardly touched by structure. Correlation between neighbouring pixels lowers all
    variances alike, so that ``at_zero / gain`` stays right.

    Parameters
    ----------
    image : ndarray
        (Y, X) float32.
    usable : ndarray or None
        (Y, X), which pixels count, ``None`` for all. Blocks with others, or with the brightest value
        (saturation), do not.

    Returns
    -------
    NoiseModel or None
        ``None`` for planes too small to tell, or whose variance does not grow with the intensity.

    References
    ----------
    Foi, Trimeche, Katkovnik, Egiazarian, IEEE Transactions on Image Processing 17 (2008) 1737: noise models
    of this form from single images.
    """
    statistics = np.concatenate([*block_statistics(image, usable), np.empty((2, 0))], axis=1)
    mean, variance = statistics[:, np.isfinite(statistics[1])]
    if mean.size < LEAST_BLOCKS:
        return None
    groups = np.array_split(np.argsort(mean, kind="stable"), _BINS)
    x = np.array([mean[group].mean() for group in groups])
    y = np.array([np.median(variance[group]) for group in groups])
    return _line(x, y)


def block_statistics(
    image: NDArray[np.float32], usable: NDArray[np.bool_] | None
) -> Iterator[NDArray[np.float64]]:
    """Yield (2, blocks): mean, and variance of the details, NaN for blocks that do not count."""
    brightest = image.max() if usable is None else image[usable].max(initial=-np.inf)
    for top in range(0, image.shape[0] - _BLOCK_PX, _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS + 1)
        strip = image[rows].astype(np.float64)
        counts = strip < brightest
        if usable is not None:
            counts &= usable[rows]
        whole = counts[:-1, :-1] & counts[1:, :-1] & counts[:-1, 1:] & counts[1:, 1:]
        details = (strip[:-1, :-1] - strip[1:, :-1] - strip[:-1, 1:] + strip[1:, 1:]) / 2
        variance = _blocks(details**2).mean(axis=1)
        variance[~_blocks(whole).all(axis=1)] = np.nan
        yield np.stack([_blocks(strip[:-1, :-1]).mean(axis=1), variance])


def _blocks(image: NDArray[_Value]) -> NDArray[_Value]:
    """Cut an image into whole blocks, (blocks, pixels)."""
    height, width = (side - side % _BLOCK_PX for side in image.shape)
    cut = image[:height, :width].reshape(height // _BLOCK_PX, _BLOCK_PX, width // _BLOCK_PX, _BLOCK_PX)
    return cut.swapaxes(1, 2).reshape(-1, _BLOCK_PX * _BLOCK_PX)


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> NoiseModel | None:
    """Fit a line by least squares, each point weighted by its own precision."""
    if y.max() <= 0:
        return None
    weight = np.maximum(y, _FLOOR * y.max()) ** -2.0  # a variance is known to a fraction of itself
    weight /= weight.sum()
    mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
    spread = (weight * (x - mean_x) ** 2).sum()
    if spread <= 0:
        return None
    gain = float((weight * (x - mean_x) * (y - mean_y)).sum() / spread)
    return NoiseModel(gain, float(mean_y - gain * mean_x)) if gain > 0 else None


def stabiliser(image: NDArray[np.float32], model: NoiseModel, photons: float) -> Stabiliser | None:
    """Return the root that stabilises a plane.

    Parameters
    ----------
    image : ndarray
        (Y, X) float32 within [0, 1].
    model : NoiseModel
        Its noise.
    photons : float
        What is added under the root, in photons. The textbook's 3/8 blows the noise of the darkest pixels
        up; more of it is a little less stable and a lot better to fit.

    Returns
    -------
    Stabiliser or None
        ``None`` where the noise is nearly the same at all intensities of the plane.

    References
    ----------
    Anscombe, Biometrika 35 (1948) 246.
    """
    offset = model.at_zero / model.gain + photons * model.gain
    if offset > _NEARLY_CONSTANT:
        return None
    low, high = (float(np.sqrt(max(float(value) + offset, 0))) for value in (image.min(), image.max()))
    return Stabiliser(offset, low, high) if low < high else None
