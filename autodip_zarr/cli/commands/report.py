"""The command report: a page about results."""

from __future__ import annotations

import sys

import click

from autodip_zarr.cli.exits import EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE
from autodip_zarr.cli.printing import say_skipped, show


@click.command()
@click.argument("target", metavar="TARGET")
@click.option("--output", required=True, metavar="PAGE.html", help="Page to write.")
@click.option(
    "--remote-sources",
    is_flag=True,
    help="Read sources on servers, too, for pictures of before; the results name them.",
)
def report(target: str, *, output: str, remote_sources: bool) -> None:
    """Write a page about a result, or all results below a folder: warnings, tables, pictures.

    The page is one file, works offline and needs no scripts.
    """
    from autodip_zarr.report.results import write_report  # noqa: PLC0415

    written = write_report(target, output, remote_sources=remote_sources)
    say_skipped(written.skipped)
    if written.path is None:
        sys.exit(EXIT_USAGE)
    show(f"page: {written.path}")
    sys.exit(EXIT_INCOMPLETE if written.skipped else EXIT_DONE)
