"""How much this process has done, so that whoever waits for it can tell slow from hung, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final


class Activity:
    """Counts what a process does: steps of a fit, requests to a store, strips of a pyramid.

    Only whether the count changes means anything; what is counted differs in size.
    """

    def __init__(self) -> None:
        self._count = 0

    @property
    def count(self) -> int:
        """What was counted since the process began."""
        return self._count

    def goes_on(self) -> None:
        """Note that something was done."""
        self._count += 1


ACTIVITY = Activity()
"""Of this process; nothing that is computed depends on it."""

_TOLD: Final[ContextVar[Callable[[int], None] | None]] = ContextVar("steps of fits", default=None)
"""Who is told of the steps of fits; of this thread, since others may fit something else."""


@contextmanager
def steps_told_to(told: Callable[[int], None]) -> Iterator[None]:
    """Within it, have a function told how many more Adam steps the fits of this thread have made."""
    token = _TOLD.set(told)
    try:
        yield
    finally:
        _TOLD.reset(token)


def tell_steps(count: int) -> None:
    """Tell whoever wants to know that a fit has made so many more Adam steps."""
    told = _TOLD.get()
    if told is not None and count:
        told(count)
