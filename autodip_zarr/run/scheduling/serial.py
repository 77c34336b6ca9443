"""Make calls in this process, one after the other, without Dask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from autodip_zarr.run.scheduling.dispatch import Call, Dispatcher, Offer

_HERE = "this process"


def drive_here(calls: Iterator[Call], done: Callable[[Call, Any], Iterable[Call]]) -> None:
    """Make all calls, and those that their results ask for, in the order in which one worker would.

    Each is made once: what fails here, for want of memory too, would fail here again.

    Parameters
    ----------
    calls : iterator of Call
        Taken one by one.
    done : callable
        Given each call with its result, or with the exception that it raised; answers with further
        calls, which are made before the next of ``calls``.
    """
    dispatcher = Dispatcher(calls)
    dispatcher.update({_HERE: Offer(threads=1)}, 0.0)
    while not dispatcher.is_done:
        placed = dispatcher.next(0.0)
        if placed is None:
            dispatcher.look_ahead()
            continue
        address, call = placed
        answer = _answer(call)
        dispatcher.answered(address, call, 0.0)
        dispatcher.follow(done(call, answer))


def _answer(call: Call) -> object:
    try:
        return call.function(call.argument)
    except Exception as error:  # noqa: BLE001 - as from a worker: who takes the answer judges it
        return error
