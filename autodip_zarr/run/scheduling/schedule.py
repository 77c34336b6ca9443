"""Run calls on Dask workers: hand them out, take answers, replace workers that died or hung."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from autodip_zarr.activity import ACTIVITY
from autodip_zarr.errors import OptionError, WorkerError
from autodip_zarr.run.scheduling.connect import known_workers, revive
from autodip_zarr.run.scheduling.dispatch import Call, Dispatcher, Offer
from autodip_zarr.run.scheduling.machine import PROCESS_BYTES

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

GPU_SHARE: Final = 0.25
"""Part of a worker's resource ``GPU: 1`` that one call asks for; three are on it, of which one computes."""

_METRIC: Final = "autodip_activity"
"""Under which workers tell what they counted of their steps, with each of their heartbeats."""

_GONE: Final = "died or lost its connection"
_LOOK_EVERY_S: Final = 1.0
_REVIVE_EVERY_S: Final = 20.0
_TELL_ALONE_S: Final = 20.0
_RESTART_WITHIN_S: Final = 300.0
"""How long a worker may take to start again: Dask drops one for ever that is later, as on a busy machine."""


@dataclass(frozen=True)
class CallConditions:
    """Under which conditions calls are made."""

    device: str
    """``cpu`` or a CUDA device; for the latter, workers must offer the resource ``GPU``."""
    time_limit_s: float | None
    """Longest time of one call on a worker by the clock; ``None`` for as long as it goes on."""
    tell: Callable[[str], None]
    """Told what a person should know, in one line."""
    start_limit_s: float | None = None
    """How long there may be no worker at all; ``None`` for ever, as where jobs wait in a queue."""


def suitable(workers: Mapping[str, Mapping[str, Any]], device: str) -> dict[str, Offer]:
    """Return what the workers have that can make calls, by address.

    Parameters
    ----------
    workers : mapping
        What the scheduler says of each worker: ``nthreads``, ``memory_limit``, ``resources``.
    device : str
        ``cpu`` or a CUDA device.

    Raises
    ------
    OptionError
        If there are workers and none of them offers the card that is asked for.
    """
    if not device.startswith("cuda"):
        return {address: _offer(worker) for address, worker in workers.items()}
    offering = {
        address: _offer(worker)
        for address, worker in workers.items()
        if worker["resources"].get("GPU", 0) >= 1
    }
    if workers and not offering:
        hint = "start workers with `--resources GPU=1`, or choose --device cpu"
        raise OptionError("--device", f"{device}, but no worker offers a GPU", "the resource GPU: 1", hint)
    return offering


def _offer(worker: Mapping[str, Any]) -> Offer:
    limit = worker["memory_limit"]  # None or 0 where there is none
    memory = limit - PROCESS_BYTES if limit else math.inf
    return Offer(int(worker["nthreads"]), memory, worker.get("metrics", {}).get(_METRIC))


def _call_on_worker(function: Callable[[Any], Any], argument: Any) -> Any:  # noqa: ANN401
    """Make a call, and have this worker tell from now on what it counts of its steps."""
    from distributed import get_worker  # noqa: PLC0415 - half a second, not needed for planning

    get_worker().metrics.setdefault(_METRIC, _count)
    ACTIVITY.goes_on()
    return function(argument)


def _count(_worker: Worker) -> int:
    return ACTIVITY.count


def drive(
    client: Client,
    calls: Iterator[Call],
    done: Callable[[Call, Any], Iterable[Call]],
    conditions: CallConditions,
) -> None:
    """Make all calls, and those that their results ask for.

    A call whose worker dies, does not answer in time or runs out of memory is tried again; what it is given
    up for in the end is a `WorkerError`.

    Parameters
    ----------
    client : distributed.Client
        Where the workers are.
    calls : iterator of Call
        Taken one by one, as workers become free.
    done : callable
        Given each call with its result, or with the exception that it raised; answers with further
        calls, which are made before the next of ``calls``.
    conditions : CallConditions
        Device and time limit.

    Raises
    ------
    OptionError
        If no worker offers the device.
    WorkerError
        If no worker comes in the time that the conditions allow, or the scheduler is gone.
    """
    _Drive(client, Dispatcher(calls, conditions.time_limit_s), done, conditions).run()


