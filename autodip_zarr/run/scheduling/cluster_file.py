"""Read a cluster file: data that says which Slurm jobs, or which cards of this machine, do the work."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from autodip_zarr.errors import OptionError
from autodip_zarr.regular_files import read_regular
from autodip_zarr.run.choices import Machine

_OPTION: Final = "--cluster"
_WALLTIME: Final = re.compile(r"(\d+-\d{1,2}(:\d{1,2}){0,2}|\d+(:\d{1,2}){0,2})")
LEAST_PROCESS_BYTES: Final = 10**9
"""Memory that a worker process is given at the least."""

_CARD_DIRECTIVE: Final = re.compile(r"^--(gpus|gres=.*gpu|gpus-per-)")

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class SlurmJobs:
    """Jobs of Slurm, each with worker processes of one thread."""

    path: str
    """The file that describes them."""
    cores: int
    """Cores of a job: as many worker processes on a CPU, helpers of the one worker process on a card."""
    memory_bytes: int
    """Memory of a job, shared evenly by its worker processes."""
    walltime: str
    """Time limit of a job, as Slurm writes it, for example ``04:00:00``."""
    least_jobs: int
    """Jobs that are kept even where there is little to do."""
    most_jobs: int
    """Jobs that are asked for where there is enough to do; equal to ``least_jobs`` for a fixed number."""
    device: str = "cpu"
    """``cpu``, or ``cuda`` for one card a job."""
    partition: str | None = None
    """Partition; ``None`` for Slurm's default."""
    account: str | None = None
    """Account; ``None`` for Slurm's default."""
    directives: tuple[str, ...] = ()
    """Further options of ``sbatch``, for example ``--gres=gpu:1``."""
    modules: tuple[str, ...] = ()
    """Environment modules that a job loads first."""
    environment: tuple[tuple[str, str], ...] = ()
    """Environment variables that a job sets."""
    python: str | None = None
    """Interpreter of the workers, as the nodes see it; ``None`` for the one that runs this."""
    interface: str | None = None
    """Network interface between the nodes, for example ``ib0``; ``None`` for the default."""
    local_folder: str | None = None
    """Folder on the nodes for what Dask spills; ``None`` for Dask's own choice."""
    log_folder: str | None = None
    """Folder for the output of the jobs; ``None`` for Slurm's own choice."""
    shared_folder: str | None = None
    """Folder that the nodes see, too, for temporary credentials; ``None`` for the home folder."""

    @property
    def processes(self) -> int:
        """Worker processes of a job."""
        return 1 if self.device == "cuda" else self.cores


@dataclass(frozen=True)
class Cards:
    """CUDA cards of this machine, each with one worker process."""

    path: str
    """The file that describes them."""
    cards: tuple[int, ...] | None = None
    """Indices of the cards; ``None`` for all that there are."""
    memory_bytes: int | None = None
    """Memory of each worker process; ``None`` for an even share of what there is."""
    local_folder: str | None = None
    """Folder for what Dask spills; ``None`` for Dask's own choice."""

    @property
    def device(self) -> str:
        """The torch device of the workers."""
        return "cuda"


Cluster = SlurmJobs | Cards
"""What a cluster file describes."""


def read_cluster(path: str) -> Cluster:
    """Read a cluster file.

    Parameters
    ----------
    path : str
        TOML file; docs/how-to/run-on-a-cluster.md lists its fields. Nothing in it is ever evaluated, and
        what enters a job script is quoted.

    Raises
    ------
    OptionError
        It cannot be read, or a field is missing, unknown or makes no sense.
    """
    where = f"{_OPTION} {path}"
    try:
        document = tomllib.loads(read_regular(path).decode("utf-8"))
    except OSError as error:
        raise OptionError(where, f"cannot be read ({error.strerror})", "a TOML file") from error
    except (ValueError, RecursionError) as error:  # broken TOML, no UTF-8, nesting beyond all bounds
        raise OptionError(where, f"is no TOML ({error})", 'lines such as kind = "slurm"') from error
    fields = _Fields(where, document)
    kind = fields.take("kind", _one_of("slurm", "cuda"))
    cluster = _slurm(path, fields) if kind == "slurm" else _cards(path, fields)
    fields.refuse_the_rest()
    return cluster


