"""Call a function on item after item, some of them ahead of time on threads, so that waiting overlaps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_THREADS: Final = 16
"""Calls under way at once: they wait for files and servers, and hardly use a processor."""

_AHEAD: Final = 2 * _THREADS


def prefetch(function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[tuple[Item, Answer]]:
    """Yield each item with what the function makes of it, in the order of the items.

    At most 32 items are taken ahead of the one that is yielded. The first is called alone, then two, four,
    and so on: who wants one image only waits for one, and what many images share is read by the first.

    Parameters
    ----------
    function : callable
        Called on threads; must not raise anything but what should end it all.
    items : iterable
        Taken one by one, on the thread of the caller.
    """
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="prefetch")
    waiting: deque[tuple[Item, Future[Answer]]] = deque()
    room = 1
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) >= room:
                first, future = waiting.popleft()
                yield first, future.result()
                room = min(_AHEAD, 2 * room)
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def side_by_side(function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
    """Yield what a function makes of each item, as ``map`` does; see `prefetch`."""
    for _, answer in prefetch(function, items):
        yield answer
