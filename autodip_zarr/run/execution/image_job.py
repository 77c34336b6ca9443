"""Begin and finish the result of one image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from autodip_zarr.domain import Block, Decision, ImagePlan, TargetSpec
from autodip_zarr.errors import TargetError
from autodip_zarr.provenance import autodip_attribute, differences, recipe_document
from autodip_zarr.run.choices import DestinationChoices
from autodip_zarr.run.execution.block_task import BlockTask
from autodip_zarr.run.execution.finishing import register
from autodip_zarr.run.execution.run_document import as_begun, run_document
from autodip_zarr.run.locks.locking import Locks
from autodip_zarr.run.results.ledger import blocks_to_do
from autodip_zarr.run.results.repair import repair, restore_documents
from autodip_zarr.run.results.reuse import complaint, decide
from autodip_zarr.run.results.software import changes_pixels
from autodip_zarr.stores import (
    create_target,
    holds_more_than_lock,
    kept_attributes,
    own_attributes,
    read_attributes,
    read_record,
    remove_partial,
    target_exists,
)
from autodip_zarr.stores.access.uris import is_remote

_PUT_BACK = "the same command with --repair puts it back"

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
    remaining: list[Block]
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
    restored: tuple[str, ...] = ()
    """Objects that were put back from the copies that the checksums keep."""

    def tasks(self, device: str) -> list[BlockTask]:
        """Return what workers are to do."""
        looks = [replace(self._task(block, device), is_recorded=True) for block in self.recorded]
        return looks + [self._task(block, device) for block in self.remaining]

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
        for block in self.remaining:
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


def outcome_without_work(image: ImagePlan, choices: DestinationChoices) -> ImageResult | None:
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


def begin(image: ImagePlan, choices: DestinationChoices, locks: Locks) -> ImageJob:
    """Lock and create the result of an image, or find out what is left to do in it.

    A result that is complete is neither locked nor touched, unless it is to be repaired.

    Raises
    ------
    TargetError
        If there is a result that was made differently, something that is not a result, or another run that
        writes there.
    """
    if image.target is None:
        msg = "an image without a destination cannot be begun"
        raise ValueError(msg)
    spec, started = image.target, datetime.now(UTC)
    recipe = recipe_document(image, changes_pixels())
    action = _decision(image, spec.uri, choices).action
    if action == "create":
        _refuse_unknown(spec.uri)
    if action == "keep":
        return _complete(ImageJob(image, spec, recipe, [], started), choices)
    lock = locks.acquire(spec.uri)
    try:
        restored = restore_documents(spec.uri) if choices.repair else ()
        job = ImageJob(image, spec, recipe, [], started, lock, restored=restored)
        status = _status(image, spec.uri, choices)  # again: another run may just have been there
        if status != "complete":
            return _begun(job, status, choices, locks)
        job = _repaired(job) if choices.repair else replace(job, is_complete=True)
    except BaseException:
        locks.release(spec.uri)
        raise
    if not job.is_complete:
        return job
    locks.release(spec.uri)
    return _complete(job, choices)


def _begun(
    job: ImageJob,
    status: Literal["absent", "again", "unfinished"],
    choices: DestinationChoices,
    locks: Locks,
) -> ImageJob:
    """Create a locked result, or go on with a half, and find out what is left to do."""
    spec = job.spec
    if status == "again":
        if choices.repair and choices.overwrite == "never":  # its record is lost
            _refuse_other_software(spec.uri, (own_attributes(spec.uri) or {})["recipe"], job.recipe)
        locks.clear(spec.uri)
    if status == "unfinished":
        remove_partial(spec.uri)
    else:
        create_target(spec, autodip_attribute("running", job.recipe, run_document(spec, job.started)))
    spec = as_begun(spec, read_attributes(spec.uri))
    remaining, recorded = blocks_to_do(spec, read_record(spec.uri), _order(job.image))
    if is_remote(spec.uri) and not choices.repair:  # an object store shows no object before it is whole
        recorded = []
    count = len(remaining + recorded)
    return replace(job, spec=spec, remaining=remaining, recorded=recorded, open_blocks=count)


def _complete(job: ImageJob, choices: DestinationChoices) -> ImageJob:
    """Return a job about which nothing is left to do."""
    if choices.write_back:  # a run that was killed may not have come to it
        register(job.image.header.ref, job.spec.uri)
    return replace(job, is_complete=True)


def _repaired(job: ImageJob) -> ImageJob:
    """Look at a complete result, put back what can be, and return what is left to be made again.

    Raises
    ------
    TargetError
        Blocks are damaged that this software would make in another way.
    """
    attributes = read_attributes(job.spec.uri) or {}
    spec = as_begun(job.spec, attributes)
    _, done = blocks_to_do(spec, read_record(spec.uri), _order(job.image))
    found = repair(spec, done)
    recipe, blocks = attributes["recipe"], list(found.blocks)
    if blocks:
        _refuse_other_software(spec.uri, recipe, job.recipe)
    return replace(
        job,
        spec=spec,
        recipe=recipe,
        remaining=blocks,
        open_blocks=len(blocks),
        restored=(*job.restored, *found.restored),
        is_complete=not found.is_to_be_finished,
    )


def _refuse_other_software(uri: str, recorded: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
    """Refuse to make damaged blocks again with software that would make others of them.

    Raises
    ------
    TargetError
        The versions differ from those that are recorded.
    """
    other = differences(dict(recorded), {**recipe, "source": recorded.get("source")}, software=True)
    if other:
        found = f"is damaged, and what was lost was made differently ({'; '.join(other)})"
        hint = "install what made it, or start over with --overwrite"
        raise TargetError(uri, found, "the software that made it", hint)


def _refuse_unknown(uri: str) -> None:
    """Refuse to write where something lies that does not say whose it is.

    Raises
    ------
    TargetError
        It may be a result whose metadata was lost, or anything else.
    """
    if not holds_more_than_lock(uri) or own_attributes(uri) is not None:  # another run may just have begun
        return
    if kept_attributes(uri) is not None:
        raise TargetError(uri, "holds a result whose own metadata document is missing", "it", _PUT_BACK)
    hint = "move it away, or choose another --output; only what this program wrote is ever replaced"
    raise TargetError(uri, "holds something that does not say what it is", "nothing there, or a result", hint)


def _decision(image: ImagePlan, uri: str, choices: DestinationChoices) -> Decision:
    """Decide what is to be done with what is there.

    Raises
    ------
    TargetError
        If it is no result, or one that was made differently and is not to be overwritten.
    """
    existing: Mapping[str, Any] | None = kept_attributes(uri) if choices.repair else None
    if existing is None:
        existing = _own_attributes(uri)
    decision = decide(image, existing, choices.overwrite, repair=choices.repair)
    if problem := complaint(decision, uri):
        raise problem
    return decision


def _own_attributes(uri: str) -> Mapping[str, Any] | None:
    """Return what a result says of itself; where it cannot, its checksums may tell that it is one."""
    try:
        return own_attributes(uri)
    except TargetError as error:
        if kept_attributes(uri) is None:
            raise
        found, expected = "holds a result whose own metadata document was damaged or changed", "it as written"
        raise TargetError(uri, found, expected, _PUT_BACK) from error


def _status(
    image: ImagePlan, uri: str, choices: DestinationChoices
) -> Literal["absent", "again", "unfinished", "complete"]:
    """Say what is to be done with what is there: create it, start it over, continue it, or leave it.

    Raises
    ------
    TargetError
        As in `_decision`.
    """
    action = _decision(image, uri, choices).action
    if action == "create":
        return "absent"
    if action == "keep":
        return "complete"
    if action == "redo" or not target_exists(uri):  # killed while it was created, or its record is lost
        return "again"
    return "complete" if action == "repair" else "unfinished"


def _order(image: ImagePlan) -> list[int]:
    """Channels of one configuration one after the other, so that a worker can reuse what it prepared."""
    return sorted(range(len(image.channels)), key=lambda c: (repr(_config(image, c)), c))


def _config(image: ImagePlan, c: int) -> object:
    match = image.channels[c].match
    return None if match is None else match.config
