"""Denoise planes: scale, cover by tiles, fit, mix, blend, scale back."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autodip_zarr.dip.fitting.fit import Fit, Tile
from autodip_zarr.dip.fitting.tile_pool import TileJob, fit_tiles
from autodip_zarr.dip.planes.job import DenoisedPlane, FitJob, mean_of_passes
from autodip_zarr.dip.planes.mixture import Noisy, best_blur_px, mix, probes
from autodip_zarr.dip.planes.noise_sample import is_quiet, sample_noise
from autodip_zarr.dip.planes.scaling import Scaled, scale, scale_and_stabilise
from autodip_zarr.dip.planes.sequence import fit_run, runs
from autodip_zarr.dip.planes.tiles import Cover, blend, cover, cut, tile_seed
from autodip_zarr.dip.settled import SettledFit, batch_tiles, settle
from autodip_zarr.domain import Recipe, WarmStart
from autodip_zarr.errors import FitError

_NOISE: Final = -1
"""Place of the seed of a tile's noise sample, beside those of its starts."""

_TOLD: Final = "some 90 pixels or more a side, with noise"
_MOST_BLUR_PX: Final = 2.8
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
    tasks = (task for one, place in zip(begun, places, strict=True) for task in one.tasks(job, place))
    done = [found for batch in _batches(tasks, job) for found in _finish_tiles(batch, job)]
    seconds = (time.perf_counter() - started) / len(noisy)
    outcomes = iter(done)
    for one in begun:
        found = list(itertools.islice(outcomes, one.tiles))
        good = [outcome for outcome in found if not isinstance(outcome, FitError)]
        errors = [outcome for outcome in found if isinstance(outcome, FitError)]
        yield errors[0] if errors else one.finish(good, seconds)


def _batches(tasks: Iterator[_TileTask], job: FitJob) -> Iterator[list[_TileTask]]:
    """Yield tiles some at a time: what is kept along their fits is dropped before the next ones begin."""
    while batch := list(itertools.islice(tasks, batch_tiles(job.starts, job.device))):
        yield batch


def _finish_tiles(tasks: Sequence[_TileTask], job: FitJob) -> list[_FittedTile | FitError]:
    """Fit all starts of some tiles, and join them."""
    outcomes = iter(_fit_or_restart([one for task in tasks for one in task.jobs], job))
    found: list[_FittedTile | FitError] = []
    for task in tasks:
        starts = list(itertools.islice(outcomes, len(task.jobs)))
        errors = [one for one in starts if isinstance(one, FitError)]
        if not task.jobs and task.noisy is None and task.left is None:
            errors = [FitError("noise", "cannot be told from this plane", _TOLD, "use --preset standard")]
        good = [one for one in starts if not isinstance(one, FitError)]
        found.append(errors[0] if errors else task.join(good, job.recipe))
    return found


@dataclass(frozen=True)
class _Network:
    """A fitted network that the same tile of a neighbouring plane may be fitted on from."""

    seed: int
    """Seed of its input, which a chain keeps."""
    weights: Sequence[Tensor]
    """Its parameters."""


_Networks = Sequence[_Network | None]


