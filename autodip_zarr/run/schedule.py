"""Run calls on Dask workers, a bounded number at a time."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autodip_zarr.errors import OptionError
from autodip_zarr.run.choices import Machine
from autodip_zarr.run.cluster_file import read_cluster
from autodip_zarr.run.clusters import connect_cluster
from autodip_zarr.run.machine import resolve_device, usable_cores

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_SECONDS = 20
_WINDOW_PER_WORKER = 3


@dataclass(frozen=True)
class Call:
    """One call that a worker is asked to make."""

    function: Callable[[Any], Any]
    """What to call; importable on the worker."""
    argument: Any
    """Its one argument; small, since it travels."""


@contextmanager
def connect(machine: Machine) -> Iterator[Client]:
    """Connect to a running scheduler, or start workers: those of a cluster file, or on this machine.

    On this machine, one single-threaded worker process a core, or one for the GPU.

    Raises
    ------
    OptionError
        If no scheduler answers at the address, or the workers cannot be started.
    """
    if machine.cluster is not None:
        with connect_cluster(read_cluster(machine.cluster)) as client:
            yield client
        return
    from distributed import Client, LocalCluster  # noqa: PLC0415 - half a second, not needed for planning

    if machine.scheduler is not None:
        try:
            client = Client(machine.scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            hint = "start one with `dask scheduler`"
            raise OptionError(
                "--scheduler", f"{machine.scheduler}: {error}", "a Dask scheduler", hint
            ) from error
        with client:
            yield client
        return
    on_gpu = resolve_device(machine.device).startswith("cuda")
    workers = machine.workers or (1 if on_gpu else usable_cores())
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def drive(client: Client, calls: Iterator[Call], done: Callable[[Call, Any], Iterable[Call]]) -> None:
    """Make all calls, and those that their results ask for.

    Parameters
    ----------
    client : distributed.Client
        Where the workers are.
    calls : iterator of Call
        Taken one by one, as workers become free.
    done : callable
        Given each call with its result, or with the exception that it raised; answers with further
        calls, which are made before the next of ``calls``.
    """
    from distributed import as_completed  # noqa: PLC0415 - see above

    waiting: deque[Call] = deque()
    running: dict[Any, Call] = {}
    completed = as_completed(loop=client.loop)

    def submit() -> bool:
        call = waiting.popleft() if waiting else next(calls, None)
        if call is None:
            return False
        future = client.submit(call.function, call.argument, pure=False)
        running[future] = call
        completed.add(future)
        return True

    while True:
        threads = sum(client.nthreads().values()) or 1
        while len(running) < threads * _WINDOW_PER_WORKER and submit():
            pass
        if not running:
            return
        future = next(completed)
        call = running.pop(future)
        error = future.exception()
        waiting.extend(done(call, error if error is not None else future.result()))
        future.release()
