"""How much this process has done, so that whoever waits for it can tell slow from hung."""

from __future__ import annotations


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
