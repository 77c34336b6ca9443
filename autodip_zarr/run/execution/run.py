"""One run, image by image: which calls are left, and what follows from their answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial

from autodip_zarr.dip.estimate import Estimate
from autodip_zarr.domain import DipConfig, ImagePlan
from autodip_zarr.errors import AutodipError, TargetError, WorkerError
from autodip_zarr.provenance import public_uri
from autodip_zarr.run.choices import Choices, Machine
from autodip_zarr.run.execution.block_task import (
    BlockOutcome,
    BlockTask,
    LostBlock,
    failure_lines,
    run_block,
    run_block_again,
    run_lost_block,
)
from autodip_zarr.run.execution.containers import Containers
from autodip_zarr.run.execution.finishing import Finished, FinishTask, finish, register
from autodip_zarr.run.execution.image_job import (
    ImageJob,
    ImageResult,
    ImageStatus,
    begin,
    outcome_without_work,
)
from autodip_zarr.run.execution.summary import Pace, Progress, Watch
from autodip_zarr.run.locks.fencing import Fence
from autodip_zarr.run.locks.locking import Locks
from autodip_zarr.run.method import Method
from autodip_zarr.run.planning.memory import block_bytes, least_bytes
from autodip_zarr.run.planning.plan_list import Plan
from autodip_zarr.run.scheduling.connect import worker_memory
from autodip_zarr.run.scheduling.dispatch import Call
from autodip_zarr.run.scheduling.machine import resolve_device
from autodip_zarr.stores import write_failures


@dataclass(frozen=True)
class RunSettings:
    """How a plan is carried out."""

    choices: Choices
    """What was chosen."""
    machine: Machine
    """Where."""
    method: Method
    """How planes are denoised."""


class Run:
    """The state of a run: what is open, what is done."""

    def __init__(self, plan: Plan, settings: RunSettings, watch: Watch, locks: Locks) -> None:
        self.plan = plan
        self.locks = locks
        self.choices = settings.choices
        self.machine = settings.machine
        self.method = settings.method
        self.device = resolve_device(settings.machine.device)
        self.watch = watch
        self.results: list[ImageResult] = []
        self.jobs: dict[str, ImageJob] = {}
        self.total = plan.totals.planes
        self.cost_total = plan.totals.relative_cost
        self.cost_done = 0.0
        self.done = 0
        self.failed = 0
        self.copied = self.empty = 0
        self.paces: dict[DipConfig, Pace] = {}

    @cached_property
    def memory_bytes(self) -> int | None:
        """Memory of each worker, as far as it is known; found out only where there is something to do."""
        return worker_memory(self.machine)

    def tell(self, message: str | None = None, event: Mapping[str, object] | None = None) -> None:
        """Tell who watches how far the run is, and what happened."""
        share = min(1.0, self.cost_done / self.cost_total) if self.cost_total > 0 else 0.0
        self.watch(Progress(self.total, self.done, self.failed, share, message, event))

    def _lose(self, image: ImagePlan, message: str) -> None:
        self.total -= image.planes
        self.cost_total -= sum(channel.relative_cost for channel in image.channels)
        ref = image.header.ref
        uri = "" if image.target is None else image.target.uri
        lost = ImageResult(ref.source, ref.series, uri, "failed", 0, image.planes, 0.0, (message,))
        self.results.append(lost)
        self.tell(f"{ref.source}: {message}")

    def calls(self) -> Iterator[Call]:
        """Yield the blocks of all images, one image after the other; begin each when its turn comes."""
        containers = Containers(self.plan.images, self.choices)
        for image in self.plan.images:
            settled = outcome_without_work(image, self.choices)
            if settled is not None:
                self.results.append(settled)
                said = "; ".join(settled.messages) or f"nothing left to do, {settled.target}"
                self.tell(f"{settled.source}: {said}")
                continue
            if problem := self._too_large(image):
                self._lose(image, problem)
                continue
            try:
                job = begin(image, self.choices, self.locks)
                if self.choices.repair or not job.is_complete:
                    containers.write_around(image)
            except AutodipError as error:
                self.locks.release(image.target.uri if image.target else "")
                self._lose(image, str(error))
                continue
            left = job.left()
            for c, channel in enumerate(image.channels):  # what an earlier run has done
                self.total -= channel.planes - left.get(c, 0)
                self.cost_total -= (channel.planes - left.get(c, 0)) * channel.plane_cost
            if job.is_complete:
                self.results.append(job.result("done" if job.restored else "unchanged", 0))
                said = f"put back {', '.join(job.restored)}" if job.restored else "nothing left to do"
                self.tell(f"{image.header.ref.source}: {said}, {job.spec.uri}")
                continue
            self.jobs[job.spec.uri] = job
            yield from self._calls_of(job)

    def _too_large(self, image: ImagePlan) -> str | None:
        """Say what is wrong where not even one block of an image fits into the memory of a worker."""
        if image.target is None or self.memory_bytes is None:
            return None
        needed = least_bytes(image, image.target, self.device, self.method)
        if needed <= self.memory_bytes:
            return None
        found = (
            f"one block needs {needed / 1e9:.1f} GB on a worker, which has {self.memory_bytes / 1e9:.1f} GB"
        )
        return str(WorkerError("memory", found, hint="take fewer --workers, or give each more by --memory"))

    def _calls_of(self, job: ImageJob) -> Iterator[Call]:
        if not job.open_blocks:
            yield self._finishing(job)
        for task in job.tasks(self.device):
            if job.is_aborted:
                return
            yield self._working(job, task)

    def _working(self, job: ImageJob, task: BlockTask) -> Call:
        fit = self._fit(task)
        held = self._held_bytes(task)
        first = partial(run_block, denoise=self.method.denoise, alone=self.machine.in_process)
        again = partial(run_block_again, denoise=self.method.denoise)
        if fit is None:
            return Call(first, task, retry=again, held_bytes=held)
        seconds = fit.seconds(job.image.channels[task.block.c].plane_cost)
        fitted = sum(t in task.t and z in task.z for t, z in task.block.positions)
        alike = (task.config, job.spec.size("y"), job.spec.size("x"))
        return Call(first, task, seconds * fitted, alike, held, fit.network_bytes, again)

    def _fit(self, task: BlockTask) -> Estimate | None:
        """Return what fitting a plane of a block costs; ``None`` where planes are copied."""
        if task.config is None:
            return None
        size = (task.header.size("y"), task.header.size("x"))
        return self.method.estimate(task.config, task.recipe, size, self.device)

    def _held_bytes(self, task: BlockTask) -> int:
        return block_bytes(task.header, task.spec, len(task.block.positions), self._fit(task))

    def _finishing(self, job: ImageJob) -> Call:
        is_new_store = not self.choices.write_back
        header = job.image.header
        task = FinishTask(header, job.spec, job.recipe, job.started, self.device, is_new_store, job.lock)
        return Call(finish, task)

    def take(self, call: Call, answer: object) -> Iterable[Call]:
        """Take the result of a call; answer with what follows from it."""
        job = self.jobs[call.argument.spec.uri]
        if isinstance(answer, TargetError):
            return self._abort(job, answer)
        if isinstance(call.argument, BlockTask) and not isinstance(answer, BlockOutcome):
            lost = LostBlock(call.argument, _in_words(answer))
            return (Call(run_lost_block, lost, held_bytes=self._held_bytes(call.argument)),)
        if isinstance(call.argument, LostBlock) and not isinstance(answer, BlockOutcome):
            return self._take_block(job, call.argument.task, _never_written(call.argument))
        if isinstance(answer, BlockOutcome):
            if isinstance(call.argument, LostBlock):
                return self._take_block(job, call.argument.task, answer)
            self._count(call.argument, answer)
            return self._take_block(job, call.argument, answer)
        if not isinstance(answer, Finished):
            return self._abort(job, answer)
        return self._discard(job) if answer.is_empty else self._finished(job, answer)

    def _finished(self, job: ImageJob, answer: Finished) -> Iterable[Call]:
        if self.choices.write_back:
            try:
                register(job.image.header.ref, job.spec.uri)
            except TargetError as error:
                return self._abort(job, error)
        self.locks.release(job.spec.uri)
        for warning in answer.warnings:
            self.tell(f"warning: {job.image.header.ref.source}: {warning}")
        status: ImageStatus = "partial" if answer.failed else "done"
        self._close(job.result(status, answer.failed), f"{status}, {job.spec.uri}")
        return ()

    def _close(self, result: ImageResult, said: str) -> None:
        self.results.append(result)
        event = {
            "event": "image",
            "source": public_uri(result.source),
            "target": public_uri(result.target),
            "status": result.status,
            "planes_done": result.planes_done,
            "planes_failed": result.planes_failed,
        }
        self.tell(f"{result.source}: {said}", event)

    def _discard(self, job: ImageJob) -> Iterable[Call]:
        """Leave no result of an image of which no plane was denoised: nobody is to take noise for one."""
        try:
            self.locks.remove(job.spec.uri)
        except TargetError as error:
            return self._abort(job, error)
        said = f"no plane could be denoised; no result is left at {job.spec.uri}"
        self._close(job.result("failed", job.image.planes), said)
        return ()

    def _count(self, task: BlockTask, outcome: BlockOutcome) -> None:
        self.copied += outcome.copied - outcome.empty
        self.empty += outcome.empty
        if task.config is not None:
            pace = self.paces.setdefault(task.config, Pace(task.config))
            pace.planes += outcome.denoised
            pace.fit_seconds += outcome.fit_seconds
            if fit := self._fit(task):
                cost = self.jobs[task.spec.uri].image.channels[task.block.c].plane_cost
                pace.expected_seconds += fit.seconds(cost) * outcome.denoised
        event = {
            "event": "block",
            "source": public_uri(task.header.ref.source),
            "c": task.block.c,
            "t": [task.block.t.start, task.block.t.stop],
            "z": [task.block.z.start, task.block.z.stop],
            "denoised": outcome.denoised,
            "copied": outcome.copied,
            "failed": len(outcome.failures),
            "seconds": round(outcome.seconds, 3),
            "fit_seconds": round(outcome.fit_seconds, 3),
            "peak_bytes": outcome.peak_bytes,
        }
        self.tell(event=event)

    def _take_block(self, job: ImageJob, task: BlockTask, outcome: BlockOutcome) -> Iterable[Call]:
        job.open_blocks -= 1
        tried = outcome.denoised + outcome.empty + len(outcome.failures)
        cost = tried * job.image.channels[task.block.c].plane_cost
        self.cost_done += cost
        if task.is_recorded:  # not counted among what was left
            self.total += tried
            self.cost_total += cost
        self.total -= outcome.empty  # there is nothing to denoise after all
        job.planes_done += outcome.denoised
        job.messages += outcome.failures
        self.done += outcome.denoised
        self.failed += len(outcome.failures)
        for failure in outcome.failures:
            self.tell(f"{job.image.header.ref.source}: {failure}")
        self.tell()
        if job.open_blocks or job.is_aborted:
            return ()
        return (self._finishing(job),)

    def _abort(self, job: ImageJob, error: object) -> Iterable[Call]:
        """Give an image up whose result cannot be written; the others go on."""
        if not job.is_aborted:
            job.is_aborted = True
            self.locks.release(job.spec.uri)
            job.messages.append(_in_words(error))
            self.results.append(job.result("failed", job.image.planes - job.planes_done))
            self.tell(f"{job.image.header.ref.source}: {_in_words(error)}")
        return ()


def _in_words(error: object) -> str:
    return str(error) if isinstance(error, AutodipError) else f"{type(error).__name__}: {error}"


def _never_written(lost: LostBlock) -> BlockOutcome:
    """Count the planes of a block as failed that took its worker along even when it was only copied."""
    task = lost.task
    reasons = dict.fromkeys(task.block.positions, lost.reason)
    with suppress(TargetError):  # where even this cannot be written, finishing the image will say so
        Fence(task.spec.uri, task.lock).check()
        write_failures(task.spec, task.block, reasons)
    return BlockOutcome(0, 0, tuple(failure_lines(task.block, reasons)), 0.0)
