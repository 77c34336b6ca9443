"""Connect to a running Dask scheduler, or start workers: those of a cluster file, or on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from autodip_zarr.errors import OptionError, WorkerError
from autodip_zarr.run.choices import Machine
from autodip_zarr.run.scheduling.cluster_file import LEAST_PROCESS_BYTES, SlurmJobs, read_cluster
from autodip_zarr.run.scheduling.clusters import (
    COMM_TIMEOUT,
    DASHBOARD,
    LOADED_FIRST,
    NEVER_PAUSE,
    connect_cluster,
)
from autodip_zarr.run.scheduling.dispatch import CALLS_PER_WORKER, SILENCE_S
from autodip_zarr.run.scheduling.machine import resolve_device, usable_cores
from autodip_zarr.run.scheduling.mainless import without_main
from autodip_zarr.stores.access.credentials import keep, kept

if TYPE_CHECKING:
    from distributed import Client, SpecCluster

_CONNECT_SECONDS: Final = 20
_STARTS: Final = 3
_CARDS: Final = Path("/proc/driver/nvidia/gpus")
_SETTINGS: Final = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": None,
    **{f"distributed.comm.timeouts.{what}": COMM_TIMEOUT for what in ("connect", "tcp")},
    **{f"distributed.worker.memory.{what}": False for what in NEVER_PAUSE},
    "distributed.worker.preload": [LOADED_FIRST],
    "distributed.scheduler.http.routes": [
        f"distributed.http.{what}" for what in ("scheduler.prometheus", "health", "statics")
    ],
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
}
"""Of Dask. A block whose worker died is tried again by this program, which gives it a worker to itself, and
which says what went wrong: remarks of worker processes would stand between the lines of ``--log-json``. A
worker that cannot load what it needs ends while it starts. Whether a worker has hung is told by its steps: on
a busy machine it may be minutes late with all else. Beside the dashboard the scheduler answers neither with
logs nor with call stacks, and fetches nothing by proxy."""


@contextmanager
def connect(machine: Machine) -> Iterator[Client]:
    """Connect to a running scheduler, or start workers: those of a cluster file, or on this machine.

    On this machine, one worker process a core, if there is memory for so many, or one a card. Each has three
    threads, so that it reads one block and writes another while it fits a third; fits go one after the other.

    Raises
    ------
    OptionError
        If no scheduler answers at the address, or the workers of a cluster file cannot be started.
    WorkerError
        If the worker processes of this machine end while they start.
    """
    import dask  # noqa: PLC0415 - half a second, not needed for planning
    from distributed import Client  # noqa: PLC0415 - see above
    from distributed.utils import silence_logging_cmgr  # noqa: PLC0415 - see above

    if machine.scheduler is not None:
        try:
            client = Client(machine.scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            hint = "start one with `dask scheduler`"
            raise OptionError(
                "--scheduler", f"{machine.scheduler}: {error}", "a Dask scheduler", hint
            ) from error
        # a client that finds nobody writes of it with tracebacks; here `known_workers` says it
        with silence_logging_cmgr(logging.CRITICAL), client:
            yield client
        return
    # a cluster of one's own is silent until it begins to close, its connections end after that
    with dask.config.set(_SETTINGS), without_main(), silence_logging_cmgr(logging.CRITICAL):
        if machine.cluster is not None:
            with connect_cluster(read_cluster(machine.cluster)) as client:
                yield client
            return
        with _started(machine) as cluster, Client(cluster, set_as_default=False) as client:
            yield client


def _started(machine: Machine) -> SpecCluster:
    """Start worker processes of this machine, again where one of them ended while it started.

    Raises
    ------
    WorkerError
        They end each time, or there is no address space for even one.
    """
    _check_address_space()
    for _ in range(_STARTS - 1):
        with suppress(RuntimeError):
            return _local_cluster(machine)
    try:
        return _local_cluster(machine)
    except RuntimeError as error:
        hint = "look for too little memory or address space (`ulimit -v`), or a full /tmp"
        raise WorkerError("workers", f"cannot be started ({error})", "processes that stay", hint) from error


def _check_address_space() -> None:
    """Refuse a limit of address space under which not even Dask starts, and says so in disorder."""
    try:
        import resource  # noqa: PLC0415 - Windows has neither
    except ImportError:
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < LEAST_PROCESS_BYTES:
        found = f"cannot be started in {limit / 1e9:.2f} GB of address space (`ulimit -v`)"
        raise WorkerError("workers", found, f"at least {LEAST_PROCESS_BYTES / 1e9:.0f} GB a process")


def _local_cluster(machine: Machine) -> SpecCluster:
    from distributed import Nanny, Scheduler, Security, SpecCluster  # noqa: PLC0415 - see above

    options = _local_options(machine)
    secured = {"protocol": "tls://", "security": Security.temporary()}
    fixed = {
        "nthreads": CALLS_PER_WORKER,
        "memory_limit": worker_memory(machine),
        "host": "127.0.0.1",
        "silence_logs": logging.CRITICAL,
        "dashboard": False,
        **secured,
    }
    workers = {name: {"cls": Nanny, "options": fixed | one} for name, one in enumerate(options)}
    place = {"host": "127.0.0.1", "dashboard_address": DASHBOARD}
    scheduler = {"cls": Scheduler, "options": place | secured}
    return SpecCluster(workers, scheduler, silence_logs=logging.CRITICAL, security=secured["security"])


def known_workers(client: Client) -> Mapping[str, Mapping[str, Any]]:
    """Return what the scheduler says of each of its workers, by address.

    Raises
    ------
    WorkerError
        It is not there any more, or does not answer.
    """
    scheduler: Any = client.scheduler  # never None in a client that has connected
    try:
        # what Dask's own `scheduler_info` answers once nobody is there is what it heard last
        known = client.sync(scheduler.identity, n_workers=-1, callback_timeout=SILENCE_S)
    except (OSError, RuntimeError) as error:  # the latter where the client has closed itself meanwhile
        hint = "start it and its workers again: the same command goes on where it stopped"
        where = f"scheduler {scheduler.address}"
        raise WorkerError(where, "is gone, or does not answer any more", "a Dask scheduler", hint) from error
    workers: Mapping[str, Mapping[str, Any]] = known["workers"]
    return workers


def worker_memory(machine: Machine) -> int | None:
    """Return the memory of each worker process, in bytes, as far as it is known before they are there.

    What was chosen, or what a cluster file says, or an even share of what this machine has; in this process
    all of it, whatever a container allows. ``None`` where the workers are those of a running scheduler, or a
    cluster file leaves it to dask-cuda.
    """
    if machine.scheduler is not None:
        return None
    if machine.cluster is not None:
        cluster = read_cluster(machine.cluster)
        if isinstance(cluster, SlurmJobs):
            return cluster.memory_bytes // cluster.processes
        return cluster.memory_bytes
    if machine.memory_bytes is not None:
        return machine.memory_bytes
    if machine.in_process:
        import psutil  # noqa: PLC0415 - not needed for planning

        return int(psutil.virtual_memory().total)
    return _machine_bytes() // len(_local_options(machine))


def _local_options(machine: Machine) -> list[dict[str, Any]]:
    """Return what is particular to each worker here: one a core, as far as there is memory for them."""
    room = _machine_bytes() // (machine.memory_bytes or LEAST_PROCESS_BYTES)
    return worker_options(machine, max(1, min(usable_cores(), room)), visible_cards(os.environ))


def _machine_bytes() -> int:
    """Return the memory of this machine, or of the control group that this process is in."""
    from distributed.system import MEMORY_LIMIT  # noqa: PLC0415 - half a second, not needed for planning

    limit: int = MEMORY_LIMIT
    return limit


def hand_over_credentials(client: Client) -> None:
    """Tell every worker, also those that come later, with which credentials web addresses are asked."""
    from distributed import WorkerPlugin  # noqa: PLC0415 - half a second, not needed for planning

    known = kept()
    if not any(known):
        return

    class Credentials(WorkerPlugin):
        def setup(self, worker: Any) -> None:  # noqa: ANN401, ARG002 - as distributed calls it
            keep(known)

    client.register_plugin(Credentials(), name="autodip-credentials")


def revive(client: Client) -> None:
    """Start worker processes of this machine again that ended and that Dask failed to start again.

    On a busy machine a start takes longer than Dask waits for it, and it does not try twice: it forgets a
    worker that was away for too long, which the cluster then lacks.
    """
    from distributed import Nanny  # noqa: PLC0415 - half a second, not needed for planning

    if client.cluster is None:
        return
    wanted = client.cluster.worker_spec
    if len(client.cluster.workers) < len(wanted) and all(one["cls"] is Nanny for one in wanted.values()):
        client.cluster.scale(len(wanted))
    for nanny in list(client.cluster.workers.values()):
        if isinstance(nanny, Nanny) and not nanny.is_alive():
            with suppress(Exception):  # whatever went wrong, it is tried again later
                client.sync(nanny.instantiate)


def worker_options(machine: Machine, cores: int, cards: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is particular to each worker process on this machine.

    Parameters
    ----------
    machine : Machine
        Device and number of workers.
    cores : int
        Usable cores.
    cards : sequence of str
        Indices or UUIDs of the usable cards.

    Returns
    -------
    list of dict
        One a worker. On cards, each sees one card only and offers the resource ``GPU: 1``; where one card
        is named (``cuda:1``), there is one worker.
    """
    device = resolve_device(machine.device)
    if not device.startswith("cuda"):
        return [{} for _ in range(machine.workers or cores)]
    if ":" in device:
        return [{"resources": {"GPU": 1}}]
    chosen = list(cards)[: machine.workers]
    return [{"resources": {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": card}} for card in chosen]


def visible_cards(environment: Mapping[str, str], folder: Path = _CARDS) -> list[str]:
    """Return the cards that may be used: those that ``CUDA_VISIBLE_DEVICES`` names, or all; at least one.

    Parameters
    ----------
    environment : mapping of str to str
        Variables of the process.
    folder : Path
        Where the driver keeps one entry a card.
    """
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named:
        return [card.strip() for card in named.split(",") if card.strip()]
    count = len(list(folder.iterdir())) if folder.is_dir() else 1
    return [str(index) for index in range(max(count, 1))]
