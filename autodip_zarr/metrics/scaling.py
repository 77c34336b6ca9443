"""The scale on which images are compared: minimum and maximum of the noisy one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.errors import OptionError

Plane = NDArray[np.generic]
"""(Y, X), any integer or float type, in detector counts."""


def scaled_by_noisy(image: Plane, clean: Plane, noisy: Plane) -> tuple[NDArray[np.float64], ...]:
    """Scale two planes by minimum and maximum of the noisy one.

    Parameters
    ----------
    image, clean, noisy : ndarray
        (Y, X), in detector counts.

    Returns
    -------
    image, clean : ndarray
        (Y, X) float64; 0 and 1 are the extremes of the noisy plane, values beyond them stay beyond.

    Raises
    ------
    OptionError
        The planes differ in shape, hold values that are not finite, or the noisy one has one value only.
    """
    shapes = {plane.shape for plane in (image, clean, noisy)}
    if len(shapes) != 1 or noisy.ndim != 2 or not noisy.size:
        found = f"image {image.shape}, clean {clean.shape}, noisy {noisy.shape}"
        raise OptionError("image, clean, noisy", found, "three planes (Y, X) of one shape")
    planes = [plane.astype(np.float64) for plane in (image, clean, noisy)]
    for name, plane in zip(("image", "clean", "noisy"), planes, strict=True):
        if not np.isfinite(plane).all():
            count = int(np.count_nonzero(~np.isfinite(plane)))
            raise OptionError(name, f"{count} pixels are NaN or infinite", "finite values", "crop them away")
    low, high = float(planes[2].min()), float(planes[2].max())
    if low == high:
        raise OptionError("noisy", f"all pixels are {low:g}", "a plane that sets a scale")
    return tuple((plane - low) / (high - low) for plane in planes[:2])