def _slurm(path: str, fields: _Fields) -> SlurmJobs:
    least, most = _job_range(fields)
    jobs = SlurmJobs(
        path,
        cores=fields.take("cores", _count),
        memory_bytes=fields.take("memory", _memory),
        walltime=fields.take("walltime", _walltime),
        least_jobs=least,
        most_jobs=most,
        device=fields.take("device", _one_of("cpu", "cuda"), "cpu"),
        partition=fields.take("partition", _line, None),
        account=fields.take("account", _line, None),
        directives=fields.take("directives", _directives, ()),
        modules=fields.take("modules", _lines, ()),
        environment=fields.take("environment", _variables, ()),
        python=fields.take("python", _line, None),
        interface=fields.take("interface", _line, None),
        local_folder=fields.take("local_folder", _line, None),
        log_folder=fields.take("log_folder", _line, None),
        shared_folder=fields.take("shared_folder", _line, None),
    )
    if jobs.memory_bytes < jobs.processes * LEAST_PROCESS_BYTES:
        found = f"{jobs.memory_bytes / 10**9:.3g} GB for {jobs.processes} worker processes"
        expected = f"at least {jobs.processes * LEAST_PROCESS_BYTES // 10**9} GB: 1 GB a process"
        raise OptionError(f"{fields.where}: memory", found, expected)
    if jobs.device == "cuda" and not any(map(_CARD_DIRECTIVE.match, jobs.directives)):
        found = f"{list(jobs.directives)} with device = 'cuda'"
        raise OptionError(f"{fields.where}: directives", found, "one that asks for a card: --gres=gpu:1")
    return jobs


def _job_range(fields: _Fields) -> tuple[int, int]:
    """Return the least and the most jobs: a fixed number, or a range."""
    if "jobs" in fields.left:
        for name in ("minimum_jobs", "maximum_jobs"):
            if name in fields.left:
                raise OptionError(f"{fields.where}: {name}", "given beside jobs", "one of them")
        fixed = fields.take("jobs", _count)
        return fixed, fixed
    if "maximum_jobs" not in fields.left:
        hint = "jobs for a fixed number; minimum_jobs and maximum_jobs for as many as there is work for"
        raise OptionError(fields.where, "jobs is missing", "how many jobs are wanted", hint)
    least, most = fields.take("minimum_jobs", _count, 1), fields.take("maximum_jobs", _count)
    if least > most:
        raise OptionError(f"{fields.where}: minimum_jobs", str(least), f"at most maximum_jobs, {most}")
    return least, most


def _cards(path: str, fields: _Fields) -> Cards:
    return Cards(
        path,
        cards=fields.take("cards", _indices, None),
        memory_bytes=fields.take("memory", _memory, None),
        local_folder=fields.take("local_folder", _line, None),
    )


def settle_cluster(machine: Machine) -> Machine:
    """Check the cluster file of a machine, and take the device of its workers where none was chosen.

    Done before planning: a mistake in the file must not show only when an archive has been walked.

    Raises
    ------
    OptionError
        The file is wrong, or another option contradicts it.
    """
    if machine.scheduler is not None and machine.memory_bytes is not None:
        hint = "workers of a running scheduler have the memory that they were started with"
        raise OptionError("--scheduler, --memory", "both given", "one of them", hint)
    _check_in_process(machine)
    if machine.cluster is None:
        return machine
    others = {
        "--scheduler": machine.scheduler,
        "--workers": machine.workers,
        "--memory": machine.memory_bytes,
    }
    for option, value in others.items():
        if value is not None:
            raise OptionError(f"{_OPTION}, {option}", "both given", "one of them")
    cluster = read_cluster(machine.cluster)
    if machine.device == "auto":
        return replace(machine, device=cluster.device)
    if machine.device.partition(":")[0] != cluster.device:
        where, found = f"--device, {_OPTION} {machine.cluster}", f"{machine.device} and {cluster.device}"
        raise OptionError(where, found, "the same device, or --device auto")
    return machine


