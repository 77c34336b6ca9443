"""How close an image is to a clean one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def psnr(image: NDArray[np.generic], clean: NDArray[np.generic], noisy: NDArray[np.generic]) -> float:
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
    """
    span = float(noisy.max()) - float(noisy.min())
    error = float(np.mean(((image.astype(np.float64) - clean.astype(np.float64)) / span) ** 2))
    return float("inf") if error == 0 else float(-10 * np.log10(error))
