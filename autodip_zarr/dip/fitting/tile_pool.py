"""Fit several tiles side by side on one device, as many as its memory holds.

Each tile has a network of its own, with its own seed, input, perturbation, average and collapse check, so
that a result does not depend on its companions. On a card every network is a pair of CUDA graphs on a stream
of its own: kernels of different networks run at the same time where one alone would leave the card idle, and
the graphs are kept for the next tiles of the same configuration and size. On a CPU networks are fitted one
after the other: together they would be no faster.
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import threading
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Final

import torch

from autodip_zarr.activity import ACTIVITY, tell_steps
from autodip_zarr.dip.fitting.fit import Fit, Prior, Tile, prepare, set_up_card, steps_of
from autodip_zarr.dip.fitting.graphs import SWITCH, CapturedPrior, capture
from autodip_zarr.dip.settled import SettledFit
from autodip_zarr.errors import FitError

MOST_AT_ONCE: Final = 16
"""Networks side by side beyond which a card is taken to be busy all the time, whatever its memory holds."""

_SPARE: Final = 0.1
"""Part of a card's memory that is left free: for weights that are kept, and for other programs."""

_NO_MEMORY: Final = ("DefaultCPUAllocator", "bad_alloc", "out of memory", "ALLOC_FAILED")
_ONE_AT_A_TIME: Final = threading.Lock()
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class TileJob:
    """One tile to fit."""

    tile: Tile
    """The noisy image."""
    seed: int
    """Of the initial weights, the input and the perturbation."""
    keep_weights: bool = False
    """Whether the fit comes back with its weights, which take memory of the device."""


@dataclass(frozen=True)
class NetworkKind:
    """What networks must have in common so that one can take the place of another."""

    fit: SettledFit
    """How tiles are fitted, but for the number of steps, which is 0 here."""
    shape: tuple[int, int]
    """Size of the padded tile (Y', X'), in pixels."""
    device: str
    """Torch device."""


def fit_tiles(
    jobs: Sequence[TileJob], settled: SettledFit, device: str, at_once: int | None = None
) -> list[Fit | FitError]:
    """Fit tiles of one size, each as :func:`autodip_zarr.dip.fitting.fit.fit_tile` would.

    Where memory runs out, half as many are fitted at once, and the work goes on.

    Parameters
    ----------
    jobs : sequence of TileJob
        The tiles and their seeds.
    settled : SettledFit
        How they are fitted.
    device : str
        A torch device.
    at_once : int or None
        Networks at once; ``None`` for one on a CPU, and for what the memory of a card holds.

    Returns
    -------
    list of Fit or FitError
        One a job, in their order; an error for a fit that diverged, or for which memory does not suffice even
        alone.
    """
    if not jobs:
        return []
    shape = settled.architecture.padded_shape(jobs[0].tile.image.shape)
    kind = NetworkKind(replace(settled, steps=0), shape, device)
    if torch.device(device).type != "cuda":
        return TilePool(kind, at_once or 1).fit(jobs, settled.steps)
    set_up_card(settled, device)  # says so where there is none
    with _ONE_AT_A_TIME, torch.cuda.device(device):
        pool = _kept_pool(kind)
        pool.at_once = at_once or pool.at_once
        return pool.fit(jobs, settled.steps)


@functools.lru_cache(maxsize=1)
def _kept_pool(kind: NetworkKind) -> TilePool:
    """Return the pool of the last call, with its graphs, if it is of this kind; else a new one instead."""
    return TilePool(kind)


def room_for(slot_bytes: int, free_bytes: int, total_bytes: int) -> int:
    """Return how many more networks a card holds.

    Parameters
    ----------
    slot_bytes : int
        What the first took.
    free_bytes, total_bytes : int
        Memory of the card: free now, and in all.
    """
    return max(0, int((free_bytes - _SPARE * total_bytes) / max(1, slot_bytes)))


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error means that memory could not be had, on the card or on the host."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY)


