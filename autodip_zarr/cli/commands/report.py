"""The command report: a page about results."""

from __future__ import annotations

import sys
import time
from typing import Final

import click

from autodip_zarr.cli.exits import EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE
from autodip_zarr.cli.printing import say, say_skipped, show

_CALM: Final = 2
"""Looks in a row at which nothing is being made, after which a run is over; one may fall between images."""


@click.command()
@click.argument("target", metavar="TARGET")
@click.option("--output", required=True, metavar="PAGE.html", help="Page to write.")
@click.option(
    "--remote-sources",
    is_flag=True,
    help="Read sources on servers, too, for pictures of before; the results name them.",
)
@click.option(
    "--watch",
    "every_s",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Write the page again so often while a run goes on; an open browser follows.",
)
def report(target: str, *, output: str, remote_sources: bool, every_s: float | None) -> None:
    """Write a page about a result, or all results below a folder: warnings, pictures, numbers.

    The page is one file and works offline.
    """
    from autodip_zarr.report.results import write_report  # noqa: PLC0415

    calm = 0
    while every_s is not None and calm < _CALM:
        written = write_report(target, output, remote_sources=remote_sources, again_s=every_s)
        say(written.in_one_line() if written.path else f"{target} holds no result yet")
        calm = 0 if written.is_running or written.path is None else calm + 1
        time.sleep(every_s)
    written = write_report(target, output, remote_sources=remote_sources)
    say_skipped(written.skipped)
    if written.path is None:
        sys.exit(EXIT_USAGE)
    show(f"page: {written.path}")
    sys.exit(EXIT_INCOMPLETE if written.skipped else EXIT_DONE)
