"""More of the noise of an image: a sample that is as strong at each intensity, and as correlated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.planes.noise import LEAST_BLOCKS, block_statistics

_GROUPS: Final = 20
_SMOOTHING_PX: Final = 2.0
_WINDOW_PX: Final = 32
_WINDOW_STEP_PX: Final = 16
_FLAT_SHARE: Final = 0.1
_LEAST_FLAT: Final = 16
_FLATTENING_PX: Final = 3.0
_LEAST_CORRELATION: Final = 0.25
_LEAST_FALL: Final = 1.5
_PADDED_PX: Final = 2 * _WINDOW_PX
_LEAST_KEPT: Final = 0.2
_LEAST_FREQUENCY: Final = 1 / 18
_CONTINUED_FROM: Final = 2.5
_REACH_PX: Final = 10
_LEAST_DIAGONAL: Final = 1e-3
_LOCAL_PX: Final = 6.0
_BLANK_PX: Final = 9
_GAUSSIAN_KURTOSIS: Final = 3.0
_MOST_KURTOSIS: Final = 0.25


@dataclass(frozen=True)
class NoiseSample:
    """Noise like that of an image, drawn anew."""

    noise: NDArray[np.float32]
    """(Y, X) float32, on the scale of the image."""
    variance: float
    """Mean variance of the noise of the image."""
    correlation: float
    """Correlation of neighbouring pixels that it was given; 0 for white noise."""
    has_spikes: bool
    """Whether the noise of the image has more far outliers than that of the sample, which is Gaussian."""


def sample_noise(
    image: NDArray[np.float32], usable: NDArray[np.bool_] | None, seed: int
) -> NoiseSample | None:
    """Draw noise like that of an image, as the image alone tells it.

    How strong it is at each intensity comes from the finest diagonal details of blocks of 8x8 pixels, in 20
    groups of intensity. It is white, unless the power in the flattest parts of the image falls towards the
    highest frequencies, which no white noise does and no structure that a microscope resolves: then it gets
    the correlation of those parts over up to 10 pixels, and the strength whose diagonal details are those of
    the image.

    Parameters
    ----------
    image : ndarray
        (Y, X) float32; pixels that do not count hold something like their neighbours.
    usable : ndarray or None
        (Y, X), which pixels count; ``None`` for all.
    seed : int
        Of the sample.

    Returns
    -------
    NoiseSample or None
        ``None`` for images too small to tell.

    Notes
    -----
    On eight sets of FMD and 36 images of W2S the standard deviation is within 9 % of the one that clean
    partners tell, on W2S within 1 %: docs/explanation/how-settings-were-found.md.
    """
    mean, variance = _statistics(image, usable)
    if mean.size < LEAST_BLOCKS or not variance.any():
        return None
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - not for planning, nor where torch is alone

    groups = np.array_split(np.argsort(mean, kind="stable"), _GROUPS)
    at = [mean[group].mean() for group in groups]
    strength = [np.sqrt(variance[group].mean()) for group in groups]
    local = np.interp(gaussian_filter(image.astype(np.float64), _SMOOTHING_PX, mode="reflect"), at, strength)
    white = np.random.default_rng(seed).standard_normal(image.shape)
    correlations = _correlations(image)
    if correlations is None:
        return NoiseSample(
            (white * local).astype(np.float32), float(np.mean(local**2)), 0.0, _has_spikes(image)
        )
    near = (correlations[0, 1] + correlations[1, 0]) / 2
    diagonal = 1 - 2 * near + (correlations[1, 1] + correlations[1, -1]) / 2
    local /= np.sqrt(max(diagonal, _LEAST_DIAGONAL))
    noise = _correlate(white, correlations) * local
    return NoiseSample(noise.astype(np.float32), float(np.mean(local**2)), float(near), has_spikes=False)


def is_quiet(image: NDArray[np.float32], usable: NDArray[np.bool_] | None) -> bool:
    """Return whether there is nothing to remove: no pixel that counts, one value, or no noise in any detail.

    Parameters
    ----------
    image : ndarray
        (Y, X) float32; pixels that do not count hold something like their neighbours.
    usable : ndarray or None
        (Y, X), which pixels count; ``None`` for all.
    """
    counted = image if usable is None else image[usable]
    if not counted.size or counted.min() == counted.max():
        return True
    _, variance = _statistics(image, usable)
    return variance.size >= LEAST_BLOCKS and not variance.any()


def _statistics(
    image: NDArray[np.float32], usable: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of the details of the blocks that count."""
    statistics = np.concatenate([*block_statistics(image, usable), np.empty((2, 0))], axis=1)
    mean, variance = statistics[:, np.isfinite(statistics[1])]
    return mean, variance


