"""Finish the result of one image, and enter it in the store that it lies in."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from autodip_zarr.crate import FILE_NAME, run_crate
from autodip_zarr.domain import Header, ImageRef, TargetSpec
from autodip_zarr.errors import SourceError
from autodip_zarr.provenance import autodip_attribute, public_uri, with_treatments
from autodip_zarr.run.execution.run_document import run_document
from autodip_zarr.run.locks.fencing import Fence
from autodip_zarr.run.locks.locking import turn
from autodip_zarr.run.results.ledger import count_failed, treatments
from autodip_zarr.run.results.quality import record_warnings
from autodip_zarr.run.results.software import reads_and_writes
from autodip_zarr.stores import (
    finish_target,
    read_header,
    read_record,
    register_nested_image,
    register_well_image,
)


@dataclass(frozen=True)
class FinishTask:
    """What is left once all blocks of an image are done."""

    header: Header
    """The source."""
    spec: TargetSpec
    """The result."""
    recipe: dict[str, Any]
    """Recipe as it is recorded."""
    started: datetime
    """When the work began."""
    device: str
    """Torch device."""
    is_new_store: bool
    """Whether the result is a store of its own and not written back."""
    lock: str
    """Token of the run's lock on the result."""


@dataclass(frozen=True)
class Finished:
    """What there is to say of a finished result."""

    failed: int
    """Planes that failed."""
    warnings: tuple[str, ...]
    """What a person should look at, in words."""
    is_empty: bool = False
    """Whether no plane of the image was denoised although some were to be; then nothing was finished."""


def finish(task: FinishTask) -> Finished:
    """Write pyramid, rendering windows and provenance.

    Raises
    ------
    SourceError
        The source has changed since it was planned: the result is left unfinished.
    TargetError
        It cannot be written, or is locked by another run by now.
    """
    fence = Fence(task.spec.uri, task.lock)
    _refuse_changed(task.header)
    record = read_record(task.spec.uri)
    failed = count_failed(record)
    warnings = record_warnings(record, task.spec.dtype, task.header.absent_planes)
    if failed and "denoised" not in treatments(record):  # planned images have a channel to be denoised
        return Finished(failed, warnings, is_empty=True)
    now = datetime.now(UTC)
    run = {
        **run_document(task.spec, task.started),
        "finished": now.isoformat(timespec="seconds"),
        "seconds": round((now - task.started).total_seconds(), 3),
        "device": task.device,
        "processor": platform.machine(),
        "python": platform.python_version(),
        "libraries": reads_and_writes(),
        "planes": {"total": int(record[..., 0].size), "failed": failed},
        "warnings": list(warnings),
    }
    recipe = with_treatments(task.recipe, treatments(record))
    beside = {}
    if task.is_new_store:
        beside[FILE_NAME] = json.dumps(run_crate(task.spec.name, recipe, run), indent=2).encode()
    finish_target(
        task.spec, autodip_attribute("partial" if failed else "complete", recipe, run), fence.check, beside
    )
    return Finished(failed, warnings)


def _refuse_changed(header: Header) -> None:
    """Compare a source with what it was when it was planned; pixels of a Zarr that change go unseen."""
    old, now = asdict(header.fingerprint), asdict(read_header(header.ref).fingerprint)
    changed = [f"{name}: {old[name]}, now {now[name]}" for name in old if old[name] != now[name]]
    if changed:
        found = f"has changed while it was denoised ({'; '.join(changed)})"
        hint = "run the same command again with --overwrite changed once it is at rest"
        raise SourceError(public_uri(header.ref.source), found, hint=hint)


def register(ref: ImageRef, target: str) -> None:
    """Enter a result in the source store that it lies in.

    Only ever done by the driver: wells and consolidated metadata are shared by several images, and by
    several runs, which take turns.

    Parameters
    ----------
    ref : ImageRef
        The source.
    target : str
        Path or URI of the result.

    Raises
    ------
    TargetError
        If the source store cannot be changed.
    """
    if ref.plate is None:
        name = target.rsplit("/", 1)[-1]
        inner = f"{ref.group}/{name}" if ref.group else name
        register_nested_image(ref.uri, inner, turn)
        return
    well, _, _ = ref.group.rpartition("/")
    image = f"{well}/{target.rsplit('/', 1)[-1]}"
    register_well_image(ref.uri, image, ref.plate.acquisition, turn)
