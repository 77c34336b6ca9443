"""Begin and finish the result of one image."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from autodip_zarr.crate import FILE_NAME, run_crate
from autodip_zarr.domain import Block, Header, ImagePlan, ImageRef, TargetSpec
from autodip_zarr.errors import SourceError, TargetError
from autodip_zarr.provenance import attribute, public_uri, recipe_document, with_treatments
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.earlier import complaint, decide
from autodip_zarr.run.fence import Fence
from autodip_zarr.run.ledger import blocks_to_do, count_failed, treatments
from autodip_zarr.run.lock import Locks, turn
from autodip_zarr.run.process import BlockTask
from autodip_zarr.run.quality import record_warnings
from autodip_zarr.run.software import changes_pixels, reads_and_writes
from autodip_zarr.stores import (
    create_target,
    finish_target,
    own_attributes,
    read_attributes,
    read_header,
    read_record,
    register_nested_image,
    register_well_image,
    remove_partial,
    target_exists,
    write_file,
)
from autodip_zarr.stores.uris import is_remote

ImageStatus = Literal["done", "unchanged", "changed", "partial", "failed"]


@dataclass(frozen=True)
class ImageResult:
    """What became of one image."""

    source: str
    """Path or URI of the source."""
    series: int | None
    """Index in a file that holds several images."""
    target: str
    """Path or URI of the result."""
    status: ImageStatus
    """``done``; ``unchanged`` if nothing was left to do; ``changed`` if the result is left although its
    source has changed since; ``partial`` if planes failed; ``failed``."""
    planes_done: int
    """Planes denoised in this run."""
    planes_failed: int
    """Planes that could not be denoised."""
    seconds: float
    """Wall time from its first to its last plane."""
    messages: tuple[str, ...] = ()
    """What went wrong, in words."""


@dataclass
class ImageJob:
    """An image while it is worked on, as the driver sees it."""

    image: ImagePlan
    """What is to be done."""
    spec: TargetSpec
    """The result."""
    recipe: dict[str, Any]
    """Recipe as it is recorded."""
    todo: list[Block]
    """Blocks that are left to do when the work begins."""
    started: datetime
    """When the work began."""
    lock: str = ""
    """Token of the lock on the result; empty where there is nothing left to do."""
    recorded: list[Block] = field(default_factory=list)
    """Blocks that a run which did not come to its end recorded as done, to be looked at again."""
    is_complete: bool = False
    """Whether there is nothing left to do."""
    open_blocks: int = 0
    """Blocks that are not yet done."""
    planes_done: int = 0
    """Planes denoised so far."""
    messages: list[str] = field(default_factory=list)
    """Failures so far, in words."""
    is_aborted: bool = False
    """Whether the result cannot be written, so that the rest is left."""

    def tasks(self, device: str) -> list[BlockTask]:
        """Return what workers are to do."""
        looks = [replace(self._task(block, device), is_recorded=True) for block in self.recorded]
        return looks + [self._task(block, device) for block in self.todo]

    def _task(self, block: Block, device: str) -> BlockTask:
        match = self.image.channels[block.c].match
        return BlockTask(
            self.image.header,
            self.spec,
            block,
            None if match is None else match.config,
            self.image.recipe,
            frozenset(self.image.t),
            frozenset(self.image.z),
            device,
            self.lock,
        )

    def left(self) -> Mapping[int, int]:
        """Return how many planes of each channel are to be denoised in the blocks that are left."""
        chosen = {(t, z) for t in self.image.t for z in self.image.z}
        planes: Counter[int] = Counter()
        for block in self.todo:
            if self.image.channels[block.c].match is not None:
                planes[block.c] += len(chosen.intersection(block.positions))
        return planes

    def result(self, status: ImageStatus, failed: int) -> ImageResult:
        """Return what became of the image."""
        ref = self.image.header.ref
        seconds = (datetime.now(UTC) - self.started).total_seconds()
        messages = tuple(self.messages)
        return ImageResult(
            ref.source, ref.series, self.spec.uri, status, self.planes_done, failed, seconds, messages
        )


def settle(image: ImagePlan, choices: Choices) -> ImageResult | None:
    """Return what becomes of an image about which nothing is to be done, ``None`` if there is."""
    if image.target is None or image.decision.is_work:
        return None
    uri = image.target.uri
    problem = complaint(image.decision, uri)
    if problem is None and choices.write_back:  # a run that was killed may not have come to it
        try:
            register(image.header.ref, uri)
        except TargetError as error:
            problem = error
    status: ImageStatus = "unchanged" if problem is None else "failed"
    if image.decision.action == "leave":
        status = "changed"
    failed = image.planes if status == "failed" else 0
    messages = () if problem is None else (str(problem),)
    ref = image.header.ref
    return ImageResult(ref.source, ref.series, uri, status, 0, failed, 0.0, messages)


def begin(image: ImagePlan, choices: Choices, locks: Locks) -> ImageJob:
    """Lock and create the result of an image, or find out what is left to do in it.

    A result that is complete is neither locked nor touched.

    Raises
    ------
    TargetError
        If there is a result that was made otherwise, something that is not a result, or another run that
        writes there.
    """
    if image.target is None:
        msg = "an image without a destination cannot be begun"
        raise ValueError(msg)
    spec, started = image.target, datetime.now(UTC)
    recipe = recipe_document(image, changes_pixels())
    if _status(image, spec.uri, choices) == "complete":
        if choices.write_back:  # a run that was killed may not have come to it
            register(image.header.ref, spec.uri)
        return ImageJob(image, spec, recipe, [], started, is_complete=True)
    lock = locks.acquire(spec.uri)
    try:
        status = _status(image, spec.uri, choices)  # again: another run may just have been there
        if status == "complete":
            locks.release(spec.uri)
            return ImageJob(image, spec, recipe, [], started, is_complete=True)
        if status == "afresh":
            locks.clear(spec.uri)
        if status == "unfinished":
            remove_partial(spec.uri)
        else:
            create_target(spec, attribute("running", recipe, _run_document(spec, started)))
        spec = _with_layout(spec, (read_attributes(spec.uri) or {})["run"]["layout"])
        todo, recorded = blocks_to_do(spec, read_record(spec.uri), _order(image))
    except BaseException:
        locks.release(spec.uri)
        raise
    if is_remote(spec.uri):  # an object store shows no object before it is whole
        recorded = []
    return ImageJob(image, spec, recipe, todo, started, lock, recorded, open_blocks=len(todo + recorded))


def _status(
    image: ImagePlan, uri: str, choices: Choices
) -> Literal["absent", "afresh", "unfinished", "complete"]:
    """Say what is to be done with what is there: create it, start it afresh, continue it, or leave it.

    Raises
    ------
    TargetError
        If it is no result, or one that was made otherwise and is not to be overwritten.
    """
    decision = decide(image, own_attributes(uri), choices.overwrite)
    if problem := complaint(decision, uri):
        raise problem
    if decision.action == "create":
        return "absent"
    if decision.action == "redo" or not target_exists(uri):  # the latter was killed while it was created
        return "afresh"
    return "complete" if decision.action == "keep" else "unfinished"


def _order(image: ImagePlan) -> list[int]:
    """Channels of one configuration one after the other, so that a worker can reuse what it prepared."""
    return sorted(range(len(image.channels)), key=lambda c: (repr(_config(image, c)), c))


def _config(image: ImagePlan, c: int) -> object:
    match = image.channels[c].match
    return None if match is None else match.config


def _run_document(spec: TargetSpec, started: datetime) -> dict[str, Any]:
    layout = {
        "block": [spec.block_t, spec.block_z],
        "chunk": list(spec.chunk),
        "shard": list(spec.shard) if spec.shard else None,
        "uncertainty": spec.uncertainty,
        "dtype": spec.dtype,
    }
    return {"started": started.isoformat(timespec="seconds"), "layout": layout}


def _with_layout(spec: TargetSpec, layout: Mapping[str, Any]) -> TargetSpec:
    """Keep to the layout in which a result was begun, whatever this machine would choose."""
    block_t, block_z = layout["block"]
    shard = tuple(layout["shard"]) if layout["shard"] else None
    return replace(
        spec,
        block_t=block_t,
        block_z=block_z,
        chunk=tuple(layout["chunk"]),
        shard=shard,
        uncertainty=layout.get("uncertainty", False),
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
    failed, warnings = count_failed(record), record_warnings(record, task.spec.dtype)
    now = datetime.now(UTC)
    run = {
        **_run_document(task.spec, task.started),
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
    if task.is_new_store:
        crate = json.dumps(run_crate(task.spec.name, recipe, run), indent=2)
        write_file(f"{task.spec.uri}/{FILE_NAME}", crate.encode())
    finish_target(task.spec, attribute("partial" if failed else "complete", recipe, run), fence.check)
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
        inner = f"{ref.group}/denoised" if ref.group else "denoised"
        register_nested_image(ref.uri, inner, turn)
        return
    well, _, _ = ref.group.rpartition("/")
    image = f"{well}/{target.rsplit('/', 1)[-1]}"
    register_well_image(ref.uri, image, ref.plate.acquisition, turn)
