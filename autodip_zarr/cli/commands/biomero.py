"""The command biomero: a job as BIOMERO and Bilayers start it."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from autodip_zarr.cli.exits import EXIT_INCOMPLETE, EXIT_USAGE, exit_code_of
from autodip_zarr.cli.options import choices, device_option, knowledge_options, method_options, workers_option
from autodip_zarr.cli.printing import say, say_skipped
from autodip_zarr.run.choices import Machine

_NOT_GIVEN: Final = ("", "metadata")
"""What forms give for a field that nobody filled in, and for the choice to go by the metadata."""


@click.command()
@click.option("--infolder", required=True, metavar="DIR", help="Folder of TIFF, OME-TIFF and OME-Zarr.")
@click.option(
    "--outfolder", "output", required=True, metavar="DIR", help="Folder for the results and their table."
)
@click.option("--gtfolder", metavar="DIR", help="Folder of ground truth; not used.")
@click.option("--local", is_flag=True, help="Given by BIOMERO; changes nothing.")
@click.option("-nmc", "no_metrics", is_flag=True, help="Given by BIOMERO; changes nothing.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["ome-tiff", "ome-zarr", "both"]),
    default="ome-tiff",
    show_default=True,
    help="Files to leave in the output folder.",
)
@knowledge_options
@method_options
@device_option
@workers_option
@click.option("--in-process", is_flag=True, help="Work in this process, block by block, without workers.")
def biomero(*, infolder: str, device: str, workers: int | None, in_process: bool, **arguments: Any) -> None:  # noqa: ANN401
    """Denoise a folder as a job of BIOMERO, or of Bilayers.

    Progress goes to standard output as lines that begin with a percentage. The same command again goes on
    where a job stopped. An empty value, or `metadata`, leaves an option to the metadata.
    """
    from autodip_zarr.platforms.biomero import PercentLines, run_job  # noqa: PLC0415
    from autodip_zarr.report.tables import summary_lines  # noqa: PLC0415

    given = {name: None if value in _NOT_GIVEN else value for name, value in arguments.items()}
    machine = Machine(device, workers, in_process=in_process)
    lines = PercentLines(sys.stdout)
    summary = run_job(infolder, choices(given), machine, lines)
    say_skipped(summary.skipped)
    say(*summary_lines(summary))
    code = exit_code_of(summary.skipped, found=bool(summary.images))
    if code == EXIT_USAGE or not summary.is_complete:
        sys.exit(code if code == EXIT_USAGE else EXIT_INCOMPLETE)
    lines.finish()
