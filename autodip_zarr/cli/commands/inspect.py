"""The command inspect: what the metadata of the sources is understood to say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from autodip_zarr.cli.exits import exit_code_of
from autodip_zarr.cli.options import (
    choices,
    json_option,
    knowledge_options,
    places_options,
    planes_options,
    sources_argument,
)
from autodip_zarr.cli.printing import print_json, say, say_skipped, say_warnings, show


@click.command()
@sources_argument
@knowledge_options
@places_options
@planes_options
@click.option(
    "--table", "table_path", metavar="FILE", help="Write a CSV with a row a channel, for --mapping."
)
@json_option
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
        from autodip_zarr.report.streams import write_named_file  # noqa: PLC0415

        write_named_file("--table", table_path, table.text())
    if as_json:
        print_json(inspection_document(inspection))
    elif table_path is None and images:
        show(*inspection_lines(inspection))
    say_skipped(skipped)
    say_warnings(inspection.warnings)
    say(table.summary())
    sys.exit(exit_code_of(skipped, found=table.images > 0))
