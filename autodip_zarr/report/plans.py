"""Plans as text and as JSON, image by image, so that plans of any length are printed as they are made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final

from autodip_zarr.domain import ImagePlan, Skipped, Totals
from autodip_zarr.metadata import well_name
from autodip_zarr.report.documents import planned_document, skipped_document, totals_document
from autodip_zarr.report.tables import config_name, table_lines
from autodip_zarr.run.planning.plan import Planning
from autodip_zarr.run.planning.totals import group_name
from autodip_zarr.run.results.reuse import complaint

_ROWS_A_TABLE: Final = 500
_COLUMNS: Final = ("image", "well", "field", "channel", "microscope", "specimen", "tier", "group", "config")
_NUMBERS: Final = ("planes", "cost")
_UNIT: Final = "1 = a 512x512 plane, original prior"


def plan_json(planning: Planning) -> Iterator[str]:
    """Yield the parts of one JSON object: images, then what is skipped, what it all comes to, warnings."""
    items = iter(planning)
    first = next(items, None)  # wrong choices are told before anything is printed
    skipped: list[Skipped] = []
    yield '{\n  "images": ['
    separator = ""
    for item in items if first is None else chain([first], items):
        if isinstance(item, Skipped):
            skipped.append(item)
            continue
        yield f"{separator}\n    {_indented(planned_document(item), 4)}"
        separator = ","
    yield "\n  ]" if separator else "]"
    rest: list[tuple[str, object]] = [
        ("skipped", skipped_document(skipped)),
        ("totals", totals_document(planning.totals())),
    ]
    if warnings := planning.warnings():
        rest.append(("warnings", list(warnings)))
    for name, value in rest:
        yield f',\n  "{name}": {_indented(value, 2)}'
    yield "\n}\n"


def _indented(value: object, spaces: int) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return text.replace("\n", "\n" + " " * spaces)


def plan_lines(planning: Planning) -> Iterator[str]:
    """Yield lines: tables of what is to be done, each with warnings and what is skipped, then the total."""
    items = iter(planning)
    while batch := list(islice(items, _ROWS_A_TABLE)):
        yield from _batch([item for item in batch if isinstance(item, ImagePlan)])
        yield from (skipped_line(item) for item in batch if isinstance(item, Skipped))
    yield from (f"warning: {warning}" for warning in planning.warnings())
    yield from _totals_lines(planning.totals())


def skipped_line(skip: Skipped) -> str:
    """Return what is skipped and why, in one line."""
    channel = "" if skip.channel is None else f", channel {skip.channel}"
    return f"{'error' if skip.is_error else 'skipped'}: {skip.source}{channel}: {skip.reason}"


def _batch(images: Sequence[ImagePlan]) -> Iterator[str]:
    """Yield the table of some images and the warnings about their channels."""
    rows: list[list[object]] = []
    warnings: list[str] = []
    for image in images:
        if not image.decision.is_work:
            warnings += _left_warning(image)
            continue
        ref, plate = image.header.ref, image.plate
        name = ref.source if ref.series is None else f"{ref.source} [{ref.series}]"
        where = [well_name(plate), plate.field] if plate else [None, None]
        for channel in image.channels:
            known, match = channel.metadata, channel.match
            if match is None:
                continue
            label = known.name or known.index
            cells = [match.tier, group_name(match.group), config_name(match.config), channel.planes]
            start = [name, *where, label, known.microscope, known.specimen]
            rows.append([*start, *cells, _cost_text(channel.relative_cost)])
            warnings += [f"warning: {name}, channel {label}: {warning}" for warning in channel.warnings]
    if rows:
        on_plates = any(image.plate for image in images)
        kept = [index for index, name in enumerate((*_COLUMNS, *_NUMBERS)) if on_plates or name not in _PLACE]
        yield from table_lines(
            [(*_COLUMNS, *_NUMBERS)[index] for index in kept],
            [[row[index] for index in kept] for row in rows],
        )
    yield from warnings


def _left_warning(image: ImagePlan) -> list[str]:
    problem = None if image.target is None else complaint(image.decision, image.target.uri)
    return [] if problem is None else [f"warning: {image.header.ref.source}: {problem}"]


_PLACE: Final = frozenset({"well", "field"})


def _totals_lines(totals: Totals) -> list[str]:
    """Return what a plan comes to: planes, bytes, the cost of each group, and what is skipped."""
    cost = totals.relative_cost
    lines = [f"{totals.images} images, {totals.planes} planes, cost {_cost_text(cost)} ({_UNIT})"]
    if totals.images:
        written = f", writes {_size_text(totals.bytes_out)}" if totals.bytes_out else ""
        lines.append(f"reads {_size_text(totals.bytes_in)}{written} (uncompressed)")
    if len(totals.groups) > 1:
        rows = [
            [
                one.group,
                one.channels,
                one.planes,
                _cost_text(one.relative_cost),
                f"{one.relative_cost / cost:.0%}",
            ]
            for one in totals.groups
        ]
        lines += table_lines(["group", "channels", "planes", "cost", "share"], rows)
    lines += [f"skipped {count} times: {reason}" for reason, count in totals.skipped.items()]
    if totals.complete:
        lines.append(f"complete: {totals.complete} results, nothing is left to do for them")
    if totals.left:
        lines.append(f"left as they are: {totals.left} results, see the warnings above")
    if totals.errors:
        lines.append(f"cannot be done: {totals.errors}, see the errors above")
    return lines


def _cost_text(cost: float) -> str:
    """Return a cost with two decimals, or two digits where it is small."""
    return f"{cost:.2f}" if cost >= 0.1 else f"{cost:.2g}"


def _size_text(size_bytes: int) -> str:
    """Return a number of bytes for people, for example ``1.5 GB``."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