class _Drive:
    """The effects of a dispatcher's decisions."""

    def __init__(
        self,
        client: Client,
        dispatcher: Dispatcher,
        done: Callable[[Call, Any], Iterable[Call]],
        conditions: CallConditions,
    ) -> None:
        self.client = client
        self.loop: Any = client.loop  # never None in a client that has connected
        self.dispatcher = dispatcher
        self.done = done
        self.conditions = conditions
        self.running: dict[Future[Any], tuple[str, Call]] = {}
        self.answers: SimpleQueue[tuple[Future[Any], object]] = SimpleQueue()
        self.avoided: set[str] = set()
        self.looked_s = float("-inf")
        self.revived_s = time.monotonic()
        self.is_waiting = False

    def run(self) -> None:
        while not self.dispatcher.is_done:
            self._look()
            while (placed := self.dispatcher.next(time.monotonic())) is not None:
                self._submit(*placed)
            may_wait = not self.dispatcher.look_ahead()
            with suppress(Empty):
                self._take(*self.answers.get(timeout=_LOOK_EVERY_S if may_wait else 0.001))

    def _look(self) -> None:
        """See which workers there are, and which have hung."""
        now = time.monotonic()
        if now - self.looked_s < _LOOK_EVERY_S:
            return
        workers = suitable(known_workers(self.client), self.conditions.device)
        offers = {address: offer for address, offer in workers.items() if address not in self.avoided}
        lost: dict[str, list[Call]] = {}
        for call in self.dispatcher.update(offers, now):
            lost.setdefault(self._forget(call), []).append(call)
        for address, calls in lost.items():
            self._lose(calls, WorkerError(f"worker {address}", _GONE))
        for address, how in self.dispatcher.hung(now).items():
            self._give_up_on(address, how)
        self.looked_s = now
        if now - self.revived_s > _REVIVE_EVERY_S:
            revive(self.client)
            self.revived_s = time.monotonic()
        self._tell_of_waiting()
        limit = self.conditions.start_limit_s
        if limit is not None and self.dispatcher.alone_s > limit:
            hint = "they may end as soon as they start: look for too little memory, or a full /tmp"
            raise WorkerError("workers", f"there has been none for {limit:.0f} s", "worker processes", hint)

    def _tell_of_waiting(self) -> None:
        """Say once that nothing goes on because there is no worker, each time that it comes to that."""
        is_waiting = self.dispatcher.alone_s > _TELL_ALONE_S
        if is_waiting and not self.is_waiting:
            self.conditions.tell(f"there has been no worker for {_TELL_ALONE_S:.0f} s; waiting for one")
        self.is_waiting = is_waiting

    def _give_up_on(self, address: str, how: str) -> None:
        """Replace a worker that does not answer, if it is ours to replace; else hand it nothing any more."""
        self.avoided.add(address)
        calls = self.dispatcher.workers.pop(address).calls
        if self.client.cluster is not None:
            with suppress(KeyError):  # Dask's, where the worker went by itself meanwhile
                self.client.restart_workers([address], timeout=_RESTART_WITHIN_S, raise_for_error=False)
        for call in calls:
            self._forget(call)
        self._lose(calls, WorkerError(f"worker {address}", how))

    def _submit(self, address: str, call: Call) -> None:
        resources = {"GPU": GPU_SHARE} if self.conditions.device.startswith("cuda") else None
        future = self.client.submit(
            _call_on_worker, call.function, call.argument, pure=False, workers=[address], resources=resources
        )
        self.running[future] = address, call
        self.loop.add_callback(self._fetch, future)

    def _take(self, future: Future[Any], answer: object) -> None:
        if future not in self.running:  # its worker was given up
            return
        address, call = self.running.pop(future)
        answer = self._judged(future, address, answer)
        self.dispatcher.answered(address, call, time.monotonic())
        if isinstance(answer, WorkerError | MemoryError):
            self.looked_s = float("-inf")
            self._lose([call], answer)
        else:
            self.dispatcher.follow(self.done(call, answer))

    def _lose(self, calls: Sequence[Call], error: Exception) -> None:
        """Have calls tried again whose worker was lost, and say so once; give up those often lost."""
        given_up = [call for call in calls if not self.dispatcher.lose(call)]
        said = str(error) or type(error).__name__
        if len(given_up) < len(calls):
            self.conditions.tell(f"{said}; what it had is tried again")
        if given_up:
            self.conditions.tell(f"{said}; what it had is given up")
        for call in given_up:
            self.dispatcher.follow(self.done(call, error))

    def _forget(self, call: Call) -> str:
        """Wait for a call no more, and return which worker it was with."""
        for future, (address, one) in list(self.running.items()):
            if one is call:
                del self.running[future]
                future.cancel()
                return address
        return ""

    async def _fetch(self, future: Future[Any]) -> None:
        """Wait for what comes out of a call, and queue it.

        Beside the driver, on the thread of Dask's client: a worker on a busy machine may take minutes to hand
        over what it is done with, and one that has hung never does, which nobody else waits for.
        """
        while True:
            try:
                error = await future.exception()
                answer = await future.result() if error is None else error
            except OSError:  # without a connection for a while
                await asyncio.sleep(_LOOK_EVERY_S)
            except CancelledError:  # by this program, or as all are once the scheduler was lost
                answer = None
                break
            else:
                break
        self.answers.put((future, answer))

    def _judged(self, future: Future[Any], address: str, answer: object) -> object:
        """Return the result of a call, or what it raised; a `WorkerError` if its worker is lost."""
        from distributed import KilledWorker  # noqa: PLC0415 - half a second, not needed for planning

        if future.cancelled():
            known_workers(self.client)  # if the scheduler is gone, no worker is to blame
            return WorkerError(f"worker {address}", _GONE)
        if isinstance(answer, KilledWorker):
            hint = "it may have run out of memory: take fewer --workers"
            return WorkerError(f"worker {address}", _GONE, hint=hint)
        return answer
