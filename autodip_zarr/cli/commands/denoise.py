"""The command denoise: the work itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from autodip_zarr.cli.config_file import config_options
from autodip_zarr.cli.exits import EXIT_INCOMPLETE, EXIT_USAGE, exit_code_of
from autodip_zarr.cli.options import (
    OverwritingCommand,
    choices,
    destination_options,
    device_option,
    json_option,
    loudness,
    loudness_options,
    planning_options,
    sources_argument,
    workers_option,
)
from autodip_zarr.cli.printing import print_json, say, say_skipped
from autodip_zarr.run.choices import Machine


@click.command(cls=OverwritingCommand)
@sources_argument
@destination_options
@click.option(
    "--repair",
    is_flag=True,
    help="Read complete results again, and make again what is damaged or missing there, and nothing else.",
)
@planning_options
@device_option
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler.  [default: a local cluster]")
@click.option("--cluster", metavar="FILE", help="TOML of Slurm jobs, or of cards, to start workers on.")
@workers_option
@click.option(
    "--in-process",
    is_flag=True,
    help="Work in this process, block by block, without workers: for one image, or in tasks of others.",
)
@click.option(
    "--memory",
    metavar="SIZE",
    help="Memory of each local worker process, e.g. 8GB.  [default: an even share of the machine's]",
)
@click.option(
    "--time-limit",
    "time_limit_s",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Longest time of one block on a worker.  [default: as long as its fit goes on]",
)
@click.option(
    "--log-json", is_flag=True, help="Write what happens as JSON, one object a line, on standard error."
)
@json_option
@loudness_options
@config_options
def denoise(
    sources: Sequence[str],
    *,
    as_json: bool,
    log_json: bool,
    device: str,
    **arguments: Any,  # noqa: ANN401
) -> None:
    """Denoise all images of the sources.

    The same command again goes on where it stopped, and does nothing where all is done.
    """
    from autodip_zarr.report.documents import run_numbers, skipped_document, summary_document  # noqa: PLC0415
    from autodip_zarr.report.progress import JsonLines, watching  # noqa: PLC0415
    from autodip_zarr.report.tables import problem_lines, summary_lines  # noqa: PLC0415
    from autodip_zarr.run.execution.denoise import denoise as run  # noqa: PLC0415
    from autodip_zarr.run.scheduling.cluster_file import memory_option  # noqa: PLC0415

    loud = loudness(arguments | {"log_json": log_json})
    memory = arguments["memory"]
    machine = Machine(
        device,
        arguments["workers"],
        arguments["scheduler"],
        arguments["cluster"],
        arguments["time_limit_s"],
        None if memory is None else memory_option(memory),
        in_process=arguments["in_process"],
    )
    if log_json:
        lines = JsonLines(sys.stderr)
        summary = run(sources, choices(arguments), machine, lines)
        for skipped in skipped_document(summary.skipped):
            lines.write({"event": "skipped", **skipped})
        lines.write({"event": "finished", **run_numbers(summary)})
    elif loud == "quiet":
        summary = run(sources, choices(arguments), machine)
        say(*problem_lines(summary), summary.in_one_line())
    else:
        with watching(sys.stderr, verbose=loud == "verbose") as watch:
            summary = run(sources, choices(arguments), machine, watch)
        say_skipped(summary.skipped)
        say(*summary_lines(summary))
    if as_json:
        print_json(summary_document(summary))
    code = exit_code_of(summary.skipped, found=bool(summary.images))
    sys.exit(code if code == EXIT_USAGE or summary.is_complete else EXIT_INCOMPLETE)