def _has_spikes(image: NDArray[np.float32]) -> bool:
    """Say whether the finest diagonal details have heavier tails than Gaussian noise of their local strength.

    Of white noise alone: where noise is correlated those details are structure rather than noise.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter  # noqa: PLC0415

    diagonal = image[:-1, :-1] - image[1:, :-1] - image[:-1, 1:] + image[1:, 1:]
    squares = diagonal.astype(np.float64) ** 2
    local = gaussian_filter(squares, _LOCAL_PX, mode="reflect")
    relative = squares / np.maximum(local, np.finfo(np.float32).tiny)
    is_blank = maximum_filter(squares, _BLANK_PX) == 0
    if is_blank.any():  # in borders that were filled up there are no details at all
        share = gaussian_filter((~is_blank).astype(np.float64), _LOCAL_PX, mode="reflect")
        relative = relative[~is_blank] * share[~is_blank]
    kurtosis = np.mean(relative**2) / np.mean(relative) ** 2
    return bool(kurtosis - _GAUSSIAN_KURTOSIS > _MOST_KURTOSIS)


def _correlations(image: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Return the correlation of the noise at each distance (64, 64), circular; ``None`` if it is white.

    It is right up to `_REACH_PX`: what the taper of the windows takes from it is given back.
    """
    power = _flat_power(image)
    if power is None:
        return None
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(_PADDED_PX), np.fft.fftfreq(_PADDED_PX), indexing="ij"))
    middle = power[(frequency >= 0.3) & (frequency < 0.4)].mean()
    highest = power[frequency >= 0.5].mean()
    if middle < _LEAST_FALL * highest:
        return None
    covariance = np.fft.ifft2(_with_slow_parts(power, frequency)).real
    kept = np.fft.ifft2(np.abs(np.fft.fft2(_taper(), (_PADDED_PX, _PADDED_PX))) ** 2).real
    known = kept > _LEAST_KEPT * kept[0, 0]
    covariance = np.divide(covariance, kept, out=np.zeros_like(kept), where=known)
    correlations: NDArray[np.float64] = covariance / covariance[0, 0]
    return None if max(correlations[0, 1], correlations[1, 0]) < _LEAST_CORRELATION else correlations


def _with_slow_parts(power: NDArray[np.float64], frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the power with what went with the surfaces, at the lowest frequencies, continued as a Gaussian.

    A fit learns the slowest parts of the noise first, so that without them it would be stopped too late.
    """
    lost = frequency < _LEAST_FREQUENCY
    known = ~lost & (frequency < _CONTINUED_FROM * _LEAST_FREQUENCY)
    fall, top = np.polyfit(frequency[known] ** 2, np.log(power[known]), 1)
    continued: NDArray[np.float64] = np.where(lost, np.exp(top + min(fall, 0.0) * frequency**2), power)
    return continued


def _taper() -> NDArray[np.float64]:
    side = np.hanning(_WINDOW_PX + 2)[1:-1]
    return np.outer(side, side)


def _flat_power(image: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Return the mean power of the flattest windows of an image, (64, 64); ``None`` where there are too few.

    What is flat is told from the smoothed image, so that windows whose noise is weak by chance are not
    preferred; from each a quadratic surface is taken away. Windows of one value alone, as in borders that
    were filled up, tell nothing of the noise.
    """
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415

    if min(image.shape) < _WINDOW_PX:
        return None
    smooth = _windows(gaussian_filter(image.astype(np.float64), _FLATTENING_PX, mode="reflect"))
    windows = _windows(image.astype(np.float64))
    is_telling = windows.min(axis=(1, 2)) < windows.max(axis=(1, 2))
    if not is_telling.all():
        smooth, windows = smooth[is_telling], windows[is_telling]
    count = max(_LEAST_FLAT, int(_FLAT_SHARE * len(windows)))
    if len(windows) < count:
        return None
    flattest = np.argsort(smooth.std(axis=(1, 2)), kind="stable")[:count]
    y, x = (axis.ravel() / _WINDOW_PX - 0.5 for axis in np.mgrid[:_WINDOW_PX, :_WINDOW_PX])
    surface, _ = np.linalg.qr(np.stack([np.ones_like(x), y, x, y * y, x * x, y * x], axis=1))
    flat = windows[flattest].reshape(count, -1)
    flat -= (flat @ surface) @ surface.T
    tapered = flat.reshape(count, _WINDOW_PX, _WINDOW_PX) * _taper()
    power: NDArray[np.float64] = (np.abs(np.fft.fft2(tapered, (_PADDED_PX, _PADDED_PX))) ** 2).mean(axis=0)
    return power


def _windows(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return overlapping windows of an image, (windows, 32, 32)."""
    views = np.lib.stride_tricks.sliding_window_view(image, (_WINDOW_PX, _WINDOW_PX))
    return views[::_WINDOW_STEP_PX, ::_WINDOW_STEP_PX].reshape(-1, _WINDOW_PX, _WINDOW_PX)


def _correlate(white: NDArray[np.float64], correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give white noise the correlation, and a variance of one."""
    reach = range(-_REACH_PX, _REACH_PX + 1)
    spread = np.zeros(white.shape)
    for y in reach:
        for x in reach:
            spread[y % white.shape[0], x % white.shape[1]] = correlations[y, x]
    root = np.sqrt(np.maximum(np.fft.fft2(spread).real, 0))
    noise = np.fft.ifft2(np.fft.fft2(white) * root).real
    correlated: NDArray[np.float64] = noise / noise.std()
    return correlated
