"""The command report: a page about results."""

from __future__ import annotations

import sys

import click

from autodip_zarr.cli.exits import EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE
from autodip_zarr.cli.printing import say_skipped, show, write_named_file


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
    from autodip_zarr.domain import Skipped  # noqa: PLC0415
    from autodip_zarr.report.results import ResultsReport  # noqa: PLC0415
    from autodip_zarr.run.results.review import review_target  # noqa: PLC0415

    results = ResultsReport(target, remote_sources=remote_sources)
    for item in review_target(target):
        if isinstance(item, Skipped):
            results.unreadable.append(item)
        else:
            results.add(item)
    say_skipped(results.unreadable)
    if results.is_empty:
        sys.exit(EXIT_USAGE)
    write_named_file("--output", output, results.page())
    show(f"page: {output}")
    sys.exit(EXIT_INCOMPLETE if results.unreadable else EXIT_DONE)
