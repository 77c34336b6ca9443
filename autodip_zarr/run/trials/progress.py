"""How far a fit in this process is, told to whoever waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from autodip_zarr.activity import steps_told_to

_BETWEEN_S: Final = 0.25
"""Least time between two tellings, in seconds."""


@dataclass(frozen=True)
class FitProgress:
    """How far `denoise_array` or `preview` is.

    Examples
    --------
    Any bar with the attributes ``total`` and ``n`` and a ``refresh()``, such as that of tqdm, shows it::

        from tqdm.auto import tqdm

        with tqdm(unit="step") as bar:
            denoised = denoise_array(noisy, progress=lambda now: now.show_on(bar))
    """

    steps_done: int
    """Adam steps that were made, over all tiles, starts and planes."""
    steps_total: int
    """Adam steps in all, as far as is known: fits that end early make fewer, those begun again more; 0 where
    nothing is fitted, as with the preset ``fast``, so that planes alone tell how far it is."""
    planes_done: int
    """Planes that are denoised."""
    planes_total: int
    """Planes in all."""
    seconds: float
    """Time since the beginning, in seconds."""
    seconds_left: float | None
    """Time left if the other steps go as those before, in seconds; ``None`` before there were any."""

    def show_on(self, bar: Any) -> None:  # noqa: ANN401 - of any library
        """Move a bar with the attributes ``total`` and ``n`` and a ``refresh()``, such as one of tqdm."""
        steps, planes = (self.steps_total, self.steps_done), (self.planes_total, self.planes_done)
        bar.total, bar.n = steps if self.steps_total else planes
        bar.refresh()


TellProgress = Callable[[FitProgress], None]
"""A function that is told how far a fit is: at its beginning and end, at most four times a second between.

It is called by the thread that fits; what it raises ends the fit.
"""


class Meter:
    """Counts steps and planes of one call, and tells of them.

    Parameters
    ----------
    tell : callable
        Who is told.
    expected : sequence of int
        Most steps of each plane, in the order in which they end.
    """

    def __init__(self, tell: TellProgress, expected: Sequence[int]) -> None:
        self._tell, self._expected = tell, expected
        self._steps = self._planes = self._steps_of_planes = 0
        self._left = sum(expected)
        self._started = self._told = time.monotonic()
        self._first: tuple[float, int] | None = None

    def step(self, count: int) -> None:
        """Count steps of the fit at hand."""
        self._steps += count
        now = time.monotonic()
        if self._first is None:  # what loads torch and prepares networks is no measure of steps
            self._first = (now, self._steps)
        if now - self._told >= _BETWEEN_S:
            self.tell(now)

    def plane(self) -> None:
        """Count a plane that is done; from then on, as many steps are left as the other planes take."""
        self._left -= self._expected[self._planes]
        self._planes += 1
        self._steps_of_planes = self._steps
        now = time.monotonic()
        if not self._steps and now - self._told >= _BETWEEN_S:
            self.tell(now)

    def tell(self, now: float | None = None) -> None:
        """Tell how far it is."""
        self._told = time.monotonic() if now is None else now
        total = max(self._steps, self._steps_of_planes + self._left)
        left = self._seconds_left(total)
        seconds = self._told - self._started
        planes = (self._planes, len(self._expected))
        self._tell(FitProgress(self._steps, total, *planes, seconds, left))

    def _seconds_left(self, total: int) -> float | None:
        planes_left = len(self._expected) - self._planes
        if not total and planes_left:
            return (self._told - self._started) / self._planes * planes_left if self._planes else None
        if total == self._steps:
            return 0.0
        if self._first is None or self._steps == self._first[1]:
            return None
        since, steps = self._first
        return (self._told - since) / (self._steps - steps) * (total - self._steps)


class _Unwatched(Meter):
    """A meter that nobody reads."""

    def __init__(self) -> None:
        super().__init__(lambda _: None, ())

    def plane(self) -> None:
        """Count nothing."""


@contextmanager
def metered(tell: TellProgress | None, expected: Sequence[int]) -> Iterator[Meter]:
    """Tell how far the fits within are, whose planes the caller counts; nothing where nobody asks."""
    if tell is None:
        yield _Unwatched()
        return
    meter = Meter(tell, expected)
    meter.tell()
    with steps_told_to(meter.step):
        yield meter
    meter.tell()
