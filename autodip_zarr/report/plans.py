"""Plans as text and as JSON, image by image, so that plans of any length are printed as they are made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain, islice, starmap
from textwrap import wrap
from typing import Final

from autodip_zarr.domain import ChannelPlan, ImagePlan, Skipped, Totals
from autodip_zarr.metadata import well_name
from autodip_zarr.provenance import public_uri
from autodip_zarr.report.documents import planned_document, skipped_document, totals_document
from autodip_zarr.report.tables import aligned, duration_text, table_lines
from autodip_zarr.run.planning.forecast import Forecast, forecast
from autodip_zarr.run.planning.plan import Planning
from autodip_zarr.run.planning.speed import known_speed
from autodip_zarr.run.planning.totals import config_name, group_name
from autodip_zarr.run.planning.warned import Warned
from autodip_zarr.run.results.reuse import complaint
from autodip_zarr.run.sources.overrides import image_path
from autodip_zarr.shown.visible import visible

_TIMES: Final = ("seconds", "least_seconds", "most_seconds")
_ROWS_A_TABLE: Final = 500
_HEADING: Final = ("channel", "microscope", "specimen", "matched by", "group", "depth/width/skip/steps")
_NARROW_HEADING: Final = ("channel", "microscope", "specimen", "group", "configuration")
"""Where the whole one does not fit: the group tells by what it was matched."""
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
        ("totals", _totals(planning)),
    ]
    if warnings := planning.warnings():
        rest.append(("warnings", list(warnings)))
    for name, value in rest:
        yield f',\n  "{name}": {_indented(value, 2)}'
    yield "\n}\n"


_BASES: Final = {
    "runs": "from earlier runs on this machine",
    "measured": "from a short fit on this machine",
    "guess": "a guess: this machine was never measured, which a run or `plan` on a terminal does",
}


def forecast_line(forecast: Forecast) -> str:
    """Return how long a plan takes, in one line."""
    unit = "core" if forecast.device == "cpu" else "card"
    where = f"{forecast.workers} {unit}{'' if forecast.workers == 1 else 's'}"
    least, most = duration_text(forecast.least_seconds), duration_text(forecast.most_seconds)
    likely = duration_text(forecast.seconds)
    return f"about {likely} on {where} ({least} to {most}; {_BASES[forecast.basis]})"


def _indented(value: object, spaces: int) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return text.replace("\n", "\n" + " " * spaces)


def _totals(planning: Planning) -> dict[str, object]:
    """Return what a plan comes to, with its time as far as that is known without measuring anything."""
    totals, device = planning.totals(), planning.device
    time = asdict(forecast(totals, device, known_speed(device)))
    return {**totals_document(totals), "time": {**time, **{key: round(time[key], 3) for key in _TIMES}}}


def plan_lines(
    planning: Planning, *, one_line_an_image: bool = False, width: int | None = None
) -> Iterator[str]:
    """Yield lines: what is to be done, image by image, then what is skipped, warnings, and the total.

    Parameters
    ----------
    planning : Planning
        The plan, which is made meanwhile.
    one_line_an_image : bool
        Put all that is known of an image into its line, for other programs; otherwise images that share their
        channels and configurations stand together below these.
    width : int, optional
        Characters of a line of the terminal, in which sentences are folded between words and tables are made
        to fit; names of images are whole.
    """
    for line in _lines(planning, one_line_an_image=one_line_an_image, width=width):
        yield from [line] if width is None or line.startswith("  ") else _folded(line, width)


def _folded(line: str, width: int) -> list[str]:
    """Return a sentence in lines of a terminal; those after the first are indented."""
    return wrap(visible(line), width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _lines(planning: Planning, *, one_line_an_image: bool, width: int | None) -> Iterator[str]:
    items, warned, several = iter(planning), Warned(), len(planning.sources) > 1
    while batch := list(islice(items, _ROWS_A_TABLE)):
        images = [item for item in batch if isinstance(item, ImagePlan)]
        working = [image for image in images if image.decision.is_work]
        named = [(_name(image, with_source=several), image) for image in working]
        yield from starmap(_line, named) if one_line_an_image else _grouped(named, width)
        for image in images:
            warned.add(image)
        yield from (line for image in images for line in _left_warning(image))
        yield from (skipped_line(item) for item in batch if isinstance(item, Skipped) and _is_told(item))
    yield from (f"warning: {warning}" for warning in (*warned.lines(), *planning.warnings()))
    yield from _totals_lines(planning.totals())


def short_lines(planning: Planning) -> Iterator[str]:
    """Yield what cannot be done, and in the last line what all else comes to."""
    for item in planning:
        if isinstance(item, Skipped) and item.is_error:
            yield skipped_line(item)
    yield _sum_line(planning.totals())


def detailed_lines(planning: Planning) -> Iterator[str]:
    """Yield all that is known: each image with its target, each channel with why it is treated so."""
    warned = Warned()
    for item in planning:
        if isinstance(item, Skipped):
            yield skipped_line(item)
            continue
        target = "" if item.target is None else f" -> {public_uri(item.target.uri)}"
        decided = "; ".join((item.decision.action, *item.decision.reasons))
        yield f"{_name(item, with_source=True)}: {', '.join(_amount(item))}; {decided}{target}"
        yield from (f"  {line}" for channel in item.channels for line in _channel_details(channel))
        yield from (f"  warning: {warning}" for warning in item.warnings)
        warned.add(item)
        yield from _left_warning(item)
    yield from (f"warning: {warning}" for warning in (*warned.lines(), *planning.warnings()))
    yield from _totals_lines(planning.totals())


def _channel_details(channel: ChannelPlan) -> Iterator[str]:
    """Yield what is known of a channel, and why it is denoised so or not at all."""
    known, match = channel.metadata, channel.match
    name = f"channel {known.index} {known.name or ''}".strip()
    terms = f"{known.microscope or '-'}, {known.specimen or '-'}"
    if match is None:
        yield f"{name}: {terms}; copied: {channel.reason}"
        return
    yield (
        f"{name}: {terms}; matched by {_tier_text(match.tier)}: {group_name(match.group)}, "
        f"{config_name(match.config)}; cost of a plane {_cost_text(channel.plane_cost)}"
    )
    yield from (f"  {clue.field}: {clue.value or '?'} from {clue.raw!r:.80}" for clue in known.evidence)
    yield from (f"  warning: {warning}" for warning in channel.warnings)


def _is_told(skip: Skipped) -> bool:
    """Whether something that is skipped has a line of its own; channels are counted at the end."""
    return skip.is_error or skip.channel is None


def skipped_line(skip: Skipped) -> str:
    """Return what is skipped and why, in one line."""
    channel = "" if skip.channel is None else f", channel {skip.channel}"
    return f"{'error' if skip.is_error else 'skipped'}: {skip.where}{channel}: {skip.reason}"


def _line(name: str, image: ImagePlan) -> str:
    """Return all that is to be done with an image, in cells that tabs separate."""
    channels = "; ".join(" ".join(cells) for cells in _channels(image))
    return "\t".join((name, *_amount(image), channels))


def _grouped(named: Sequence[tuple[str, ImagePlan]], width: int | None) -> Iterator[str]:
    """Yield what images share, once, and below it a line for each of them."""
    groups: dict[tuple[tuple[str, ...], ...], list[tuple[str, ...]]] = {}
    for name, image in named:
        groups.setdefault(_channels(image), []).append((f"  {name}", *_amount(image)))
    shared = iter(_shared([row for channels in groups for row in channels], width))
    own = iter(aligned([row for rows in groups.values() for row in rows]))
    yield from islice(shared, 1)
    for channels, members in groups.items():
        yield from islice(shared, len(channels))
        yield from islice(own, len(members))


def _shared(rows: Sequence[tuple[str, ...]], width: int | None) -> list[str]:
    """Return a heading and what images share, without the column that can be told where room is short."""
    whole = aligned([_HEADING, *rows]) if rows else []
    if width is None or max(map(len, whole), default=0) <= width:
        return whole
    return aligned([_NARROW_HEADING, *((*row[:3], *row[4:]) for row in rows)])


def _channels(image: ImagePlan) -> tuple[tuple[str, ...], ...]:
    """Return what is known of each channel that is denoised, and what is transferred to it."""
    return tuple(
        (
            str(channel.metadata.name or f"channel {channel.metadata.index}"),
            channel.metadata.microscope or "-",
            channel.metadata.specimen or "-",
            _tier_text(match.tier),
            group_name(match.group),
            config_name(match.config),
        )
        for channel in image.channels
        if (match := channel.match) is not None
    )


def _tier_text(tier: str) -> str:
    return "nothing" if tier == "global" else tier


def _name(image: ImagePlan, *, with_source: bool) -> str:
    """Return the path of an image below the source that was named, and the name of that if need be."""
    ref, plate = image.header.ref, image.plate
    path = image_path(ref)
    root = public_uri(ref.source).removesuffix(path).rstrip("/")
    above = root.rpartition("/")[2] if with_source else ""
    series = "" if ref.series is None else f" [{ref.series}]"
    well = f" (well {well_name(plate)}, field {plate.field})" if plate and ref.kind == "ome-tiff" else ""
    return f"{above}{'/' if above else ''}{path}{series}{well}"


def _amount(image: ImagePlan) -> tuple[str, str]:
    cost = sum(channel.relative_cost for channel in image.channels)
    return f"{image.planes} plane{'' if image.planes == 1 else 's'}", f"cost {_cost_text(cost)}"


def _left_warning(image: ImagePlan) -> list[str]:
    problem = None if image.target is None else complaint(image.decision, image.target.uri)
    return [] if problem is None else [f"warning: {image.header.ref.source}: {problem}"]


def _totals_lines(totals: Totals) -> list[str]:
    """Return what a plan comes to: planes, bytes, the cost of each group, and what is skipped."""
    cost = totals.relative_cost
    lines = [_sum_line(totals)]
    if totals.images:
        written = f", writes {_size_text(totals.bytes_out)}" if totals.bytes_out else ""
        lines.append(f"reads {_size_text(totals.bytes_in)}{written} (uncompressed)")
    for tier, (channels, images) in totals.tiers.items():
        average = "; the average of the table is taken" if tier == "global" else ""
        lines.append(f"matched by {_tier_text(tier)}: {channels} channels of {images} images{average}")
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
    lines += [f"skipped {_times(count)}: {reason}" for reason, count in totals.skipped.items()]
    if totals.complete:
        lines.append(f"complete: {totals.complete} results, nothing is left to do for them")
    if totals.left:
        lines.append(f"left as they are: {totals.left} results, see the warnings above")
    if totals.errors:
        lines.append(f"cannot be done: {totals.errors}, see the errors above")
    return lines


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _sum_line(totals: Totals) -> str:
    cost = _cost_text(totals.relative_cost)
    return f"{totals.images} images, {totals.planes} planes, cost {cost} ({_UNIT})"


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