def _check_in_process(machine: Machine) -> None:
    """Refuse options about workers where there are none."""
    workers = {
        "--scheduler": machine.scheduler,
        "--cluster": machine.cluster,
        "--workers": machine.workers,
        "--time-limit": machine.time_limit_s,
    }
    for option, value in workers.items():
        if machine.in_process and value is not None:
            raise OptionError(f"--in-process, {option}", "both given", "one of them")


_REQUIRED: Final[Any] = object()


class _Fields:
    """The fields of a file that have not been looked at yet."""

    def __init__(self, where: str, document: Mapping[str, object]) -> None:
        self.where = where
        self.left = dict(document)
        self.known: list[str] = []

    def take(self, name: str, check: Callable[[object], _Value], default: Any = _REQUIRED) -> _Value:  # noqa: ANN401
        """Return a field after its check, or the default where it is missing.

        Raises
        ------
        OptionError
            It is missing and has no default, or the check raised ``ValueError`` with what it expects.
        """
        self.known.append(name)
        if name not in self.left:
            if default is _REQUIRED:
                raise OptionError(self.where, f"{name} is missing", f"fields {', '.join(self.known)}, ...")
            found: _Value = default
            return found
        value = self.left.pop(name)
        try:
            return check(value)
        except ValueError as error:
            raise OptionError(f"{self.where}: {name}", f"{value!r:.200}", str(error)) from None

    def refuse_the_rest(self) -> None:
        """Refuse fields that mean nothing: a misspelt one must not be passed over."""
        for name in self.left:
            close = get_close_matches(name, self.known, 1)
            hint = f"did you mean {close[0]}?" if close else ""
            raise OptionError(f"{self.where}: {name}", "is no field", f"one of {', '.join(self.known)}", hint)


def _one_of(*names: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in names:
            raise ValueError(" or ".join(names))
        return str(value)

    return check


def _number(value: object, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        msg = f"a whole number of at least {least}"
        raise ValueError(msg)
    return value


def _count(value: object) -> int:
    return _number(value, 1)


def _line(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        msg = "one line of text"
        raise ValueError(msg)
    return value


def _lines(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        msg = "a list of texts"
        raise ValueError(msg)
    return tuple(_line(one) for one in value)


def _directives(value: object) -> tuple[str, ...]:
    lines = _lines(value)
    if not all(line.startswith("-") for line in lines):
        msg = 'options of sbatch that begin with -, for example "--qos=long"'
        raise ValueError(msg)
    return lines


def _variables(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in value):
        msg = 'names and texts, for example { MY_FOLDER = "/scratch" }'
        raise ValueError(msg)
    return tuple((name, _line(text)) for name, text in value.items())


def _walltime(value: object) -> str:
    text = _line(value)
    if not _WALLTIME.fullmatch(text):
        msg = "hours:minutes:seconds or days-hours:minutes:seconds"
        raise ValueError(msg)
    return text


def memory_option(text: str) -> int:
    """Return the bytes that ``--memory`` says.

    Raises
    ------
    OptionError
        It is no size, or less than a worker process takes itself.
    """
    try:
        size = _memory(text)
    except ValueError as error:
        raise OptionError("--memory", repr(text), str(error)) from None
    if size < LEAST_PROCESS_BYTES:
        raise OptionError("--memory", text, f"at least {LEAST_PROCESS_BYTES // 10**9} GB a worker process")
    return size


def _memory(value: object) -> int:
    from dask.utils import parse_bytes  # noqa: PLC0415 - not needed for planning

    text = _line(value)
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})? ?[KMGT]i?B", text) is None:
        msg = "a size with its unit, for example 32 GB"
        raise ValueError(msg)
    return int(parse_bytes(text))


def _indices(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or len(set(map(repr, value))) < len(value):
        msg = "a list of different cards, for example [0, 1]"
        raise ValueError(msg)
    return tuple(_number(one, 0) for one in value)
