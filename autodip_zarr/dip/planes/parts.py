"""Where a tile has strong structure, some, and next to none: parts in which different filters are best."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]

_GUIDE_PX: Final = 3.0
"""Blur under which structure is looked for: what noise is left there is known, and does not choose."""
_AROUND_PX: Final = 4.0
"""Distance over which parts pass into one another."""
_CONTRASTS: Final = (0.5, 2.0)
"""Changes over `_GUIDE_PX`, in standard deviations of the noise, from which there is some, and strong
structure."""
_LEAST_PX: Final = 1000
"""Pixels that a part needs for errors in it to be estimated; a smaller one belongs to its neighbour."""


def parts(image: Image, noise: Image) -> list[NDArray[np.float32]]:
    """Return weights (Y, X) of up to three parts of a tile, which add up to one everywhere.

    Parts must not be chosen by the noise: in places where it happens to be strong a filter would seem to take
    structure away. So they are told by the slopes of the blurred tile, whose energy exceeds that of noise
    alone.

    Parameters
    ----------
    image : ndarray
        (Y, X), the noisy tile.
    noise : ndarray
        (Y, X), noise like that of the tile, with no structure in it.

    Notes
    -----
    Chosen on eight images of FMD and six of W2S, filters alone: +0.09 dB in the mean, +0.30 at best and -0.01
    at worst, where parts by intensity lost up to 0.5, and by slopes that the noise chose 2 dB
    (docs/explanation/how-settings-were-found.md).
    """
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - not for planning

    excess = _slopes(image) - float(np.mean(_slopes(noise), dtype=np.float64))
    energy = np.maximum(gaussian_filter(excess, _AROUND_PX, mode="reflect"), 0)
    label = np.digitize(np.sqrt(energy) * _GUIDE_PX / float(np.std(noise, dtype=np.float64)), _CONTRASTS)
    for lost, taken_by in ((2, 1), (0, 1), (1, 0)):
        if 0 < np.count_nonzero(label == lost) < _LEAST_PX:
            label[label == lost] = taken_by
    present = np.unique(label)
    if len(present) == 1:
        return [np.ones(image.shape, np.float32)]
    soft = [gaussian_filter((label == one).astype(np.float32), _AROUND_PX, mode="reflect") for one in present]
    whole = np.sum(soft, axis=0)
    return [one / whole for one in soft]


def _slopes(image: Image) -> NDArray[np.float64]:
    """Return the squares of the slopes of an image (Y, X) under the guiding blur."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415

    along_y, along_x = np.gradient(gaussian_filter(image.astype(np.float64), _GUIDE_PX, mode="reflect"))
    found: NDArray[np.float64] = along_y**2 + along_x**2
    return found
