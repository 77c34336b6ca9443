"""Decide which call goes to which worker, and which worker has hung; knows neither Dask nor clocks."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

CALLS_PER_WORKER: Final = 3
"""Blocks on one worker at a time: one is read, one is fitted, one is written."""

_READ_AHEAD_BELOW_S: Final = 300.0
"""A call that lasts longer waits for a free worker: reading it ahead would gain nothing, and bind it."""

_LOOK_AHEAD: Final = 16
"""Calls from which the one that suits a worker is chosen, for each worker."""

_PATIENCE: Final = 64
"""How often the oldest call is passed over for one that suits better."""

_MOST_LOSSES: Final = 3
"""Workers that a call may lose before it is given up."""

SILENCE_S: Final = 600.0
"""How long a worker may make no step at all before it counts as hung; a step takes a minute at most."""

_LONGEST_LOOK_S: Final = 30.0
"""Of the time between two looks, more than this was spent by the one who looks, stopped or asleep."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call that a worker is asked to make."""

    function: Callable[[Any], Any]
    """What to call; importable on the worker."""
    argument: Any
    """Its one argument; small, since it travels."""
    seconds: float = 0.0
    """How long it lasts on a worker, roughly."""
    alike: Hashable = None
    """Calls with the same value share what a worker prepares for them; ``None`` where nothing is prepared."""
    held_bytes: int = 0
    """Memory that it takes on a worker from beginning to end."""
    turn_bytes: int = 0
    """Memory that it takes besides while it has its turn; one call of a worker has it at a time."""
    retry: Callable[[Any], Any] | None = None
    """What to call instead once a worker was lost that may have been done with it; ``None`` for the same."""
    losses: int = 0
    """Workers that died or hung while they had it."""


@dataclass(frozen=True)
class Offer:
    """What a worker has for calls."""

    threads: int
    """Calls that it can make at a time."""
    memory_bytes: float = math.inf
    """Memory that calls may take, besides what the worker takes itself."""
    activity: int | None = None
    """What the worker has counted of its steps; ``None`` where it does not tell (yet)."""


@dataclass
class WorkerState:
    """A worker, as far as work is handed to it."""

    slots: int
    """Calls that it can have at a time."""
    memory_bytes: float = math.inf
    """Memory that they may take together."""
    calls: list[Call] = field(default_factory=list)
    """Calls that it has, oldest first."""
    last: Hashable = None
    """What its last call was alike to."""
    heard_s: float = 0.0
    """When it last answered, or was given work after it had none; in seconds of the caller's clock."""
    activity: int | None = None
    """What it had counted of its steps when it was last looked at."""
    silent_s: float = 0.0
    """For how long it has neither answered nor counted any further."""

    def has_memory_for(self, call: Call) -> bool:
        """Say whether a further call fits beside those that it has."""
        calls = [*self.calls, call]
        held = sum(one.held_bytes for one in calls)
        return held + max(one.turn_bytes for one in calls) <= self.memory_bytes


