"""Metadata as understood: as text with the evidence, and as a table that can be corrected and given back."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from autodip_zarr.domain import ChannelMetadata, ChannelPlan, Evidence
from autodip_zarr.metadata import FIELDS, well_name
from autodip_zarr.metadata.mapping import KEYS, NOTES, literal
from autodip_zarr.report.tables import table_lines
from autodip_zarr.run.planning.inspect import InspectedImage, Inspection
from autodip_zarr.run.planning.totals import group_name

_NAME, *_FROM_AND_MATCH = NOTES
_COLUMNS = (*KEYS, _NAME, *FIELDS, *_FROM_AND_MATCH)
"""Columns of the table of ``inspect --table``."""

_LONGEST = 300
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SUMMARY = ("image", "channel", *FIELDS, "tier", "group")


def inspection_lines(inspection: Inspection) -> list[str]:
    """Return metadata as understood: a line for each channel, then the evidence behind each value."""
    if not inspection.images:
        return []
    lines = table_lines(_SUMMARY, [row for image in inspection.images for row in _summary(image)])
    for image in inspection.images:
        lines += ["", _heading(image), *_details(image)]
    return lines


def _heading(image: InspectedImage) -> str:
    series = "" if image.series is None else f" [{image.series}]"
    name = f"  ({image.acquisition.name})" if image.acquisition.name else ""
    plate = image.acquisition.plate
    where = "" if plate is None else f"  well {well_name(plate)}, field {plate.field}"
    if plate is not None and plate.acquisition is not None:
        where += f", acquisition {plate.acquisition}"
    return f"{image.source}{series}{name}{where}"


def _summary(image: InspectedImage) -> Iterator[list[object]]:
    path = image.path if image.series is None else f"{image.path} [{image.series}]"
    for channel in image.channels:
        known = channel.metadata
        label = known.index if known.name is None else f"{known.index} {known.name}"
        yield [path, label, *(getattr(known, field) for field in FIELDS), *_tier_and_group(channel)]


def _tier_and_group(channel: ChannelPlan) -> tuple[str | None, str | None]:
    match = channel.match
    return (None, None) if match is None else (match.tier, group_name(match.group))


def _details(image: InspectedImage) -> Iterator[str]:
    for channel in image.channels:
        known = channel.metadata
        yield f"  channel {known.index}" + (f" {known.name!r}" if known.name else "")
        for field in FIELDS:
            clues = [clue for clue in known.evidence if clue.field == field]
            yield f"    {field}: {getattr(known, field) or '?'}"
            for clue in clues:
                yield f"      {_clue(clue, image)}"
        yield from (f"    conflict: {_shortened(conflict, image)}" for conflict in known.conflicts)
        if channel.reason is not None:
            yield f"    not denoised: {channel.reason}"
    yield from (f"  warning: {warning}" for warning in _image_warnings(image))


def _clue(clue: Evidence, image: InspectedImage) -> str:
    meaning = "in vain" if clue.value is None else f"says {clue.value}"
    return f"trust {clue.trust:>3}  {clue.raw!r:.{_LONGEST}} {meaning}  ({_shortened(clue.source, image)})"


def _shortened(text: str, image: InspectedImage) -> str:
    """Leave out the path of the image, which stands above, and that of the folder that holds its store."""
    store = image.source.removesuffix(image.path)
    text = text.replace(f"{image.source}/", "").replace(f"{image.source}#", "#")
    return text.replace(store, "") if len(store) > 1 else text


def _image_warnings(image: InspectedImage) -> list[str]:
    """Return the warnings that are not already told with a channel."""
    told = {f"channel {c.index}: {one}" for c in image.acquisition.channels for one in c.conflicts}
    return [one for one in (*image.warnings, *image.acquisition.warnings) if one not in told]


class InspectionTable:
    """The table of ``inspect --table``: a row for each channel, which ``--mapping`` takes.

    Keeps the rows only, not the images, so that large archives fit.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, list[str]]] = []
        self.images = 0
        """Images so far."""
        self.tiers: Counter[str] = Counter()
        """Channels at each tier."""

    def add(self, image: InspectedImage) -> None:
        """Add the channels of an image."""
        self.images += 1
        for number, channel in enumerate(image.channels):
            warnings = [*([channel.reason] if channel.reason else []), *channel.warnings]
            warnings += _image_warnings(image) if number == 0 else []
            self._rows.append((image.path, image.source, _cells(image, channel, warnings)))
            self.tiers["not denoised" if channel.match is None else channel.match.tier] += 1

    def text(self) -> str:
        """Return the table as CSV.

        The path is the one below the named source, which stays true when the archive moves; where two
        sources hold the same one, it is the whole path.
        """
        places: dict[str, set[str]] = {}
        for path, source, _ in self._rows:
            places.setdefault(path, set()).add(source)
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for path, source, cells in self._rows:
            writer.writerow([literal(path if len(places[path]) == 1 else source), *cells])
        return stream.getvalue()

    def summary(self) -> str:
        """Say in one line what is in it."""
        tiers = ", ".join(f"{count} {tier}" for tier, count in self.tiers.most_common())
        return f"{self.images} images, {len(self._rows)} channels" + (f": {tiers}" if tiers else "")


def _cells(image: InspectedImage, channel: ChannelPlan, warnings: Iterable[str]) -> list[str]:
    known, plate = channel.metadata, image.acquisition.plate
    tier, group = _tier_and_group(channel)
    return [
        "" if image.series is None else str(image.series),
        "" if plate is None else literal(well_name(plate)),
        "" if plate is None else literal(plate.field),
        str(known.index),
        _note(known.name or ""),
        *(getattr(known, field) or "" for field in FIELDS),
        *(_note(_origin(known, field, image)) for field in FIELDS),
        tier or "",
        group or "",
        _note("; ".join(_shortened(one, image) for one in dict.fromkeys(warnings))),
    ]


def _origin(known: ChannelMetadata, field: str, image: InspectedImage) -> str:
    """Return the best evidence for a value; what was tried in vain where there is none."""
    clues: Sequence[Evidence] = [clue for clue in known.evidence if clue.field == field]
    value = getattr(known, field)
    best = next((clue for clue in clues if clue.value == value), None)
    return "" if best is None else _clue(best, image)


def _note(text: str) -> str:
    """Return a cell for people: one line, and nothing that a spreadsheet takes for a formula."""
    line = " ".join(text.split())
    return f"'{line}" if line.startswith(_FORMULA) else line
