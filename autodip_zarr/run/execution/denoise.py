"""Carry out a plan, on Dask workers or in this process, and say what became of each image."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

from autodip_zarr.domain import Skipped
from autodip_zarr.errors import OptionError
from autodip_zarr.run.choices import Choices, Machine
from autodip_zarr.run.execution.run import Run, RunSettings
from autodip_zarr.run.execution.summary import Progress, Summary, Watch, ignore
from autodip_zarr.run.locks.locking import Locks
from autodip_zarr.run.method import PRIOR, Method
from autodip_zarr.run.planning.plan import make_plan
from autodip_zarr.run.planning.plan_list import Plan
from autodip_zarr.run.planning.speed import keep_run
from autodip_zarr.run.planning.warned import Warned
from autodip_zarr.run.results.export import Exported, ExportSettings, export_images
from autodip_zarr.run.scheduling.cluster_file import settle_cluster
from autodip_zarr.run.scheduling.connect import connect, hand_over_credentials
from autodip_zarr.run.scheduling.dispatch import SILENCE_S
from autodip_zarr.run.scheduling.machine import settle_device
from autodip_zarr.run.scheduling.schedule import CallConditions, drive
from autodip_zarr.run.scheduling.serial import drive_here
from autodip_zarr.run.sources.named import Sources
from autodip_zarr.stores import walk_results
from autodip_zarr.stores.access.uris import is_remote, local_path


def denoise(
    sources: Sources,
    choices: Choices,
    machine: Machine | None = None,
    watch: Watch = ignore,
    method: Method = PRIOR,
) -> Summary:
    """Denoise all images of the sources.

    Parameters
    ----------
    sources : str, path, or iterable of these
        Files, folders and URIs.
    choices : Choices
        What is to be done; needs ``output`` or ``write_back``.
    machine : Machine, optional
        Where; a local cluster by default.
    watch : callable, optional
        Told the news as they come.
    method : Method, optional
        How planes are denoised, where that is not by the Deep Image Prior; its name is not recorded.

    Returns
    -------
    Summary
        An image that cannot be done is named there with the reason, and the others go on.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense.
    """
    if choices.output is None and not choices.write_back:
        raise OptionError("--output, --write-back", "neither given", "where results go")
    machine = settle_cluster(machine or Machine())
    if machine.is_local:
        machine = replace(machine, device=settle_device(machine.device))
    elif choices.output is not None and not is_remote(choices.output):  # workers have another working folder
        choices = replace(choices, output=local_path(choices.output))
    plan = make_plan(sources, choices, machine.device, method)
    warned = Warned()
    for image in plan.images:
        warned.add(image)
    for warning in (*warned.lines(), *plan.warnings):
        watch(Progress(0, 0, 0, message=f"warning: {warning}"))
    summary = carry_out(plan, choices, machine, watch, method)
    return summary if choices.file_format == "ome-zarr" else _with_files(summary, choices, watch)


def _with_files(summary: Summary, choices: Choices, watch: Watch) -> Summary:
    """Export the results of a run as OME-TIFF: those that are complete, now or since an earlier run."""
    complete = [image.target for image in summary.images if image.status in {"done", "unchanged"}]
    if not complete or choices.output is None or choices.zarr_folder is None:
        return summary
    targets = {local_path(target): target for target in complete}
    done = sum(image.planes_done for image in summary.images)
    failed = sum(image.planes_failed for image in summary.images)
    results = (one for one in walk_results([choices.zarr_folder]) if one.source in targets)
    settings = ExportSettings(overwrite=choices.overwrite == "all", remote_sources=True)
    files: list[Exported] = []
    for item in export_images(results, Path(local_path(choices.output)), settings):
        file = _lost(item.source, item.reason) if isinstance(item, Skipped) else item
        files.append(replace(file, target=targets.pop(file.target)))
        said = ": ".join(filter(None, (file.target, f"{file.status} {file.path}".rstrip(), file.reason)))
        watch(Progress(done + failed, done, failed, 1.0, said, {"event": "export", **asdict(file)}))
    files += [_lost(target, "the result is no longer there") for target in targets.values()]
    return replace(summary, exported=tuple(files))


def _lost(target: str, reason: str) -> Exported:
    """Count a result as failed that somebody changed or removed since it was done."""
    return Exported(target, "", "failed", reason)


def carry_out(
    plan: Plan, choices: Choices, machine: Machine, watch: Watch = ignore, method: Method = PRIOR
) -> Summary:
    """Carry out a plan that was made before; see :func:`denoise`."""
    started = time.monotonic()
    with Locks() as locks:
        run = Run(plan, RunSettings(choices, machine, method), watch, locks)
        run.tell()
        calls = run.calls()
        first = next(calls, None)
        if first is not None and machine.in_process:
            drive_here(chain([first], calls), run.take)
        elif first is not None:
            with connect(machine) as client:
                hand_over_credentials(client)
                link = client.dashboard_link
                run.tell(f"dashboard: {link}", {"event": "started", "dashboard": link})
                start_limit_s = SILENCE_S if machine.is_local else None
                conditions = CallConditions(run.device, machine.time_limit_s, run.tell, start_limit_s)
                drive(client, chain([first], calls), run.take, conditions)
    order = {(i.header.ref.source, i.header.ref.series): n for n, i in enumerate(plan.images)}
    results = sorted(run.results, key=lambda result: order[result.source, result.series])
    seconds = time.monotonic() - started
    if machine.is_local and method is PRIOR:
        fits = run.paces.values()
        keep_run(run.device, sum(p.fit_seconds for p in fits), sum(p.expected_seconds for p in fits))
    return Summary(tuple(results), plan.skipped, run.copied, run.empty, seconds, tuple(run.paces.values()))