class Dispatcher:
    """The calls that are left, and the workers that make them.

    - Every worker gets one call before any gets a second, which it reads while it fits the first, if it has
      the memory for both.
    - A worker goes on with calls that are alike, as long as nobody waits too long for it.
    - What follows from finished calls comes before new ones.
    - A call whose worker died or hung is tried again with a worker to itself: whichever of its companions
      was to blame, it does not take the others along a second time.
    - A worker has hung when it makes no steps, however slow those are that it makes.

    Parameters
    ----------
    calls : iterator of Call
        Taken one by one, as far ahead as needed to choose well.
    time_limit_s : float, optional
        Longest time of one call on a worker by the clock, for those who want one.
    """

    def __init__(self, calls: Iterator[Call], time_limit_s: float | None = None) -> None:
        self.workers: dict[str, WorkerState] = {}
        self._calls: Iterator[Call] | None = calls
        self._time_limit_s = time_limit_s
        self._urgent: deque[Call] = deque()
        self._suspects: deque[Call] = deque()
        self._waiting: deque[Call] = deque()
        self._passed_over = 0
        self._looked_s: float | None = None
        self.alone_s = 0.0
        """For how long there has been no worker at all."""

    @property
    def is_done(self) -> bool:
        """Whether no call is left, neither waiting nor with a worker."""
        waits = self._urgent or self._suspects or self._waiting or self._calls is not None
        return not waits and not any(worker.calls for worker in self.workers.values())

    def update(self, offers: Mapping[str, Offer], now_s: float) -> list[Call]:
        """Take over which workers there are; return the calls of those that are gone.

        Parameters
        ----------
        offers : mapping of str to Offer
            What each worker has, by address.
        now_s : float
            Time.
        """
        gone = [address for address in self.workers if address not in offers]
        lost = [call for address in gone for call in self.workers.pop(address).calls]
        passed_s = 0.0 if self._looked_s is None else min(now_s - self._looked_s, _LONGEST_LOOK_S)
        self._looked_s = now_s
        self.alone_s = 0.0 if offers else self.alone_s + passed_s
        for address, offer in offers.items():
            worker = self.workers.get(address)
            if worker is None:
                slots = max(1, min(offer.threads, CALLS_PER_WORKER))
                self.workers[address] = WorkerState(
                    slots, offer.memory_bytes, heard_s=now_s, activity=offer.activity
                )
            elif worker.activity != offer.activity:
                worker.activity, worker.silent_s = offer.activity, 0.0
            else:
                worker.silent_s += passed_s
        return lost

    def look_ahead(self) -> bool:
        """Take one more call from those that are left, if there is room; return whether one was taken."""
        room = _LOOK_AHEAD * max(1, len(self.workers))
        if self._calls is None or len(self._waiting) >= room:
            return False
        call = next(self._calls, None)
        if call is None:
            self._calls = None
            return False
        self._waiting.append(call)
        return True

    def follow(self, calls: Iterable[Call]) -> None:
        """Add calls that follow from finished ones."""
        self._urgent.extend(calls)

    def next(self, now_s: float) -> tuple[str, Call] | None:
        """Return a worker and the call to hand to it, or ``None`` where nothing can be handed out now."""
        free = [address for address, worker in self.workers.items() if len(worker.calls) < self._room(worker)]
        for address in sorted(free, key=lambda one: len(self.workers[one].calls)):
            worker = self.workers[address]
            call = self._choose(worker)
            if call is None:
                continue
            if not worker.calls:
                worker.heard_s, worker.silent_s = now_s, 0.0
            worker.calls.append(call)
            if call.alike is not None:
                worker.last = call.alike
            return address, call
        return None

    def _room(self, worker: WorkerState) -> int:
        """Return how many calls a worker may have now; a suspect is alone, and waits for an empty worker."""
        return 1 if self._suspects or any(call.losses for call in worker.calls) else worker.slots

    def _choose(self, worker: WorkerState) -> Call | None:
        if self._suspects:
            return self._suspects.popleft()
        if self._urgent:
            has_room = not worker.calls or worker.has_memory_for(self._urgent[0])
            return self._urgent.popleft() if has_room else None
        if not self._waiting:
            return None
        index = self._suiting(worker.last)
        call = self._waiting[index]
        if worker.calls and not (self._may_wait(call) and worker.has_memory_for(call)):
            return None
        self._passed_over = self._passed_over + 1 if index else 0
        del self._waiting[index]
        return call

    def _suiting(self, last: Hashable) -> int:
        """Return the index of the oldest call that is alike to the last, else of one that no worker is at."""
        if last is None or self._passed_over >= _PATIENCE:
            return 0
        taken = {worker.last for worker in self.workers.values()}
        alike = [call.alike for call in self._waiting]
        if last in alike:
            return alike.index(last)
        return next((index for index, one in enumerate(alike) if one not in taken), 0)

    def _may_wait(self, call: Call) -> bool:
        """Whether a call may go to a worker that has one already; near the end it waits for a free one."""
        is_tail = self._calls is None and len(self._waiting) <= len(self.workers)
        return not is_tail and call.seconds < _READ_AHEAD_BELOW_S

    def answered(self, address: str, call: Call, now_s: float) -> None:
        """Note that a worker is done with a call."""
        worker = self.workers.get(address)
        if worker is not None and call in worker.calls:
            worker.calls.remove(call)
            worker.heard_s, worker.silent_s = now_s, 0.0

    def lose(self, call: Call) -> bool:
        """Have a call tried again whose worker died or hung; ``False`` where it was tried often enough."""
        if call.losses + 1 >= _MOST_LOSSES:
            return False
        self._suspects.append(replace(call, function=call.retry or call.function, losses=call.losses + 1))
        return True

    def hung(self, now_s: float) -> dict[str, str]:
        """Return the workers that have hung, by address, each with what shows it, in words."""
        found = {}
        for address, worker in self.workers.items():
            if (
                worker.calls
                and self._time_limit_s is not None
                and now_s - worker.heard_s > self._time_limit_s
            ):
                found[address] = f"no answer for {self._time_limit_s:.0f} s"
            elif worker.calls and worker.silent_s > SILENCE_S:
                found[address] = f"no step made for {SILENCE_S:.0f} s"
        return found
