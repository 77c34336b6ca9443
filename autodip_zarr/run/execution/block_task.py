"""Process one block: read, denoise or copy each plane, write, record."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.planes.job import DenoisedPlane, FitJob
from autodip_zarr.domain import Block, DipConfig, Header, Recipe, TargetSpec
from autodip_zarr.errors import AbsentPlaneError, FitError, PixelError, TargetError
from autodip_zarr.run.execution.fit_thread import in_fit_thread
from autodip_zarr.run.execution.statistics import describe, repeated_share, rounding_std, saturated_share
from autodip_zarr.run.locks.fencing import Fence
from autodip_zarr.run.method import Denoise, fit_prior
from autodip_zarr.run.results.integrity import is_whole
from autodip_zarr.run.scheduling.machine import peak_bytes
from autodip_zarr.stores import (
    RECORD_FIELDS,
    STATUS_COPIED,
    STATUS_DENOISED,
    STATUS_EMPTY,
    STATUS_FAILED,
    converted,
    read_each_plane,
    read_rows,
    write_block,
    write_failures,
    write_record,
    write_uncertainty,
)


@dataclass(frozen=True)
class BlockTask:
    """All that a worker needs to process one block; small, since it travels."""

    header: Header
    """The source."""
    spec: TargetSpec
    """The result."""
    block: Block
    """The planes."""
    config: DipConfig | None
    """Configuration; ``None`` copies the planes."""
    recipe: Recipe
    """Everything else that may change a pixel."""
    t: frozenset[int]
    """Time points to denoise; the others are copied."""
    z: frozenset[int]
    """Depths to denoise; the others are copied."""
    device: str
    """Torch device."""
    lock: str
    """Token of the run's lock on the result, which is compared before every write."""
    is_recorded: bool = False
    """Whether an earlier run recorded the block as done, so that it is only done again if it is not whole."""


@dataclass(frozen=True)
class BlockOutcome:
    """What became of a block."""

    denoised: int
    """Planes that were denoised."""
    copied: int
    """Planes that were copied, or left empty because their source holds nothing there."""
    failures: tuple[str, ...]
    """One reason for each plane that failed."""
    seconds: float
    """Wall time on the worker, waiting for other fits included."""
    fit_seconds: float = 0.0
    """For how long it had the device to itself."""
    peak_bytes: int | None = None
    """Most memory that the worker has had resident since it started; ``None`` where Linux does not tell."""
    empty: int = 0
    """Planes among those copied of which the source holds nothing."""


@dataclass(frozen=True)
class LostBlock:
    """A block that is given up."""

    task: BlockTask
    """What was to be done."""
    reason: str
    """Why it is given up, in words."""

    @property
    def spec(self) -> TargetSpec:
        """The result."""
        return self.task.spec


@dataclass
class _Rows:
    """The rows of the record that a block fills, plane by plane."""

    rows: list[list[float]] = field(default_factory=list)
    failures: dict[tuple[int, int], str] = field(default_factory=dict)
    count: dict[int, int] = field(default_factory=dict)

    def add(self, status: int, **values: float) -> None:
        self.count[status] = self.count.get(status, 0) + 1
        known = {"status": float(status), **values}
        self.rows.append([known.get(name, float("nan")) for name in RECORD_FIELDS])

    def fail(self, position: tuple[int, int], error: Exception) -> None:
        self.failures[position] = str(error)
        self.add(STATUS_FAILED)