@dataclass
class Slot:
    """A place on the device for one network after another."""

    kind: NetworkKind
    stream: torch.cuda.Stream | None
    captured: CapturedPrior | None = None

    @classmethod
    def on(cls, kind: NetworkKind) -> Slot:
        """Make a slot, on a card with a stream of its own."""
        if torch.device(kind.device).type != "cuda":
            return cls(kind, None)
        return cls(kind, torch.cuda.Stream(kind.device))  # type: ignore[no-untyped-call]

    def turns(self, job: TileJob, steps: int) -> Generator[int, None, Fit]:
        """Fit one tile; see :func:`autodip_zarr.dip.fitting.fit.steps_of`."""
        fit = yield from steps_of(self._prior(job.seed, steps), job.tile)
        return replace(fit, weights=[one.clone() for one in fit.weights] if job.keep_weights else ())

    def turn(self) -> AbstractContextManager[object]:
        """Within it, work goes to the stream of this slot."""
        return nullcontext() if self.stream is None else torch.cuda.stream(self.stream)

    def _prior(self, seed: int, steps: int) -> Prior:
        kind = self.kind
        fresh = functools.partial(prepare, replace(kind.fit, steps=steps), kind.shape, seed, kind.device)
        if self.stream is None or os.environ.get(SWITCH) == "0":
            return fresh()
        if self.captured is None:
            self.captured = capture(fresh())
        self.captured.restart_as(fresh())
        return self.captured


@dataclass
class _Work:
    """A tile on a slot."""

    index: int
    job: TileJob
    slot: Slot
    turns: Generator[int, None, Fit]
    made: int = 0
    """Steps so far."""

    def turn(self) -> Fit | FitError | None:
        """Go on until the device would have to be waited for; ``None`` means that it is not over."""
        ACTIVITY.goes_on()
        try:
            with self.slot.turn():
                made = next(self.turns)
        except StopIteration as end:
            fit: Fit = end.value
            return fit
        except FitError as error:
            return error
        tell_steps(made - self.made)
        self.made = made
        return None


@dataclass
class TilePool:
    """Tiles of one kind, and the slots on which they take turns."""

    kind: NetworkKind
    at_once: int | None = None
    """Most slots in use; ``None`` until the first has shown how much memory of the card it takes."""
    free: list[Slot] = field(default_factory=list)
    """Slots that nobody uses, with their graphs."""
    steps: int = 0
    """Adam steps of each fit at hand."""
    waiting: deque[tuple[int, TileJob]] = field(default_factory=deque)
    running: list[_Work] = field(default_factory=list)
    done: dict[int, Fit | FitError] = field(default_factory=dict)

    def fit(self, jobs: Sequence[TileJob], steps: int) -> list[Fit | FitError]:
        """Fit all tiles; see :func:`fit_tiles`."""
        self.waiting, self.running, self.done = deque(enumerate(jobs)), [], {}
        self.steps = steps
        while self.waiting or self.running:
            if self.at_once is None:
                self.at_once = self._plan()
            while self.waiting and len(self.running) < self.at_once:
                self._begin(*self.waiting.popleft())
            self._take_turns()
        return [self.done.pop(index) for index in range(len(jobs))]

    def _begin(self, index: int, job: TileJob) -> None:
        slot = self.free.pop() if self.free else Slot.on(self.kind)
        self.running.append(_Work(index, job, slot, slot.turns(job, self.steps)))

    def _take_turns(self) -> None:
        for work in tuple(self.running):
            try:
                result = work.turn()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._make_room(work, error)
                return
            if result is not None:
                self.running.remove(work)
                self.free.append(work.slot)
                self.done[work.index] = result

    def _make_room(self, failed: _Work, error: Exception) -> None:
        """Go on with half of the tiles; the others begin again later, from the same seeds."""
        others = [work for work in self.running if work is not failed]
        if not others:
            size = "x".join(map(str, self.kind.shape))
            hint = "choose a smaller --tile or fewer --workers"
            self.done[failed.index] = FitError("memory", f"not enough for {size} pixels: {error}", "", hint)
            self.running = []
            return
        self.at_once = (len(others) + 1) // 2
        _LOG.warning(
            "out of memory with %d networks at once, going on with %d", len(others) + 1, self.at_once
        )
        self.running, dropped = others[: self.at_once], [*others[self.at_once :], failed]
        for work in dropped:  # with their slots
            work.turns.close()
            self.waiting.appendleft((work.index, work.job))

    def _plan(self) -> int:
        """Let the first tile begin, see how much memory of the card it takes, and say how many it holds."""
        gc.collect()  # the pool before this one
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved()
        self._begin(*self.waiting.popleft())
        self._take_turns()
        taken = torch.cuda.memory_reserved() - before
        return min(MOST_AT_ONCE, 1 + room_for(taken, *torch.cuda.mem_get_info()))
