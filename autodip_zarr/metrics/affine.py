"""Pairs whose scales differ: the clean plane put on the scale of the noisy one, saturated pixels left out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.errors import OptionError
from autodip_zarr.metrics.scaling import Plane
from autodip_zarr.metrics.scores import Perceptual, Scores, score

_MOST_SLOPE: Final = 1.2
_MOST_OFFSET: Final = 0.1
"""Factor, and share of the clean plane's standard deviation, beyond which scales count as different."""

_LEAST_SATURATED: Final = 8
"""Pixels at the greatest value of a plane from which on they count as saturated."""


@dataclass(frozen=True)
class Comparable:
    """A pair on one scale."""

    noisy: Plane
    """(Y, X), as it was."""
    clean: Plane
    """(Y, X), on the scale of the noisy one; as it was where the two agreed."""
    counted: NDArray[np.bool_] | None
    """(Y, X), which pixels are scored; ``None`` for all."""
    slope: float
    """What the clean plane was multiplied by."""
    offset: float
    """What was added then, in counts of the noisy one."""

    @property
    def noise_std(self) -> float:
        """Standard deviation of noisy minus clean, over the range of the noisy plane."""
        difference = self.noisy.astype(np.float64) - self.clean.astype(np.float64)
        span = float(self.noisy.max()) - float(self.noisy.min())
        return float((difference if self.counted is None else difference[self.counted]).std()) / span

    def score(self, image: Plane, perceptual: Perceptual | None = None) -> Scores:
        """Score what was made of the noisy plane.

        Pixels that do not count are taken for right by SSIM and LPIPS, and are no part of the mean of PSNR.
        """
        if self.counted is None:
            return score(image, self.clean, self.noisy, perceptual)
        filled = np.where(self.counted, image, self.clean)
        found = score(filled, self.clean, self.noisy, perceptual)
        fewer = 10 * math.log10(self.counted.mean())
        return Scores(found.psnr + fewer, found.psnr_data_range + fewer, found.ssim, found.lpips)


def comparable(noisy: Plane, clean: Plane, scales: str) -> Comparable:
    """Put a pair on one scale.

    The noisy plane is a straight line of the clean one and noise, so that least squares of the noisy on the
    clean plane tell the line; the clean plane is moved onto it, once for the pair. What methods make of the
    noisy plane is compared as it is: a line for each of them would forgive lost contrast. MicroSSIM moves the
    one of the two for the same reason.

    Parameters
    ----------
    noisy, clean : ndarray
        (Y, X), in detector counts.
    scales : str
        ``same`` leaves the pair as it is, as the published numbers do; ``fitted`` puts the clean plane on the
        scale of the noisy one and leaves saturated pixels out; ``auto`` does where slope or offset say so.

    Raises
    ------
    OptionError
        The planes cannot be compared.

    References
    ----------
    Ashesh, Deschaut, Jug, MicroSSIM: Improved Structural Similarity for Comparing Microscopy Data, 2024.
    """
    if noisy.shape != clean.shape or noisy.ndim != 2:
        found = f"noisy {noisy.shape}, clean {clean.shape}"
        raise OptionError("noisy, clean", found, "two planes (Y, X) of one size")
    for name, plane in (("noisy", noisy), ("clean", clean)):
        if not np.isfinite(plane).all():
            count = int(np.count_nonzero(~np.isfinite(plane)))
            raise OptionError(name, f"{count} pixels are NaN or infinite", "finite values", "crop them away")
        if plane.min() == plane.max():
            raise OptionError(name, f"all pixels are {float(plane.min()):g}", "a plane that shows something")
    if scales == "same":
        return Comparable(noisy, clean, None, 1.0, 0.0)
    counted = ~(_saturated(noisy, also_low=False) | _saturated(clean, also_low=True))
    x, y = (plane[counted].astype(np.float64) for plane in (clean, noisy))
    if min(np.unique(x).size, np.unique(y).size) < 2:
        raise OptionError("noisy, clean", "all but saturated pixels are of one value", "planes with an image")
    slope = float(np.cov(x, y, bias=True)[0, 1] / x.var())
    offset = float(y.mean() - slope * x.mean())
    moved = abs(slope * x.mean() + offset - x.mean())
    agree = 1 / _MOST_SLOPE <= slope <= _MOST_SLOPE and moved <= _MOST_OFFSET * x.std()
    if scales == "auto" and agree:
        return Comparable(noisy, clean, None, 1.0, 0.0)
    if slope <= 0:
        found = f"the brighter the one, the darker the other (slope {slope:.2g})"
        raise OptionError("noisy, clean", found, "two images of one scene", "check which belong together")
    fitted = clean.astype(np.float64) * slope + offset
    return Comparable(noisy, fitted, None if counted.all() else counted, slope, offset)


def _saturated(plane: Plane, *, also_low: bool) -> NDArray[np.bool_]:
    """Return the pixels at a limit: of the pixel type, or the greatest value if several pixels share it.

    Zeros of a clean plane, a mean of many, were cut off; those of a noisy one may be pixels without photons.
    """
    greatest = plane == plane.max()
    kind = plane.dtype.kind in "ui"
    is_limit = kind and plane.max() == np.iinfo(plane.dtype.name).max
    few = np.count_nonzero(greatest) < _LEAST_SATURATED
    saturated = np.zeros(plane.shape, bool) if few and not is_limit else greatest
    return saturated | (plane == 0) if kind and also_low else saturated
