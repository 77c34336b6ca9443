"""Denoise planes: scale, cover by tiles, fit, blend, scale back."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autodip_zarr.dip.fitting.fit import Fit, Tile
from autodip_zarr.dip.fitting.tile_pool import TileJob, fit_tiles
from autodip_zarr.dip.planes.job import DenoisedPlane, FitJob
from autodip_zarr.dip.planes.scaling import Scaled, scale, scale_and_stabilise
from autodip_zarr.dip.planes.sequence import fit_run, runs
from autodip_zarr.dip.planes.tiles import Cover, blend, cover, cut, tile_seed
from autodip_zarr.dip.settled import SettledFit, settle
from autodip_zarr.domain import Recipe, WarmStart
from autodip_zarr.errors import FitError

_RESTART: Final = 1
"""What is added to a seed's place for the second attempt of a fit that diverged."""


def denoise_planes(
    noisy: Sequence[NDArray[np.generic]], job: FitJob, places: Sequence[Sequence[int]]
) -> Iterator[DenoisedPlane | FitError]:
    """Denoise planes of one channel, one after the other; on a card side by side.

    With ``recipe.sequence`` they are a chain: each is fitted on from the networks of the one before, unless
    the two are too unlike.

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
    if job.recipe.sequence is not None:
        yield from _denoise_chain(noisy, job, places, job.recipe.sequence)
        return
    together = len(noisy) if job.device.startswith("cuda") else 1  # a CPU is busy with the tiles of one
    for first in range(0, len(noisy), together):
        which = slice(first, first + together)
        yield from _denoise_together(noisy[which], job, places[which])


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
    (result,) = _denoise_together([noisy], job, [place])
    if isinstance(result, FitError):
        raise result
    return result


def _denoise_together(
    noisy: Sequence[NDArray[np.generic]], job: FitJob, places: Sequence[Sequence[int]]
) -> Iterator[DenoisedPlane | FitError]:
    """Denoise planes of one size, the tiles of all of them side by side."""
    started = time.perf_counter()
    begun = [_Begun.of(plane, job.recipe) for plane in noisy]
    jobs = [one.tile_jobs(job, place) for one, place in zip(begun, places, strict=True)]
    outcomes = iter(_fit_or_restart([tile_job for of_plane in jobs for tile_job in of_plane], job))
    seconds = (time.perf_counter() - started) / len(noisy)
    for one, of_plane in zip(begun, jobs, strict=True):
        found = list(itertools.islice(outcomes, len(of_plane)))
        good = [outcome for outcome in found if not isinstance(outcome, FitError)]
        errors = [outcome for outcome in found if isinstance(outcome, FitError)]
        yield errors[0] if errors else one.finish(good, job.starts, seconds)


@dataclass(frozen=True)
class _Network:
    """A fitted network that the same tile of a neighbouring plane may be fitted on from."""

    seed: int
    """Seed of its input, which a chain keeps."""
    weights: Sequence[Tensor]
    """Its parameters."""


def _denoise_chain(
    noisy: Sequence[NDArray[np.generic]], job: FitJob, places: Sequence[Sequence[int]], warm: WarmStart
) -> Iterator[DenoisedPlane | FitError]:
    """Denoise neighbouring planes, each on from the networks of the one before."""

    def fit(index: int, networks: Sequence[_Network] | None) -> tuple[DenoisedPlane, Sequence[_Network]]:
        started = time.perf_counter()
        begun = _Begun.of(noisy[index], job.recipe)
        outcomes = _fit_on(begun.tile_jobs(job, places[index]), job, networks or (), warm)
        plane = begun.finish(outcomes, job.starts, time.perf_counter() - started)
        return plane, [_Network(outcome.seed, outcome.fit.weights) for outcome in outcomes]

    for run in runs((scale(plane, job.recipe.scaling).image for plane in noisy), warm.least_correlation):
        for found in fit_run(run, fit, both_ways=warm.both_ways):
            yield found if isinstance(found, FitError) else _mean(found)


def _mean(passes: Sequence[DenoisedPlane]) -> DenoisedPlane:
    """Join the results of the passes over one plane."""
    if len(passes) == 1:
        return passes[0]
    spreads = [one.spread for one in passes if one.spread is not None]
    return replace(
        passes[0],
        plane=np.mean([one.plane for one in passes], axis=0, dtype=passes[0].plane.dtype),
        iterations=sum(one.iterations for one in passes),
        loss=float(np.mean([one.loss for one in passes])),
        seconds=sum(one.seconds for one in passes),
        spread=np.mean(spreads, axis=0, dtype=np.float32) if spreads else None,
        collapses=sum(one.collapses for one in passes),
        restarts=sum(one.restarts for one in passes),
    )


@dataclass(frozen=True)
class _Begun:
    """A plane on the scale from 0 to 1, and how it is cut."""

    noisy: NDArray[np.generic]
    scaled: Scaled
    covering: Cover

    @classmethod
    def of(cls, noisy: NDArray[np.generic], recipe: Recipe) -> _Begun:
        scaled = scale_and_stabilise(noisy, recipe.scaling, recipe.stabilisation)
        height, width = scaled.image.shape
        return cls(noisy, scaled, cover((height, width), recipe.tile_px, recipe.halo_px))

    @property
    def is_constant(self) -> bool:
        return self.scaled.low == self.scaled.high

    def tile_jobs(self, job: FitJob, place: Sequence[int]) -> list[TileJob]:
        """Return all fits of the plane, tile by tile the starts; none where there is nothing to fit."""
        if self.is_constant:
            return []
        usable = self.scaled.usable
        masks = [None] * len(self.covering.corners) if usable is None else cut(usable, self.covering)
        tiles = zip(cut(self.scaled.image, self.covering), masks, self.covering.corners, strict=True)
        return [
            TileJob(Tile(image, mask), tile_seed(job.recipe.seed, *place, *corner, start))
            for image, mask, corner in tiles
            for start in range(job.starts)
        ]

    def finish(self, outcomes: Sequence[_Outcome], starts: int, seconds: float) -> DenoisedPlane:
        """Average the starts, blend the tiles, and scale back."""
        hot, missing = self.scaled.hot_pixels, self.scaled.missing_pixels
        if self.is_constant:
            counts = self.noisy.astype(np.result_type(self.noisy.dtype, np.float32))
            if hot:
                counts = np.where(np.isfinite(counts), self.scaled.low, counts)
            return DenoisedPlane(counts, 0, 0.0, seconds, None, hot, missing)
        by_tile = [outcomes[first : first + starts] for first in range(0, len(outcomes), starts)]
        image = blend(map(_mean_of_starts, by_tile), self.covering)
        plane = self.scaled.unscale(image, self.noisy.dtype)
        if missing:
            plane = np.where(np.isfinite(self.noisy), plane, self.noisy).astype(plane.dtype)
        spread = None
        if starts > 1:
            spread = self.scaled.unscale_spread(
                blend(map(_deviation_of_starts, by_tile), self.covering), image
            )
        return DenoisedPlane(
            plane,
            max(outcome.fit.iterations for outcome in outcomes),
            float(np.mean([outcome.fit.loss for outcome in outcomes])),
            seconds,
            spread,
            hot,
            missing,
            sum(outcome.fit.collapses for outcome in outcomes),
            sum(outcome.restarts for outcome in outcomes),
            max(outcome.fit.overshoot for outcome in outcomes),
        )


@dataclass(frozen=True)
class _Outcome:
    """A fit, the seed of its input, and how many fits of its tile diverged before."""

    fit: Fit
    seed: int
    restarts: int


def _settled(job: FitJob, jobs: Sequence[TileJob]) -> SettledFit:
    """Settle how tiles of one size are fitted."""
    shape = (jobs[0].tile.image.shape[0], jobs[0].tile.image.shape[1])
    return settle(job.config, job.recipe, shape)


def _mean_of_starts(starts: Sequence[_Outcome]) -> NDArray[np.float32]:
    if len(starts) == 1:
        return starts[0].fit.image
    mean: NDArray[np.float32] = np.stack([start.fit.image for start in starts]).mean(axis=0, dtype=np.float32)
    return mean


def _deviation_of_starts(starts: Sequence[_Outcome]) -> NDArray[np.float32]:
    images = np.stack([start.fit.image for start in starts])
    deviation: NDArray[np.float32] = images.std(axis=0, dtype=np.float32)
    return deviation


def _fit_or_restart(jobs: Sequence[TileJob], job: FitJob) -> list[_Outcome | FitError]:
    """Fit tiles of one size; a fit that fails is begun once more, with another seed."""
    if not jobs:
        return []
    settled = _settled(job, jobs)
    fits = fit_tiles(jobs, settled, job.device)
    seeds = [one.seed for one in jobs]
    failed = [index for index, fit in enumerate(fits) if isinstance(fit, FitError)]
    again = [replace(jobs[index], seed=tile_seed(jobs[index].seed, _RESTART)) for index in failed]
    for index, fit in zip(failed, fit_tiles(again, settled, job.device), strict=True):
        fits[index], seeds[index] = fit, tile_seed(jobs[index].seed, _RESTART)
    return [
        fit if isinstance(fit, FitError) else _Outcome(fit, seed, int(index in failed))
        for index, (fit, seed) in enumerate(zip(fits, seeds, strict=True))
    ]


def _fit_on(
    jobs: Sequence[TileJob], job: FitJob, networks: Sequence[_Network], warm: WarmStart
) -> list[_Outcome]:
    """Fit the tiles of a plane on from those of its neighbour, from the start where that is not possible.

    Raises
    ------
    FitError
        If a tile fails both ways.
    """
    jobs = [replace(one, keep_weights=True) for one in jobs]
    found: dict[int, _Outcome] = {}
    if networks and jobs:
        begun = [
            replace(one, tile=replace(one.tile, weights=network.weights), seed=network.seed)
            for one, network in zip(jobs, networks, strict=True)
        ]
        for index, fit in enumerate(fit_tiles(begun, _settled(job, jobs).on_from(warm), job.device)):
            if not isinstance(fit, FitError):
                found[index] = _Outcome(fit, networks[index].seed, 0)
    left = [index for index in range(len(jobs)) if index not in found]
    for index, outcome in zip(left, _fit_or_restart([jobs[index] for index in left], job), strict=True):
        if isinstance(outcome, FitError):
            raise outcome
        found[index] = replace(outcome, restarts=outcome.restarts + bool(networks))
    return [found[index] for index in range(len(jobs))]