def run_block(task: BlockTask, denoise: Denoise = fit_prior, *, alone: bool = False) -> BlockOutcome:
    """Process one block; what a worker is asked to do.

    Called on several threads of a worker at a time, it reads and writes at once, and fits in turn.

    Parameters
    ----------
    task : BlockTask
        The block.
    denoise : callable
        Denoises its planes.
    alone : bool
        Whether no other thread of this process fits, so that nobody has to take turns.
    """
    if task.is_recorded and is_whole(task.spec, task.block):
        return BlockOutcome(0, 0, (), 0.0)
    fit_seconds = 0.0

    def fit(
        noisy: Sequence[NDArray[np.generic]], job: FitJob, places: Sequence[Sequence[int]]
    ) -> list[DenoisedPlane | FitError]:
        nonlocal fit_seconds
        started = time.perf_counter()
        results = list(denoise(noisy, job, places))
        fit_seconds += time.perf_counter() - started
        return results

    in_turn = fit if alone else (lambda *arguments: in_fit_thread(lambda: fit(*arguments)))
    outcome = process_block(task, in_turn)
    return replace(outcome, fit_seconds=fit_seconds, peak_bytes=peak_bytes())


def run_block_again(task: BlockTask, denoise: Denoise = fit_prior) -> BlockOutcome:
    """Process a block whose worker was lost, unless that worker wrote and recorded it before."""
    return _recorded(task) or run_block(task, denoise)


def _recorded(task: BlockTask) -> BlockOutcome | None:
    """Return what became of a block that is recorded as done and whole; ``None`` where it is left to do."""
    try:
        status = read_rows(task.spec, task.block)[:, RECORD_FIELDS.index("status")]
    except TargetError:  # an entry that was cut off counts as not done
        return None
    if (np.isnan(status) | (status == STATUS_FAILED)).any() or not is_whole(task.spec, task.block):
        return None
    denoised, empty = (int((status == one).sum()) for one in (STATUS_DENOISED, STATUS_EMPTY))
    return BlockOutcome(denoised, status.size - denoised, (), 0.0, empty=empty)


def run_lost_block(lost: LostBlock) -> BlockOutcome:
    """Copy the planes of a block that is given up, and record them as failed with the reason.

    Unless it was recorded after all, by a worker that was taken for lost.
    """
    if (recorded := _recorded(lost.task)) is not None:
        return recorded
    error = FitError("fit", lost.reason)
    return process_block(lost.task, lambda noisy, _job, _places: [error for _ in noisy])


def process_block(task: BlockTask, denoise: Denoise) -> BlockOutcome:
    """Process one block.

    A plane that cannot be read is left empty, one that cannot be fitted is copied; both are recorded as
    failed with the reason. Writing the same block again is harmless.

    Parameters
    ----------
    task : BlockTask
        Source, result, planes and configuration.
    denoise : callable
        Denoises the chosen planes of the block.

    Raises
    ------
    TargetError
        If the result cannot be written, or is locked by another run by now.
    """
    started = time.perf_counter()
    fence = Fence(task.spec.uri, task.lock)
    rows = _Rows()
    noisy = read_each_plane(task.header, task.block.c, task.block.positions)
    results = _denoised(task, noisy, denoise)
    pixels = np.empty((len(noisy), task.spec.size("y"), task.spec.size("x")), task.spec.dtype)
    spreads = np.full(pixels.shape, np.nan, np.float32) if task.spec.uncertainty else None
    for index, (position, plane) in enumerate(zip(task.block.positions, noisy, strict=True)):
        settled, spread = _settle(task, position, plane, results, rows)
        if spreads is not None and spread is not None:
            spreads[index] = spread
        pixels[index] = converted(settled, task.spec.dtype, f"{task.spec.uri}: {_name(task.block, position)}")
    fence.check()
    stored = write_block(task.spec, task.block, pixels)
    if spreads is not None:
        stored |= write_uncertainty(task.spec, task.block, spreads)
    fence.check()
    if rows.failures:
        write_failures(task.spec, task.block, rows.failures)
    write_record(task.spec, task.block, np.array(rows.rows), stored)
    denoised, copied, empty = (
        rows.count.get(status, 0) for status in (STATUS_DENOISED, STATUS_COPIED, STATUS_EMPTY)
    )
    failures, seconds = tuple(failure_lines(task.block, rows.failures)), time.perf_counter() - started
    return BlockOutcome(denoised, copied + empty, failures, seconds, empty=empty)


