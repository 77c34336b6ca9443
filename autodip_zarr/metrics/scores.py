"""All metrics of one image at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autodip_zarr.metrics.pixels import psnr, psnr_data_range, ssim
from autodip_zarr.metrics.scaling import Plane

Perceptual = Callable[[Plane, Plane, Plane], float]
"""Distance of an image from the clean one, given the noisy one; `Lpips` is one."""


@dataclass(frozen=True)
class Scores:
    """How close an image is to the clean one."""

    psnr: float
    """Peak signal-to-noise ratio by the convention of AUTO-DIP, in decibels."""
    psnr_data_range: float
    """Peak signal-to-noise ratio by data range, in decibels."""
    ssim: float
    """Structural similarity; NaN for planes smaller than its window."""
    lpips: float | None
    """Perceptual distance; ``None`` where it was not asked for, NaN for planes too small for it."""


def score(image: Plane, clean: Plane, noisy: Plane, perceptual: Perceptual | None = None) -> Scores:
    """Compare an image with the clean one by all metrics.

    Parameters
    ----------
    image, clean, noisy : ndarray
        (Y, X), in detector counts.
    perceptual : callable, optional
        The loaded `Lpips`, which takes weights that may not be there.

    Raises
    ------
    OptionError
        The planes cannot be compared: their shapes differ, values are not finite, or the noisy one has one
        value only.
    """
    planes = (image, clean, noisy)
    distance = perceptual(*planes) if perceptual is not None else None
    return Scores(psnr(*planes), psnr_data_range(*planes), ssim(*planes), distance)
