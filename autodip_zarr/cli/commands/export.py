"""The command export: results as OME-TIFF."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import click

from autodip_zarr.cli.exits import EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE
from autodip_zarr.cli.options import loudness, loudness_options
from autodip_zarr.cli.printing import say_skipped, show


@click.command()
@click.argument("target", metavar="TARGET")
@click.option("--output", required=True, metavar="DIR", help="Folder for the files.")
@click.option(
    "--tile", "tile_px", default=512, show_default=True, metavar="PX", help="Side of a tile, e.g. 256 or 512."
)
@click.option("--overwrite", is_flag=True, help="Write files again that are there already.")
@click.option(
    "--remote-sources",
    is_flag=True,
    help="Read the headers of sources on servers, too; the results name them.",
)
@loudness_options
def export(target: str, *, output: str, **arguments: Any) -> None:  # noqa: ANN401
    """Write results as OME-TIFF: a pyramid in tiles, for OMERO, QuPath, Fiji and others.

    Instrument, objective, channels and positions come from the source; an annotation says what was done. The
    same command again goes on where it stopped.
    """
    from autodip_zarr.domain import Skipped  # noqa: PLC0415
    from autodip_zarr.run.results.export import export_results  # noqa: PLC0415

    loud = loudness(arguments)
    options = {name: arguments[name] for name in ("tile_px", "overwrite", "remote_sources")}
    skipped: list[Skipped] = []
    counts = Counter[str]()
    for item in export_results(target, output, **options):
        if isinstance(item, Skipped):
            skipped.append(item)
            continue
        counts[item.status] += 1
        if loud != "quiet" or item.status == "failed":
            source = f", from {item.target}" if loud == "verbose" else ""
            show(f"{item.status}: {item.path}{source}" + (f": {item.reason}" if item.reason else ""))
    say_skipped(skipped)
    if loud != "usual":
        said = ", ".join(f"{counts[status]} {status}" for status in ("written", "kept", "failed"))
        show(f"files: {said}")
    if not counts and skipped:
        sys.exit(EXIT_USAGE)
    sys.exit(EXIT_INCOMPLETE if counts["failed"] or skipped else EXIT_DONE)
