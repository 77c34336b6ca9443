"""The blur to beat: a Gaussian whose width the clean image chose, an upper bound for all blurs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.metrics.scaling import Plane

_WIDTHS_PX = 0.3 * 2.0 ** np.arange(0, 6.5, 0.5)
_PRECISION = 0.01


@dataclass(frozen=True)
class Blur:
    """A blurred plane."""

    plane: NDArray[np.float64]
    """(Y, X) float64, in detector counts."""
    sigma_px: float
    """Standard deviation of the Gaussian in pixels; 0 where no blur is better than none."""


def best_blur(noisy: Plane, clean: Plane) -> Blur:
    """Blur with the width that brings the noisy plane closest to the clean one.

    Nobody has the clean plane when it matters: this is an upper bound for blurs, not a method.

    Parameters
    ----------
    noisy, clean : ndarray
        (Y, X), in detector counts.

    Returns
    -------
    Blur
        Of the least squared error among widths from 0.3 to 19 pixels, found to about 1 percent.
    """
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415
    from scipy.optimize import minimize_scalar  # noqa: PLC0415

    plane, wanted = noisy.astype(np.float64), clean.astype(np.float64)

    def error(log_width: float) -> float:
        return float(np.mean((gaussian_filter(plane, np.exp(log_width)) - wanted) ** 2))

    steps = np.log(_WIDTHS_PX)
    best = int(np.argmin([error(step) for step in steps]))
    bounds = (steps[max(best - 1, 0)], steps[min(best + 1, len(steps) - 1)])
    found = minimize_scalar(error, bounds=bounds, method="bounded", options={"xatol": _PRECISION})
    log_width = found.x if found.fun < error(steps[best]) else steps[best]
    if error(log_width) >= float(np.mean((plane - wanted) ** 2)):
        return Blur(plane, 0.0)
    width = float(np.exp(log_width))
    return Blur(gaussian_filter(plane, width), width)
