"""Tables for a terminal: the lines of any table, of previews, and of what became of runs."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autodip_zarr.run.execution.summary import UNDONE, Summary
from autodip_zarr.run.planning.totals import config_name, group_name
from autodip_zarr.run.trials.preview import Preview
from autodip_zarr.shown.visible import visible

_NARROWEST = 120
_SHORT = 28
"""Cells of at most so many characters stay on one line; longer ones, such as paths, are folded."""

_FIRST, _GAP = ":", "  "
"""Marks the first line of a row while it is laid out: those in which a long cell goes on stay indented, so
that none of them looks like a line of its own."""


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return a table as lines of plain text; a cell begins none, whatever a file put into it.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequence
        Cells, shown with ``str``; ``None`` as a dash.
    """
    texts = [["-" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column(_FIRST, no_wrap=True)
    for index, heading in enumerate(columns):
        is_short = all(len(row[index]) <= _SHORT for row in texts)
        table.add_column(heading, overflow="fold", no_wrap=is_short)
    for cells in texts:
        table.add_row(_FIRST, *(Text(cell) for cell in cells))
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().split("\n")[:-1]]
    return [line[1:].removeprefix(_GAP) if line.startswith(_FIRST) else line for line in lines]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with their cells below one another, however long: none is cut or folded."""
    shown = [[visible(cell) for cell in row] for row in rows]
    if not shown:
        return []
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip()
        for row in shown
    ]


def duration_text(seconds: float) -> str:
    """Return a time in the unit that people would use: ``36 s``, ``12 min``, ``3.2 h``, ``4.5 days``."""
    if seconds < 99:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 99 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} days"


def preview_lines(preview: Preview) -> list[str]:
    """Return what a preview was made with, and how long it and the whole channel take."""
    known, match = preview.channel, preview.match
    height, width = preview.noisy.shape
    whole = preview.seconds * preview.whole_px / (height * width)
    plane = "" if preview.whole_px == height * width else f", a whole plane about {duration_text(whole)}"
    return [
        f"channel {known.index} {known.name or ''}: {known.microscope or '?'}, {known.specimen or '?'}",
        f"matched {group_name(match.group)} at tier {match.tier}: {config_name(match.config)}",
        f"{height} x {width} pixels took {duration_text(preview.seconds)} on one worker{plane}; "
        f"the {preview.planes} planes of the channel take about {duration_text(whole * preview.planes)}",
    ]


def summary_lines(summary: Summary) -> list[str]:
    """Return what became of a run: images, planes, wall time, and how long each configuration took."""
    lines = [summary.in_one_line()]
    if summary.paces:
        minutes, seconds = divmod(round(summary.seconds), 60)
        empty = f", empty in the source: {summary.planes_empty}" if summary.planes_empty else ""
        lines.append(
            f"planes copied unchanged: {summary.planes_copied}{empty}; wall time: {minutes} min {seconds} s"
        )
        rows = [
            (
                config_name(pace.config),
                pace.planes,
                f"{pace.fit_seconds / pace.planes:.2f}" if pace.planes else None,
            )
            for pace in summary.paces
        ]
        lines += table_lines(("configuration", "planes", "seconds per plane"), rows)
    return lines


def problem_lines(summary: Summary) -> list[str]:
    """Return what went wrong in a run: sources that could not be read, images that were not done."""
    skipped = [skip for skip in summary.skipped if skip.is_error]
    lines = [f"error: {skip.where}: {skip.reason}" for skip in skipped]
    for image in summary.images:
        if image.status in UNDONE:
            lines += [f"error: {image.source}: {message}" for message in image.messages or (image.status,)]
    return lines