def _denoise_chain(
    noisy: Sequence[NDArray[np.generic]], job: FitJob, places: Sequence[Sequence[int]], warm: WarmStart
) -> Iterator[DenoisedPlane | FitError]:
    """Denoise neighbouring planes, each on from the networks of the one before."""

    def fit(index: int, networks: _Networks | None) -> tuple[DenoisedPlane, _Networks]:
        started = time.perf_counter()
        begun = _Begun.of(noisy[index], job.recipe)
        before, after = iter(networks or ()), list[_Network | None]()
        tiles = []
        for batch in _batches(begun.tasks(job, places[index]), job):
            known = [list(itertools.islice(before, job.starts)) for _ in batch]
            given = [one for task, some in zip(batch, known, strict=True) if task.jobs for one in some]
            outcomes = iter(_fit_on([one for task in batch for one in task.jobs], job, given, warm))
            for task in batch:
                starts = list(itertools.islice(outcomes, len(task.jobs)))
                after += [_Network(one.seed, one.fit.weights) for one in starts] or [None] * job.starts
                tiles.append(task.join(starts, job.recipe))
        return begun.finish(tiles, time.perf_counter() - started), after

    for run in runs((scale(plane, job.recipe.scaling).image for plane in noisy), warm.least_correlation):
        for found in fit_run(run, fit, both_ways=warm.both_ways):
            yield found if isinstance(found, FitError) else mean_of_passes(found)


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

    @property
    def tiles(self) -> int:
        """Tiles that are fitted; none where there is nothing to fit."""
        return 0 if self.is_constant else len(self.covering.corners)

    def tasks(self, job: FitJob, place: Sequence[int]) -> Iterator[_TileTask]:
        """Yield the tiles, each when its turn comes; none where there is nothing to fit."""
        if self.is_constant:
            return
        usable = self.scaled.usable
        masks = [None] * len(self.covering.corners) if usable is None else cut(usable, self.covering)
        tiles = zip(cut(self.scaled.image, self.covering), masks, self.covering.corners, strict=True)
        for image, mask, corner in tiles:
            yield _TileTask.of(Tile(image, mask), job, (*place, *corner))

    def finish(self, tiles: Sequence[_FittedTile], seconds: float) -> DenoisedPlane:
        """Blend the tiles, and scale back."""
        hot, missing = self.scaled.hot_pixels, self.scaled.missing_pixels
        if self.is_constant:
            counts = self.noisy.astype(np.result_type(self.noisy.dtype, np.float32))
            if hot:
                counts = np.where(np.isfinite(counts), self.scaled.low, counts)
            return DenoisedPlane(counts, 0, 0.0, seconds, None, hot, missing)
        image = blend((tile.image for tile in tiles), self.covering)
        plane = self.scaled.unscale(image, self.noisy.dtype)
        if any(tile.is_left for tile in tiles):
            usable = True if self.scaled.usable is None else self.scaled.usable
            is_same = (image == self.scaled.image) & usable
            plane = np.where(is_same, self.noisy, plane).astype(plane.dtype)
        if missing:
            plane = np.where(np.isfinite(self.noisy), plane, self.noisy).astype(plane.dtype)
        deviations = [tile.deviation for tile in tiles if tile.deviation is not None]
        spread = self.scaled.unscale_spread(blend(deviations, self.covering), image) if deviations else None
        tiles = [tile for tile in tiles if not tile.is_left] or tiles  # of the fits
        return DenoisedPlane(
            plane,
            max(tile.iterations for tile in tiles),
            float(np.mean([tile.loss for tile in tiles])),
            seconds,
            spread,
            hot,
            missing,
            sum(tile.collapses for tile in tiles),
            sum(tile.restarts for tile in tiles),
            max(tile.overshoot for tile in tiles),
            float(np.mean([tile.stop for tile in tiles])),
            float(np.mean([tile.prior_share for tile in tiles])),
        )


@dataclass(frozen=True)
class _FittedTile:
    """What became of a tile."""

    image: NDArray[np.float32]
    """(Y, X) float32, on the scale from 0 to 1."""
    deviation: NDArray[np.float32] | None
    """(Y, X) float32, standard deviation over the starts; ``None`` for a single one."""
    iterations: int
    """Adam steps of each start, at most."""
    loss: float
    """Mean of their last mean squared errors."""
    collapses: int
    """How often weights were restored."""
    restarts: int
    """Starts that were begun again."""
    overshoot: float
    """The greatest of them; NaN where the stop was chosen."""
    stop: float
    """Steps after which the outputs were taken."""
    prior_share: float
    """Share of the fit in the result; the rest is of classical filters."""
    is_left: bool = False
    """Whether it stays as it is."""


