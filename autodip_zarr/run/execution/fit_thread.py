"""One thread of a worker process does all fits, while its other threads read and write."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

Answer = TypeVar("Answer")


@functools.cache
def _fit_thread() -> Executor:
    """Return the thread of this process; a daemon, so that a long fit never holds up the end of a worker."""
    from distributed.threadpoolexecutor import ThreadPoolExecutor  # noqa: PLC0415 - only workers come here

    executor: Executor = ThreadPoolExecutor(1, thread_name_prefix="fit")
    return executor


def in_fit_thread(call: Callable[[], Answer]) -> Answer:
    """Make a call when all earlier ones of this process are done, and wait for its answer.

    The device is thus used by one fit at a time, and always from the same thread, on which what a
    processor or card keeps by thread (thread teams, streams, graphs) stays warm.
    """
    return _fit_thread().submit(call).result()
