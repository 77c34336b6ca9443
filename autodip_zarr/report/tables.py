"""Plans and metadata as tables for a terminal."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autodip_zarr.domain import DipConfig, Plan
from autodip_zarr.metadata import well_name
from autodip_zarr.run.preview import Preview
from autodip_zarr.run.totals import group_name

_NARROWEST = 120
_SHORT = 28
"""Cells of at most so many characters stay on one line; longer ones, such as paths, are folded."""


def table_text(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as plain text; cells are shown as they are, whatever a file put into them.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequence
        Cells, shown with ``str``; ``None`` as a dash.
    """
    texts = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, show_edge=False)
    for index, heading in enumerate(columns):
        is_short = all(len(row[index]) <= _SHORT for row in texts)
        table.add_column(heading, overflow="fold", no_wrap=is_short)
    for cells in texts:
        table.add_row(*(Text(cell) for cell in cells))
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def config_name(config: DipConfig) -> str:
    """Return a configuration as depth/width/skip/iterations."""
    return f"{config.depth}/{config.width}/{config.skip}/{config.iterations}"


def plan_text(plan: Plan) -> str:
    """Return a plan as a table, with what is skipped and what a person should look at."""
    on_plates = any(image.plate for image in plan.images)
    place = ["well", "field"] if on_plates else []
    columns = [
        "image",
        *place,
        "channel",
        "microscope",
        "specimen",
        "tier",
        "group",
        "config",
        "planes",
        "cost",
    ]
    rows: list[list[object]] = []
    warnings: list[str] = []
    for image in plan.images:
        ref = image.header.ref
        name = ref.source if ref.series is None else f"{ref.source} [{ref.series}]"
        plate = image.plate
        where = [well_name(plate), plate.field] if plate else [None, None]
        for channel in image.channels:
            if channel.match is None:
                continue
            known, match = channel.metadata, channel.match
            label = known.name or known.index
            cells = [match.tier, group_name(match.group), config_name(match.config), channel.planes]
            start = [name, *(where if on_plates else []), label]
            rows.append([*start, known.microscope, known.specimen, *cells, f"{channel.relative_cost:.3f}"])
            warnings += [f"warning: {name}, channel {label}: {warning}" for warning in channel.warnings]
    total = sum(channel.relative_cost for image in plan.images for channel in image.channels)
    planes = sum(image.planes for image in plan.images)
    summary = (
        f"{len(plan.images)} images, {planes} planes, cost {total:.2f} (1 = a 512x512 plane, original prior)"
    )
    skips = [
        f"{'error' if skip.is_error else 'skipped'}: {skip.source}"
        f"{'' if skip.channel is None else f', channel {skip.channel}'}: {skip.reason}"
        for skip in plan.skipped
    ]
    warnings += [f"warning: {warning}" for warning in plan.warnings]
    return "\n".join([*([table_text(columns, rows)] if rows else []), *warnings, *skips, summary])


def preview_text(preview: Preview) -> str:
    """Return what a preview was made with, and how long it and the whole channel take."""
    known, match = preview.channel, preview.match
    height, width = preview.noisy.shape
    hours = preview.seconds * preview.planes / 3600
    return "\n".join(
        [
            f"channel {known.index} {known.name or ''}: {known.microscope or '?'}, {known.specimen or '?'}",
            f"matched {group_name(match.group)} at tier {match.tier}: {config_name(match.config)}",
            f"{height} x {width} pixels took {preview.seconds:.1f} s on one worker; "
            f"{preview.planes} such planes take {hours:.2f} hours on one",
        ]
    )
