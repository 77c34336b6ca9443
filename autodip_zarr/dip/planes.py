"""Denoise planes: scale, cover by tiles, fit, blend, scale back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.fit import Fit, fit_tile
from autodip_zarr.dip.tiles import blend, cover, cut, tile_seed
from autodip_zarr.domain import DipConfig, Recipe
from autodip_zarr.errors import FitError


@dataclass(frozen=True)
class FitJob:
    """How planes of one channel are fitted."""

    config: DipConfig
    """Architecture and number of iterations."""
    recipe: Recipe
    """Everything else that may change a pixel."""
    device: str
    """Torch device, for example ``"cpu"`` or ``"cuda:0"``."""


@dataclass(frozen=True)
class DenoisedPlane:
    """A denoised plane and what happened on the way."""

    plane: NDArray[np.float32]
    """(Y, X) float32, in the units of the noisy plane (detector counts)."""
    iterations: int
    """Adam steps of each fit; 0 where nothing had to be fitted."""
    loss: float
    """Mean over the tiles of the last mean squared error, on the scale of 0 to 1."""
    seconds: float
    """Wall time."""


def denoise_plane(noisy: NDArray[np.generic], job: FitJob, place: Sequence[int]) -> DenoisedPlane:
    """Denoise one plane.

    The plane is scaled by its own minimum and maximum, never by tile, so that tiles agree.

    Parameters
    ----------
    noisy : ndarray
        (Y, X), any integer or float type, in detector counts.
    job : FitJob
        Configuration, recipe and device.
    place : sequence of int
        Series, t, c, z of the plane; the seeds of its tiles are derived from it.

    Returns
    -------
    DenoisedPlane
        A plane of one single value is returned as it is.

    Raises
    ------
    FitError
        If the plane holds values that are not finite, or the fit diverges.
    """
    started = time.perf_counter()
    counts = noisy.astype(np.float32)
    if not np.isfinite(counts).all():
        bad = int((~np.isfinite(counts)).sum())
        raise FitError("plane", f"{bad} pixels are NaN or infinite", "finite values", "repair the source")
    low, high = counts.min(), counts.max()
    if low == high:
        return DenoisedPlane(counts, 0, 0.0, time.perf_counter() - started)
    scaled = (counts - low) / (high - low)
    height, width = scaled.shape
    covering = cover((height, width), job.recipe.tile_px, job.recipe.halo_px)
    fits = [
        _fit_starts(tile, job, (*place, *corner))
        for tile, corner in zip(cut(scaled, covering), covering.corners, strict=True)
    ]
    blended = blend([fit.image for fit in fits], covering) * (high - low) + low
    loss = float(np.mean([fit.loss for fit in fits]))
    return DenoisedPlane(blended, fits[0].iterations, loss, time.perf_counter() - started)


def _fit_starts(tile: NDArray[np.float32], job: FitJob, place: tuple[int, ...]) -> Fit:
    """Average the fits from several independent starts."""
    fits = [
        fit_tile(tile, job.config, job.recipe, tile_seed(job.recipe.seed, *place, start), job.device)
        for start in range(job.recipe.starts)
    ]
    image = np.stack([fit.image for fit in fits]).mean(axis=0, dtype=np.float32)
    loss = float(np.mean([fit.loss for fit in fits]))
    return Fit(image, fits[0].iterations, loss, sum(fit.collapses for fit in fits))
