"""What planes would become at many stops, of which one fit serves all: to find out which stop is best."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.fitting.fit import Fit
from autodip_zarr.dip.fitting.kept import Kept, look_steps
from autodip_zarr.dip.planes.begun import Begun, FittedTile, Outcome, TileTask, batches, fit_or_restart
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.settled import SettledFit, settle
from autodip_zarr.errors import FitError, OptionError

LAST: Final = "last"
"""The last output, the mean over the starts."""
AVERAGED: Final = "averaged"
"""The exponential average of the outputs, the mean over the starts."""
PRESET: Final = "preset"
"""What the recipe makes of the fits: what ``denoise`` would write."""
OUTPUTS: Final = (LAST, AVERAGED, PRESET)

_AVERAGING: Final = 0.98
"""Decay per step of the average where the recipe takes none; that of the other presets."""

Plane = NDArray[np.floating[Any]]
_AtStops = dict[tuple[int, str], FittedTile]


@dataclass(frozen=True)
class StoppedPlane:
    """What a plane would be with one count of a calibration table."""

    count: int
    """Iterations as a table gives them."""
    steps: int
    """Adam steps that the recipe makes of them on a field of this size."""
    outputs: Mapping[str, Plane]
    """(Y, X) in detector counts, by `OUTPUTS`."""
    seconds: float
    """Wall time of the fits up to these steps: of the whole fit, the part by its steps."""


def denoise_at_stops(
    noisy: Sequence[NDArray[np.generic]], job: FitJob, counts: Sequence[int], places: Sequence[Sequence[int]]
) -> Iterator[list[StoppedPlane] | FitError]:
    """Denoise planes with many counts of iterations at once.

    Each is what :func:`autodip_zarr.dip.planes.denoise.denoise_plane` gives with that count, unless a fit
    collapses within the steps just before it.

    Parameters
    ----------
    noisy : sequence of ndarray
        (Y, X) each, of one size and type, in detector counts.
    job : FitJob
        Network, recipe and device; its own count is not used.
    counts : sequence of int
        Iterations as a calibration table gives them.
    places : sequence of sequence of int
        Series, t, c, z of each plane, from which seeds are derived.

    Yields
    ------
    list of StoppedPlane or FitError
        One a plane, its stops in the order of ``counts``; an error for a plane whose fit diverged twice.

    Raises
    ------
    OptionError
        If the recipe fits nothing, stops by itself or fits planes on from one another.
    """
    recipe = job.recipe
    if not job.starts or recipe.stop == "auto" or recipe.sequence is not None:
        expected = "a preset that fits, with transferred stops, each plane on its own"
        raise OptionError("recipe", f"preset {recipe.preset}, stop {recipe.stop}", expected)
    together = len(noisy) if job.device.startswith("cuda") else 1  # a CPU is busy with the tiles of one
    for first in range(0, len(noisy), together):
        which = slice(first, first + together)
        yield from _together(noisy[which], job, counts, places[which])


def _together(
    noisy: Sequence[NDArray[np.generic]], job: FitJob, counts: Sequence[int], places: Sequence[Sequence[int]]
) -> Iterator[list[StoppedPlane] | FitError]:
    started = time.perf_counter()
    begun = [Begun.of(plane, job.recipe) for plane in noisy]
    settled = {
        count: settle(replace(job.config, iterations=count), job.recipe, begun[0].covering.tile)
        for count in dict.fromkeys(counts)
    }
    tasks = (task for one, place in zip(begun, places, strict=True) for task in one.tasks(job, place))
    tiles = iter([found for batch in batches(tasks, job) for found in _fit(batch, job, settled)])
    seconds = (time.perf_counter() - started) / len(noisy)
    longest = sum(fit.steps for fit in _longest(settled).values())
    for one in begun:
        found = [next(tiles) for _ in range(one.tiles)]
        errors = [tile for tile in found if isinstance(tile, FitError)]
        good = [tile for tile in found if not isinstance(tile, FitError)]
        if errors or not good:
            yield errors[0] if errors else FitError("plane", "has one value", "a plane to fit")
            continue
        yield [
            StoppedPlane(
                count,
                settled[count].steps,
                {name: one.finish([tile[count, name] for tile in good], 0.0).plane for name in OUTPUTS},
                seconds * settled[count].steps / longest,
            )
            for count in counts
        ]


def _fit(
    tasks: Sequence[TileTask], job: FitJob, settled: Mapping[int, SettledFit]
) -> list[_AtStops | FitError]:
    """Fit all starts of some tiles, and join them at each stop."""
    jobs = [one for task in tasks for one in task.jobs]
    kept: dict[SettledFit, list[Outcome | FitError]] = {}
    for kind, longest in _longest(settled).items():
        steps = sorted({step for fit in settled.values() if _kind(fit) == kind for step in _steps(fit)})
        asked = replace(longest, looks=0, kept=tuple(steps), averaging=longest.averaging or _AVERAGING)
        kept[kind] = fit_or_restart(jobs, asked, job.device) if jobs else []
    found: list[_AtStops | FitError] = []
    first = 0
    for task in tasks:
        which = slice(first, first + len(task.jobs))
        first = which.stop
        starts = {kind: fits[which] for kind, fits in kept.items()}
        errors = [one for fits in starts.values() for one in fits if isinstance(one, FitError)]
        found.append(errors[0] if errors else _join(task, starts, job, settled))
    return found


def _join(
    task: TileTask,
    starts: Mapping[SettledFit, Sequence[Outcome | FitError]],
    job: FitJob,
    settled: Mapping[int, SettledFit],
) -> _AtStops:
    """Join the starts of a tile at each stop, in each way."""
    alone, mixed = replace(task, noisy=None), task.filtered(job.recipe)
    found: _AtStops = {}
    for count, fit in settled.items():
        good = [one for one in starts[_kind(fit)] if not isinstance(one, FitError)]
        last, averaged = (
            [replace(one, fit=_stopped(one.fit, fit, averaged=way)) for one in good] for way in (False, True)
        )
        found[count, LAST] = alone.join(last, job.recipe)
        found[count, AVERAGED] = alone.join(averaged, job.recipe)
        found[count, PRESET] = mixed.join(last if job.recipe.averaging is None else averaged, job.recipe)
    return found


def _stopped(fit: Fit, settled: SettledFit, *, averaged: bool) -> Fit:
    """Return a fit as it would have ended with fewer steps."""
    kept = {one.steps: one for one in fit.kept}
    end = kept[settled.steps]
    looks = [(step, _average(kept[step])) for step in sorted(look_steps(settled.steps, settled.looks))]
    return replace(
        fit,
        image=_average(end) if averaged else end.output,
        iterations=settled.steps,
        looks=looks if settled.averaging is not None else (),
        kept=(),
    )


def _average(kept: Kept) -> NDArray[np.float32]:
    if kept.average is None:  # never: an average is always asked for here
        raise AssertionError
    return kept.average


def _steps(fit: SettledFit) -> set[int]:
    """Return after which steps something of a fit is needed."""
    return {fit.steps, *look_steps(fit.steps, fit.looks)}


def _kind(fit: SettledFit) -> SettledFit:
    """Return what fits must have in common so that the longest serves all."""
    return replace(fit, steps=0)


def _longest(settled: Mapping[int, SettledFit]) -> dict[SettledFit, SettledFit]:
    """Return the longest fit of each kind; with all presets there is one kind."""
    found: dict[SettledFit, SettledFit] = {}
    for fit in settled.values():
        if fit.steps >= found.get(_kind(fit), fit).steps:
            found[_kind(fit)] = fit
    return found
