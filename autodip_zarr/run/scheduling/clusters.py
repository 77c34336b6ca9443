"""Start the workers that a cluster file describes, and keep them going."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from autodip_zarr.errors import OptionError
from autodip_zarr.run.scheduling.cluster_file import Cards, Cluster, SlurmJobs
from autodip_zarr.run.scheduling.dispatch import CALLS_PER_WORKER

if TYPE_CHECKING:
    from distributed import Client

_FIRST_LOOKS_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 15.0
_SLOWEST_LOOK_SECONDS: Final = 600.0
_FAILED_ROUNDS: Final = 3
_ALLOWED_FAILURES: Final = 10
"""Jobs that a block may be cut off with before that counts as the fault of the block; Dask allows three."""

DASHBOARD: Final = "127.0.0.1:0"
"""Where the dashboard listens; whoever is at another computer comes by a tunnel of ssh."""

COMM_TIMEOUT: Final = "300s"
"""How long Dask waits for a connection or an acknowledgement: on a busy machine all comes late."""

LOADED_FIRST: Final = "autodip_zarr.run.scheduling.ready"
"""Module that a worker process loads before it counts as started."""

NEVER_PAUSE: Final = ("target", "spill", "pause")
"""What workers must not do as memory fills: nothing in them can be spilled, and freed memory stays in the
process, so that one that paused would never go on."""


@contextmanager
def connect_cluster(cluster: Cluster) -> Iterator[Client]:
    """Start the workers of a cluster file, and stop them at the end.

    Raises
    ------
    OptionError
        What starts them is not installed, or refuses, or no job lasts long enough to connect.
    """
    with _connect_slurm(cluster) if isinstance(cluster, SlurmJobs) else _connect_cards(cluster) as client:
        yield client


@contextmanager
def _connect_cards(cards: Cards) -> Iterator[Client]:
    """Start one worker process a card of this machine, with the resource ``GPU: 1``."""
    _need("dask_cuda", cards, "cuda")
    from dask_cuda import LocalCUDACluster  # noqa: PLC0415 - an optional dependency
    from distributed import Client, Security  # noqa: PLC0415 - half a second, not needed for planning

    try:
        cluster = LocalCUDACluster(**card_options(cards), security=Security.temporary())
    except Exception as error:  # the driver's library and dask-cuda have errors of their own
        raise OptionError(_where(cards), f"the cards cannot be used ({error})", "CUDA cards") from error
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


def card_options(cards: Cards) -> dict[str, Any]:
    """Return the arguments of ``dask_cuda.LocalCUDACluster``."""
    return {
        "CUDA_VISIBLE_DEVICES": None if cards.cards is None else list(cards.cards),
        "threads_per_worker": CALLS_PER_WORKER,
        "memory_limit": cards.memory_bytes or "auto",
        "local_directory": cards.local_folder,
        "protocol": "tls",
        "dashboard_address": DASHBOARD,
        "resources": {"GPU": 1},
    }


@contextmanager
def _connect_slurm(jobs: SlurmJobs) -> Iterator[Client]:
    """Submit jobs to Slurm, wait for the first worker, and replace jobs that end before the work does."""
    _need("dask_jobqueue", jobs, "slurm")
    handler = signal.getsignal(signal.SIGINT)
    from dask_jobqueue.slurm import SLURMCluster  # noqa: PLC0415 - an optional dependency
    from distributed import Client, Security  # noqa: PLC0415 - half a second, not needed for planning

    if signal.getsignal(signal.SIGINT) is not handler:  # its import makes Ctrl-C end as if all were done
        signal.signal(signal.SIGINT, handler)
    options = slurm_options(jobs) | {"security": Security.temporary()}
    with SLURMCluster(**options) as cluster, Client(cluster, set_as_default=False) as client:
        keeper = Keeper(cluster, jobs)
        keeper.begin()
        looking = asyncio.run_coroutine_threadsafe(keeper.keep(), cluster.loop.asyncio_loop)
        try:
            keeper.wait_for_worker()
            yield client
        finally:
            cluster.loop.add_callback(keeper.ended.set)
            looking.result()


def slurm_options(jobs: SlurmJobs) -> dict[str, Any]:
    """Return the arguments of ``dask_jobqueue.SLURMCluster``; all that enters the script is quoted.

    Every worker process has three threads: one block is read and one written while a third is fitted. On a
    card it offers the resource ``GPU: 1``.
    """
    variables = {f"DASK_DISTRIBUTED__WORKER__MEMORY__{what.upper()}": "False" for what in NEVER_PAUSE}
    variables |= {f"DASK_DISTRIBUTED__COMM__TIMEOUTS__{what}": COMM_TIMEOUT for what in ("CONNECT", "TCP")}
    variables |= dict(jobs.environment)
    prologue = [f"export {name}={shlex.quote(text)}" for name, text in variables.items()]
    prologue += [f"module load {shlex.quote(module)}" for module in jobs.modules]
    resources = ["--resources", "GPU=1"] if jobs.device == "cuda" else []
    options = {
        "cores": jobs.processes * CALLS_PER_WORKER,
        "processes": jobs.processes,
        "job_cpu": jobs.cores,
        "memory": str(jobs.memory_bytes),
        "walltime": jobs.walltime,
        "queue": jobs.partition,
        "account": jobs.account,
        "job_extra_directives": list(jobs.directives),
        "job_script_prologue": prologue,
        "worker_extra_args": ["--preload", LOADED_FIRST, *resources],
        "python": None if jobs.python is None else shlex.quote(jobs.python),
        "interface": jobs.interface,
        "local_directory": None if jobs.local_folder is None else shlex.quote(jobs.local_folder),
        "log_directory": jobs.log_folder,
        "shared_temp_directory": _shared_folder(jobs),
        "job_name": "autodip-zarr",
        "scheduler_options": {"dashboard_address": DASHBOARD, "allowed_failures": _ALLOWED_FAILURES},
    }
    if jobs.modules:  # `module` is a function of login shells
        options["shebang"] = "#!/bin/bash -l"
    return options


def _shared_folder(jobs: SlurmJobs) -> str:
    """Return where jobs find the temporary credentials that they show; its files are their owner's alone.

    Raises
    ------
    OptionError
        It is no folder that can be written to.
    """
    folder = Path(jobs.shared_folder or Path.home()).expanduser().absolute()
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        hint = "name a folder that this computer and the nodes see, in the field shared_folder"
        raise OptionError(
            f"{_where(jobs)}: shared_folder", f"{folder} cannot be written to", "a folder", hint
        )
    return str(folder)


class Keeper:
    """Asks Slurm every few seconds which jobs there still are, and submits what is missing.

    A job that reached its time limit, was preempted or lost its node is replaced; Dask gives its blocks to
    other workers by itself. With a range of jobs, there are as many as there are blocks to hand out, and a
    job whose workers have nothing to do is given back.
    """

    def __init__(self, cluster: Any, jobs: SlurmJobs) -> None:  # noqa: ANN401 - SLURMCluster is optional
        self.cluster = cluster
        self.jobs = jobs
        self.pause = _FIRST_LOOKS_SECONDS
        self.failed_rounds = 0
        self.ended = asyncio.Event()
        self.number = itertools.count()

    def begin(self) -> None:
        """Submit the first jobs.

        Raises
        ------
        OptionError
            Slurm is not installed here, or takes no such job.
        """
        where = _where(self.jobs)
        try:
            self.cluster.sync(self._submit, self.jobs.least_jobs)
        except FileNotFoundError as error:
            hint = "run this where jobs are submitted, on a login node"
            raise OptionError(where, f"{error.filename} is not installed here", "Slurm", hint) from error
        except RuntimeError as error:
            refusal = str(error).rpartition("stderr:")[2].strip().splitlines() or [str(error)]
            raise OptionError(where, f"Slurm refused: {refusal[0]}", "a job that it takes") from error

    def wait_for_worker(self) -> None:
        """Wait until a job has started and a worker is there, however long the queue is.

        Raises
        ------
        OptionError
            Jobs ended several times before any worker came.
        """
        while not self.cluster.scheduler_info["workers"]:
            if self.failed_rounds >= _FAILED_ROUNDS:
                logs = self.jobs.log_folder or "the slurm-*.out files"
                hint = f"see {logs} for what went wrong; python must name an interpreter that the nodes have"
                found = "jobs end before their workers have come"
                raise OptionError(_where(self.jobs), found, "workers", hint)
            self.cluster.sync(asyncio.sleep, 0.2)

    async def keep(self) -> None:
        """Look again and again, until the end; what is being submitted then is submitted first."""
        while not self.ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), self.pause)
                return
            with suppress(RuntimeError, OSError):  # Slurm does not answer for a while: look again later
                await self.look()

    async def look(self) -> None:
        """Compare the jobs with those that Slurm knows, and submit or give back."""
        known = await _job_ids()
        lost = self._forget(lambda job: job.job_id not in known)
        if self.cluster.scheduler.workers:
            self.failed_rounds, self.pause = 0, _LOOK_SECONDS
        elif lost:
            self.failed_rounds += 1
        if self.failed_rounds > _FAILED_ROUNDS:  # do not flood Slurm with jobs that cannot work
            self.pause = min(2 * self.pause, _SLOWEST_LOOK_SECONDS)
        wanted = self._wanted()
        self._give_back(len(self.cluster.worker_spec) - wanted)
        await self._submit(max(wanted, len(self.cluster.worker_spec)))

    def _wanted(self) -> int:
        """Return how many jobs there should be for the blocks that are handed out."""
        blocks = len(self.cluster.scheduler.tasks)
        return min(max(math.ceil(blocks / self.jobs.processes), self.jobs.least_jobs), self.jobs.most_jobs)

    def _give_back(self, count: int) -> None:
        """Take jobs off the list, as many as `count`, whose workers have nothing to do."""
        busy = {state.name for state in self.cluster.scheduler.workers.values() if state.processing}
        for name, spec in reversed(list(self.cluster.worker_spec.items())):
            workers = {f"{name}{suffix}" for suffix in spec.get("group", [""])}
            if count > 0 and busy.isdisjoint(workers):
                del self.cluster.worker_spec[name]
                count -= 1

    async def _submit(self, jobs: int) -> None:
        """Submit until there are as many jobs, and take off the list what Slurm refused."""
        while len(self.cluster.worker_spec) < jobs:
            (spec,) = self.cluster.new_worker_spec().values()
            self.cluster.worker_spec[f"job-{next(self.number)}"] = (
                spec  # Dask closes late what bears an old name
            )
        try:
            await self.cluster
        finally:
            self._forget(lambda job: job.job_id is None)

    def _forget(self, is_gone: Callable[[Any], bool]) -> int:
        """Take jobs that are gone off the list, and return how many."""
        from distributed import Status  # noqa: PLC0415 - see _connect_slurm

        gone = [name for name, job in self.cluster.workers.items() if is_gone(job)]
        for name in gone:
            self.cluster.workers.pop(name).status = Status.failed
            self.cluster.worker_spec.pop(name, None)
        return len(gone)


async def _job_ids() -> set[str]:
    """Return the numbers of all jobs of this user that wait or run."""
    command = ("squeue", "--me", "--noheader", "--format=%A")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(err.decode(errors="replace"))
    return set(out.decode().split())


def _need(module: str, cluster: Cluster, extra: str) -> None:
    if find_spec(module) is None:
        found = f"{module.replace('_', '-')} is not installed"
        raise OptionError(_where(cluster), found, hint=f"pip install 'autodip-zarr[{extra}]'")


def _where(cluster: Cluster) -> str:
    return f"--cluster {cluster.path}"