def failure_lines(block: Block, reasons: Mapping[tuple[int, int], str]) -> list[str]:
    """Say which planes of a block failed, and why."""
    return [f"{_name(block, position)}: {reason}" for position, reason in reasons.items()]


def _name(block: Block, position: tuple[int, int]) -> str:
    t, z = position
    return f"c={block.c} t={t} z={z}"


def _is_fitted(task: BlockTask, position: tuple[int, int], plane: NDArray[np.generic] | PixelError) -> bool:
    t, z = position
    is_chosen = task.config is not None and t in task.t and z in task.z
    return is_chosen and not isinstance(plane, PixelError) and not _is_empty(task, plane)


def _is_empty(task: BlockTask, plane: NDArray[np.generic]) -> bool:
    """Return whether a plane of an OME-Zarr holds nothing but what stands for pixels never written.

    Not asked where planes are fitted on from one another: there such a plane has a place in the chain.
    """
    value = task.header.fill_value
    if value is None or task.recipe.sequence is not None:
        return False
    return bool(np.isnan(plane).all() if np.isnan(value) else (plane == value).all())


def _denoised(
    task: BlockTask, planes: Sequence[NDArray[np.generic] | PixelError], denoise: Denoise
) -> Iterator[DenoisedPlane | FitError]:
    """Denoise the chosen planes that could be read, in the order of the block."""
    if task.config is None:
        return
    pairs = list(zip(task.block.positions, planes, strict=True))
    chosen = [(at, plane) for at, plane in pairs if _is_fitted(task, at, plane)]
    series, c = task.header.ref.series or 0, task.block.c
    places = [(series, t, c, z) for (t, z), _ in chosen]
    noisy = [plane for _, plane in chosen if not isinstance(plane, PixelError)]
    yield from denoise(noisy, FitJob(task.config, task.recipe, task.device), places)


def _settle(
    task: BlockTask,
    position: tuple[int, int],
    noisy: NDArray[np.generic] | PixelError,
    results: Iterator[DenoisedPlane | FitError],
    rows: _Rows,
) -> tuple[NDArray[np.generic], NDArray[np.float32] | None]:
    """Return what is written for a plane and its spread, and enter it in the record.

    Takes its result from ``results``.
    """
    if isinstance(noisy, PixelError):
        empty = np.zeros((task.spec.size("y"), task.spec.size("x")), task.spec.dtype)
        if isinstance(noisy, AbsentPlaneError):
            rows.add(STATUS_EMPTY, minimum=0.0, maximum=0.0)
        else:
            rows.fail(position, noisy)
        return empty, None
    if task.config is not None and _is_empty(task, noisy):
        numbers = describe(noisy, noisy)
        rows.add(STATUS_EMPTY, minimum=numbers["minimum"], maximum=numbers["maximum"])
        return noisy, None
    if not _is_fitted(task, position, noisy):
        numbers = describe(noisy, noisy)
        rows.add(STATUS_COPIED, minimum=numbers["minimum"], maximum=numbers["maximum"])
        return noisy, None
    result = next(results)
    if isinstance(result, FitError):
        rows.fail(position, result)
        return noisy, None
    rows.add(
        STATUS_DENOISED,
        iterations=result.iterations,
        loss=result.loss,
        seconds=result.seconds,
        hot_pixels=result.hot_pixels,
        missing_pixels=result.missing_pixels,
        collapses=result.collapses,
        restarts=result.restarts,
        overshoot=result.overshoot,
        stop=result.stop,
        prior_share=result.prior_share,
        rounding_std=rounding_std(result.plane, task.spec.dtype),
        saturated_share=saturated_share(noisy),
        repeated_share=repeated_share(noisy),
        **describe(noisy, result.plane),
    )
    return result.plane, result.spread
