"""Denoise planes: scale, cover by tiles, fit, mix, blend, scale back."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autodip_zarr.dip.fitting.tile_pool import TileJob, fit_tiles
from autodip_zarr.dip.planes.begun import Begun, FittedTile, Outcome, TileTask, batches, fit_or_restart
from autodip_zarr.dip.planes.job import DenoisedPlane, FitJob, mean_of_passes
from autodip_zarr.dip.planes.scaling import scale
from autodip_zarr.dip.planes.sequence import fit_run, runs
from autodip_zarr.dip.settled import SettledFit, settle
from autodip_zarr.domain import WarmStart
from autodip_zarr.errors import FitError

_TOLD: Final = "some 90 pixels or more a side, with noise"


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
    begun = [Begun.of(plane, job.recipe) for plane in noisy]
    tasks = (task for one, place in zip(begun, places, strict=True) for task in one.tasks(job, place))
    done = [found for batch in batches(tasks, job) for found in _finish_tiles(batch, job)]
    seconds = (time.perf_counter() - started) / len(noisy)
    outcomes = iter(done)
    for one in begun:
        found = list(itertools.islice(outcomes, one.tiles))
        good = [outcome for outcome in found if not isinstance(outcome, FitError)]
        errors = [outcome for outcome in found if isinstance(outcome, FitError)]
        yield errors[0] if errors else one.finish(good, seconds)


def _finish_tiles(tasks: Sequence[TileTask], job: FitJob) -> list[FittedTile | FitError]:
    """Fit all starts of some tiles, and join them."""
    outcomes = iter(_fit_or_restart([one for task in tasks for one in task.jobs], job))
    found: list[FittedTile | FitError] = []
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
        begun = Begun.of(noisy[index], job.recipe)
        before, after = iter(networks or ()), list[_Network | None]()
        tiles = []
        for batch in batches(begun.tasks(job, places[index]), job):
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


def _settled(job: FitJob, jobs: Sequence[TileJob]) -> SettledFit:
    """Settle how tiles of one size are fitted."""
    shape = (jobs[0].tile.image.shape[0], jobs[0].tile.image.shape[1])
    return settle(job.config, job.recipe, shape)


def _fit_or_restart(jobs: Sequence[TileJob], job: FitJob) -> list[Outcome | FitError]:
    """Fit tiles of one size as they are settled."""
    return fit_or_restart(jobs, _settled(job, jobs), job.device) if jobs else []


def _fit_on(jobs: Sequence[TileJob], job: FitJob, networks: _Networks, warm: WarmStart) -> list[Outcome]:
    """Fit the tiles of a plane on from those of its neighbour, from the start where that is not possible.

    There are as many networks as jobs, or none.

    Raises
    ------
    FitError
        If a tile fails both ways.
    """
    jobs = [replace(one, keep_weights=True) for one in jobs]
    found: dict[int, Outcome] = {}
    known = {index: network for index, network in enumerate(networks) if network is not None}
    if known and jobs:
        begun = [
            replace(jobs[index], tile=replace(jobs[index].tile, weights=network.weights), seed=network.seed)
            for index, network in known.items()
        ]
        fits = fit_tiles(begun, _settled(job, jobs).on_from(warm), job.device)
        for (index, network), fit in zip(known.items(), fits, strict=True):
            if not isinstance(fit, FitError):
                found[index] = Outcome(fit, network.seed, 0)
    left = [index for index in range(len(jobs)) if index not in found]
    for index, outcome in zip(left, _fit_or_restart([jobs[index] for index in left], job), strict=True):
        if isinstance(outcome, FitError):
            raise outcome
        found[index] = replace(outcome, restarts=outcome.restarts + (index in known))
    return [found[index] for index in range(len(jobs))]