@dataclass(frozen=True)
class _TileTask:
    """A tile that waits to be fitted."""

    jobs: Sequence[TileJob]
    """Its starts."""
    noisy: Noisy | None
    """The tile and its noise, if the result is to be mixed and the noise could be told."""
    left: _FittedTile | None = None
    """The tile as it is, where no pixel of it counts, or where nothing is fitted and there is no noise."""

    @classmethod
    def of(cls, tile: Tile, job: FitJob, place: Sequence[int]) -> _TileTask:
        """Make the task of a tile at a place: series, t, c, z, y, x."""
        recipe = job.recipe
        seeds = [tile_seed(recipe.seed, *place, start) for start in range(job.starts)]
        sample, is_there = None, tile.usable is None or bool(tile.usable.any())
        if is_there and recipe.mixed and job.starts != 1:
            sample = sample_noise(tile.image, tile.usable, tile_seed(recipe.seed, *place, _NOISE))
        if not is_there or (sample is None and not seeds and is_quiet(tile.image, tile.usable)):
            deviation = np.zeros(tile.image.shape, np.float32) if job.starts > 1 else None
            left = _FittedTile(tile.image, deviation, 0, 0.0, 0, 0, math.nan, 0.0, 0.0, is_left=True)
            return cls((), None, left)
        if sample is None:
            return cls([TileJob(tile, seed) for seed in seeds], None)
        noisy = Noisy(tile.image, tile.usable, sample)
        blur_px = recipe.optics * min(best_blur_px(noisy), _MOST_BLUR_PX) if recipe.optics else 0.0
        images = probes(noisy, recipe.probe, job.starts)
        tiles = [replace(tile, image=image, blur_px=blur_px) for image in images]
        return cls([TileJob(one, seed) for one, seed in zip(tiles, seeds, strict=True)], noisy)

    def join(self, starts: Sequence[_Outcome], recipe: Recipe) -> _FittedTile:
        """Join the starts to one tile."""
        if self.left is not None:
            return self.left
        if not starts and self.noisy is not None:
            return _filtered_alone(self.noisy, recipe)
        fits = [one.fit for one in starts]
        images, stop, overshoot = [fit.image for fit in fits], 0.0, max(fit.overshoot for fit in fits)
        mixed = None
        if self.noisy is not None and all(fit.looks for fit in fits):
            looks = [[look for _, look in fit.looks] for fit in fits]
            ways = {"with_filters": recipe.filters, "in_parts": recipe.in_parts}
            mixed = mix(self.noisy, looks, recipe.probe, **ways)
            images = [fit.looks[mixed.look][1] for fit in fits]
            stop, overshoot = fits[0].looks[mixed.look][0], math.nan
        share = 1.0 if mixed is None else mixed.shares.get("prior", 0.0)
        deviation = np.stack(images).std(axis=0, dtype=np.float32) if len(images) > 1 else None
        return _FittedTile(
            _mean(images) if mixed is None else mixed.image,
            None if deviation is None else deviation * np.float32(share),
            max(fit.iterations for fit in fits),
            float(np.mean([fit.loss for fit in fits])),
            sum(fit.collapses for fit in fits),
            sum(one.restarts for one in starts),
            overshoot,
            stop if mixed else float(max(fit.iterations for fit in fits)),
            share,
        )


def _filtered_alone(noisy: Noisy, recipe: Recipe) -> _FittedTile:
    """Return the mean of filters of least estimated error of a tile that is not fitted."""
    image = mix(noisy, (), recipe.probe, in_parts=recipe.in_parts).image
    distance = noisy.mean((image - noisy.image) ** 2)
    return _FittedTile(image, None, 0, distance, 0, 0, math.nan, stop=0.0, prior_share=0.0)


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


def _mean(images: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = np.stack(images).mean(axis=0, dtype=np.float32)
    return mean


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


def _fit_on(jobs: Sequence[TileJob], job: FitJob, networks: _Networks, warm: WarmStart) -> list[_Outcome]:
    """Fit the tiles of a plane on from those of its neighbour, from the start where that is not possible.

    There are as many networks as jobs, or none.

    Raises
    ------
    FitError
        If a tile fails both ways.
    """
    jobs = [replace(one, keep_weights=True) for one in jobs]
    found: dict[int, _Outcome] = {}
    known = {index: network for index, network in enumerate(networks) if network is not None}
    if known and jobs:
        begun = [
            replace(jobs[index], tile=replace(jobs[index].tile, weights=network.weights), seed=network.seed)
            for index, network in known.items()
        ]
        fits = fit_tiles(begun, _settled(job, jobs).on_from(warm), job.device)
        for (index, network), fit in zip(known.items(), fits, strict=True):
            if not isinstance(fit, FitError):
                found[index] = _Outcome(fit, network.seed, 0)
    left = [index for index in range(len(jobs)) if index not in found]
    for index, outcome in zip(left, _fit_or_restart([jobs[index] for index in left], job), strict=True):
        if isinstance(outcome, FitError):
            raise outcome
        found[index] = replace(outcome, restarts=outcome.restarts + (index in known))
    return [found[index] for index in range(len(jobs))]
