"""Commands that look at sources before the work: inspect, plan, preview."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from autodip_zarr.cli import options
from autodip_zarr.cli.exits import exit_code, exit_code_of
from autodip_zarr.cli.options import OverwritingCommand, choices
from autodip_zarr.cli.printing import print_json, print_part, say, say_skipped, say_warnings, show, write_file


@click.command()
@options.sources
@options.knowledge
@options.places
@options.planes
@click.option(
    "--table", "table_path", metavar="FILE", help="Write a CSV with a row a channel, for --mapping."
)
@options.as_json
def inspect(
    sources: Sequence[str],
    *,
    as_json: bool,
    table_path: str | None,
    **arguments: Any,  # noqa: ANN401
) -> None:
    """Print the metadata of the sources as understood, with the evidence.

    The table of --table can be corrected in a spreadsheet, and given back with --mapping.
    """
    from autodip_zarr.report.documents import inspection_document  # noqa: PLC0415
    from autodip_zarr.report.inspection import InspectionTable, inspection_lines  # noqa: PLC0415
    from autodip_zarr.run.planning.inspect import InspectedImage, Inspection, Inspector  # noqa: PLC0415

    table, images, skipped = InspectionTable(), [], []
    inspector = Inspector(sources, choices(arguments))
    for item in inspector:
        if not isinstance(item, InspectedImage):
            skipped.append(item)
            continue
        table.add(item)
        if as_json or table_path is None:
            images.append(item)
    inspection = Inspection(tuple(images), tuple(skipped), inspector.warnings())
    if table_path is not None:
        write_file("--table", table_path, table.text())
    if as_json:
        print_json(inspection_document(inspection))
    elif table_path is None and images:
        show(*inspection_lines(inspection))
    say_skipped(skipped)
    say_warnings(inspection.warnings)
    say(table.summary())
    sys.exit(exit_code_of(skipped, found=table.images > 0))


@click.command(cls=OverwritingCommand)
@options.sources
@options.planning
@options.destination
@options.device
@options.as_json
def plan(sources: Sequence[str], *, as_json: bool, device: str, **arguments: Any) -> None:  # noqa: ANN401
    """Print what would be done, without reading a pixel."""
    from autodip_zarr.report.plans import plan_json, plan_lines  # noqa: PLC0415
    from autodip_zarr.run.planning.plan import Planning  # noqa: PLC0415
    from autodip_zarr.run.scheduling.machine import settle_device  # noqa: PLC0415

    planning = Planning(sources, choices(arguments), settle_device(device))
    if as_json:
        for part in plan_json(planning):
            print_part(part)
        say_warnings(planning.warnings())
    else:
        for line in plan_lines(planning):
            show(line)
    totals = planning.totals()
    found = totals.images + totals.complete + totals.left > 0
    left_out = totals.errors + sum(totals.skipped.values())
    sys.exit(exit_code(found=found, errors=totals.errors + totals.left, skipped=left_out))


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option(
    "--channel",
    "--channels",
    "channel",
    default="0",
    show_default=True,
    metavar="LIST",
    help="Channel, by name or index; the first of several.",
)
@click.option(
    "--t", "at_t", default="0", show_default=True, metavar="LIST", help="Time point; the first of several."
)
@click.option(
    "--z", "at_z", metavar="LIST", help="Depth; the middle one of several.  [default: the middle one]"
)
@options.places
@click.option("--crop", metavar="Y,X,HEIGHT,WIDTH", help="Part of the plane, in pixels.")
@click.option("--picture", default="preview.png", show_default=True, help="PNG to write.")
@options.knowledge
@options.method
@options.stop
@options.device
def preview(source: str, *, device: str, picture: str, **arguments: Any) -> None:  # noqa: ANN401
    """Denoise one plane or a crop of it: noisy, denoised and residual as a picture, and the time taken."""
    from autodip_zarr.report.pictures import before_and_after, compose  # noqa: PLC0415
    from autodip_zarr.report.tables import preview_lines  # noqa: PLC0415
    from autodip_zarr.run.scheduling.machine import settle_device  # noqa: PLC0415
    from autodip_zarr.run.trials.preview import PlaneChoice, preview_plane  # noqa: PLC0415

    where = PlaneChoice(arguments["channel"], arguments["at_t"], arguments["at_z"], arguments["crop"])
    result = preview_plane(source, where, choices({**arguments, "any_contrast": True}), settle_device(device))
    compose([before_and_after(result.noisy, result.denoised)]).save(picture)
    show(*preview_lines(result), f"picture: {picture}")
