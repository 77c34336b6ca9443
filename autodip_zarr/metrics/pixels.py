"""Metrics that compare pixels: PSNR by two conventions, and structural similarity."""

from __future__ import annotations

import numpy as np

from autodip_zarr.metrics.scaling import Plane, scaled_by_noisy

_WINDOW = 7


def psnr(image: Plane, clean: Plane, noisy: Plane) -> float:
    """Return the peak signal-to-noise ratio by the convention of AUTO-DIP.

    Image and clean image are scaled by minimum and maximum of the noisy one, and the range is 1.

    Parameters
    ----------
    image, clean, noisy : ndarray
        (Y, X), in detector counts.

    Returns
    -------
    float
        In decibels; infinite for equal images.

    Raises
    ------
    OptionError
        The planes cannot be compared; see `scaled_by_noisy`.
    """
    one, other = scaled_by_noisy(image, clean, noisy)
    return _decibels(float(np.mean((one - other) ** 2)))


def psnr_data_range(image: Plane, clean: Plane, noisy: Plane) -> float:
    """Return the peak signal-to-noise ratio by data range, as scikit-image defines it.

    The range is that of the pixel type of the noisy image (255 for uint8, 65535 for uint16), and the span
    of the clean image where the noisy one is of a float type, which has no range of its own.

    Parameters
    ----------
    image, clean, noisy : ndarray
        (Y, X), in detector counts.

    Returns
    -------
    float
        In decibels; infinite for equal images, NaN where the clean image is of one value and the noisy one
        of a float type.

    Raises
    ------
    OptionError
        The planes cannot be compared; see `scaled_by_noisy`.
    """
    one, other = scaled_by_noisy(image, clean, noisy)
    span = float(noisy.max()) - float(noisy.min())
    if noisy.dtype.kind in "ui":
        limits = np.iinfo(noisy.dtype.name)
        data_range = float(limits.max) - float(limits.min)
    else:
        data_range = float(clean.max()) - float(clean.min())
    if data_range == 0:
        return float("nan")
    return _decibels(float(np.mean((one - other) ** 2)) * (span / data_range) ** 2)


def _decibels(mean_squared_error: float) -> float:
    return float("inf") if mean_squared_error == 0 else float(-10 * np.log10(mean_squared_error))


def ssim(image: Plane, clean: Plane, noisy: Plane) -> float:
    """Return the structural similarity by scikit-image, after scaling by the noisy image, for a range of 1.

    The window is the one of scikit-image, 7 x 7 pixels of equal weight.

    Parameters
    ----------
    image, clean, noisy : ndarray
        (Y, X), in detector counts.

    Returns
    -------
    float
        At most 1; NaN where a side is shorter than the window.

    Raises
    ------
    OptionError
        The planes cannot be compared; see `scaled_by_noisy`.
    """
    from skimage.metrics import structural_similarity  # noqa: PLC0415 - takes half a second to import

    one, other = scaled_by_noisy(image, clean, noisy)
    if min(one.shape) < _WINDOW:
        return float("nan")
    similarity = structural_similarity(other, one, win_size=_WINDOW, data_range=1.0)  # type: ignore[no-untyped-call]
    return float(similarity)
