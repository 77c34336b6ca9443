"""Denoise planes: scale, cover by tiles, fit, blend, scale back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.fit import Fit, Tile, fit_tile
from autodip_zarr.dip.iterations import iterations_for, perturbation_for
from autodip_zarr.dip.scaling import scale
from autodip_zarr.dip.tiles import blend, cover, cut, tile_seed
from autodip_zarr.domain import DipConfig, Recipe
from autodip_zarr.errors import FitError

RESTART: Final = 1
"""What is added to a seed's place for the second attempt of a fit that diverged."""


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

    plane: NDArray[np.floating[Any]]
    """(Y, X), in detector counts as the noisy plane; float32, or float64 for types that exceed it."""
    iterations: int
    """Adam steps of each fit; 0 where nothing had to be fitted."""
    loss: float
    """Mean over the tiles of the last mean squared error, on the scale of 0 to 1."""
    seconds: float
    """Wall time."""
    spread: NDArray[np.float32] | None = None
    """(Y, X) float32, standard deviation over the starts in detector counts; ``None`` for a single start."""
    hot_pixels: int = 0
    """Pixels that the scaling left out as hot; they are fitted from their surroundings."""
    missing_pixels: int = 0
    """Pixels that were NaN or infinite; they are left as they were."""
    collapses: int = 0
    """How often the weights of an earlier check were restored, over all fits."""
    restarts: int = 0
    """Fits that diverged and were begun again with another seed."""


def denoise_planes(
    noisy: Sequence[NDArray[np.generic]], job: FitJob, places: Sequence[Sequence[int]]
) -> Iterator[DenoisedPlane | FitError]:
    """Denoise planes of one channel, one after the other.

    Parameters
    ----------
    noisy : sequence of ndarray
        (Y, X) each, of one size and type, in detector counts.
    job : FitJob
        Configuration, recipe and device.
    places : sequence of sequence of int
        Series, t, c, z of each plane.

    Yields
    ------
    DenoisedPlane or FitError
        One a plane, in their order; an error for a plane whose fit diverged twice.
    """
    for plane, place in zip(noisy, places, strict=True):
        try:
            yield denoise_plane(plane, job, place)
        except FitError as error:
            yield error


def denoise_plane(noisy: NDArray[np.generic], job: FitJob, place: Sequence[int]) -> DenoisedPlane:
    """Denoise one plane.

    The plane is scaled as a whole, never by tile, so that tiles agree. Pixels that are NaN or infinite take
    no part in the fit and stay as they are. A plane whose other pixels all have one value is returned as is.

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
        The plane and what happened on the way.

    Raises
    ------
    FitError
        If a fit diverges twice.
    """
    started = time.perf_counter()
    scaled = scale(noisy, job.recipe.scaling)
    if scaled.low == scaled.high:
        counts = noisy.astype(np.result_type(noisy.dtype, np.float32))
        if scaled.hot_pixels:
            counts = np.where(np.isfinite(counts), scaled.low, counts)
        seconds = time.perf_counter() - started
        return DenoisedPlane(counts, 0, 0.0, seconds, None, scaled.hot_pixels, scaled.missing_pixels)
    height, width = scaled.image.shape
    covering = cover((height, width), job.recipe.tile_px, job.recipe.halo_px)
    masks = [None] * len(covering.corners) if scaled.usable is None else cut(scaled.usable, covering)
    tiles = zip(cut(scaled.image, covering), masks, covering.corners, strict=True)
    fits = [_fit_starts(Tile(image, usable), job, (*place, *corner)) for image, usable, corner in tiles]
    plane = scaled.unscale(blend([fit.image for fit in fits], covering), noisy.dtype)
    if scaled.missing_pixels:
        plane = np.where(np.isfinite(noisy), plane, noisy).astype(plane.dtype)
    spread = None
    if job.recipe.starts > 1:
        spread = blend([fit.spread for fit in fits], covering) * np.float32(scaled.high - scaled.low)
    return DenoisedPlane(
        plane,
        fits[0].iterations,
        float(np.mean([fit.loss for fit in fits])),
        time.perf_counter() - started,
        spread,
        scaled.hot_pixels,
        scaled.missing_pixels,
        sum(fit.collapses for fit in fits),
        sum(fit.restarts for fit in fits),
    )


@dataclass(frozen=True)
class _Starts:
    """The average of the fits from several starts."""

    image: NDArray[np.float32]
    spread: NDArray[np.float32]
    iterations: int
    loss: float
    collapses: int
    restarts: int


def _fit_starts(tile: Tile, job: FitJob, place: tuple[int, ...]) -> _Starts:
    """Average the fits from several independent starts."""
    shape = (tile.image.shape[0], tile.image.shape[1])
    config = replace(job.config, iterations=iterations_for(job.config, job.recipe, shape))
    recipe = replace(job.recipe, perturbation=perturbation_for(job.config, job.recipe, shape))
    job = replace(job, config=config, recipe=recipe)
    runs = [fit_or_restart(tile, job, (*place, start)) for start in range(job.recipe.starts)]
    images = np.stack([fit.image for fit, _ in runs])  # (starts, Y, X)
    return _Starts(
        images.mean(axis=0, dtype=np.float32),
        images.std(axis=0, dtype=np.float32),
        runs[0][0].iterations,
        float(np.mean([fit.loss for fit, _ in runs])),
        sum(fit.collapses for fit, _ in runs),
        sum(restarted for _, restarted in runs),
    )


def fit_or_restart(tile: Tile, job: FitJob, place: tuple[int, ...]) -> tuple[Fit, bool]:
    """Fit a tile; if the fit diverges, begin once more with another seed.

    Returns
    -------
    fit : Fit
        What came out.
    restarted : bool
        Whether the first fit diverged.

    Raises
    ------
    FitError
        If the second fit diverges as well.
    """
    seed = tile_seed(job.recipe.seed, *place)
    try:
        return fit_tile(tile, job.config, job.recipe, seed, job.device), False
    except FitError:
        again = tile_seed(seed, RESTART)
        return fit_tile(tile, job.config, job.recipe, again, job.device), True
