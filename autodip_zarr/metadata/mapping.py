"""What a person says about many channels: rows of a table, matched by path, plate position and channel."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from autodip_zarr.domain import ChannelMetadata, Evidence, FieldOfPlate
from autodip_zarr.errors import OptionError
from autodip_zarr.metadata.clues import FIELDS, Trust
from autodip_zarr.metadata.plates import is_field, is_well
from autodip_zarr.metadata.units import whole_number
from autodip_zarr.metadata.vocabulary.terms import Vocabulary

__all__ = ["KEYS", "NOTES", "ChannelMapping", "ImagePlace", "Terms", "literal", "read_mapping"]

_UNKNOWN = "-"
"""What a person writes where a value that was read is wrong and the right one is not known."""

KEYS = ("source", "series", "well", "field", "channel")
"""Columns that say which channels a row speaks about."""

NOTES = ("name", *(f"{field}_from" for field in FIELDS), "tier", "group", "warnings")
"""Columns that ``inspect --table`` writes for people, and that are passed over here."""

_ALIASES = {"path": "source"}
_GLOB = re.compile(r"[*?\[]")
_LITERAL = re.compile(r"\[([*?\[=+@-])\]")
_FORMULA = "=+-@"
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Terms:
    """The words that a person may use."""

    vocabulary: Vocabulary
    """What the words mean."""
    calibrated: frozenset[tuple[str, str]] = frozenset()
    """Field and term of the groups of the calibration table, which may have terms of their own."""

    def understand(self, field: str, text: str) -> str | None:
        """Return the term that a text means, or ``None``."""
        if (field, text) in self.calibrated:
            return text
        return self.vocabulary.lookup(field, text)

    def error(self, where: str, field: str, text: str, hint: str = "") -> OptionError:
        """Return an error that lists the terms of a field, the one that was probably meant first."""
        own = [term for one, term in sorted(self.calibrated) if one == field]
        known = list(dict.fromkeys([*(t.term for t in self.vocabulary.terms if t.field == field), *own]))
        meant = get_close_matches(text.casefold(), known, n=1)
        guess = f"did you mean {meant[0]!r}? " if meant else ""
        return OptionError(where, repr(text), f"one of {', '.join(known)}", f"{guess}{hint}".strip())


@dataclass(frozen=True)
class ImagePlace:
    """All by which rows can name an image."""

    paths: tuple[str, ...]
    """Its paths: below the named source, as a whole, below the working folder."""
    series: int | None
    """Index in a file that holds several images."""
    plate: FieldOfPlate | None
    """Place in a plate."""


@dataclass(frozen=True)
class MappingRow:
    """One row."""

    line: int
    """Line of the file, counted from 1."""
    source: str
    """Path, or pattern of paths."""
    series: int | None
    """Index in a file that holds several images; ``None`` for any."""
    well: str
    """Name or pattern of the well; empty for any place."""
    field: str
    """Name or pattern of the field; empty for any."""
    channel: str
    """Index or name; ``*`` for all."""
    values: tuple[Evidence, ...]
    """What it says, one a cell that is filled in."""

    def is_about_image(self, place: ImagePlace) -> bool:
        """Whether it speaks about an image whose path it names."""
        if self.series is not None and self.series != (place.series or 0):
            return False
        if not self.well and not self.field:
            return True
        if place.plate is None:
            return False
        in_well = not self.well or is_well(place.plate, [self.well])
        return in_well and (not self.field or is_field(place.plate, [self.field]))

    def is_about_channel(self, channel: ChannelMetadata, count: int) -> bool:
        """Whether it speaks about a channel; a number is an index where there are so many channels."""
        if self.channel == "*":
            return True
        number = whole_number(self.channel)
        if number is not None and number < count:
            return number == channel.index
        return self.channel.casefold() == (channel.name or "").strip().casefold()


@dataclass(frozen=True)
class ChannelMapping:
    """All rows of a table; of two that fill in the same cell of a channel, the later one wins."""

    rows: tuple[MappingRow, ...]
    """In the order of the file."""

    @cached_property
    def _named(self) -> Mapping[str, list[int]]:
        """Rows by the path they name; archives have thousands of images with a row each."""
        named: dict[str, list[int]] = {}
        for number, row in enumerate(self.rows):
            if not _is_pattern(row.source):
                named.setdefault(_LITERAL.sub(r"\1", row.source), []).append(number)
        return named

    @cached_property
    def _patterns(self) -> tuple[tuple[int, re.Pattern[str]], ...]:
        return tuple(
            (number, re.compile(_regular(row.source)))
            for number, row in enumerate(self.rows)
            if _is_pattern(row.source)
        )

    def of_image(self, place: ImagePlace) -> tuple[MappingRow, ...]:
        """Return the rows that speak about an image, in the order of the file.

        Parameters
        ----------
        place : ImagePlace
            Where it is. A row that names a folder, a store or a plate speaks about all images in it.
        """
        found = {number for path in place.paths for number in self._of_path(path)}
        return tuple(self.rows[number] for number in sorted(found) if self.rows[number].is_about_image(place))

    def _of_path(self, path: str) -> Iterator[int]:
        above = path
        while above:
            yield from self._named.get(above, ())
            above = above.rpartition("/")[0]
        for number, pattern in self._patterns:
            if pattern.fullmatch(path):
                yield number


def literal(text: str) -> str:
    """Return a pattern that matches exactly this path, and that no spreadsheet takes for a formula."""
    escaped = _GLOB.sub(lambda one: f"[{one[0]}]", text)
    return f"[{escaped[0]}]{escaped[1:]}" if escaped[:1] and escaped[0] in _FORMULA else escaped


def _is_pattern(source: str) -> bool:
    return _GLOB.search(_LITERAL.sub("", source)) is not None


def read_mapping(content: str, where: str, terms: Terms) -> ChannelMapping:
    """Read a table of corrections.

    Parameters
    ----------
    content : str
        CSV with a header line, separated by commas, semicolons or tabs.
    where : str
        File, for messages; its name stands in the evidence.
    terms : Terms
        The words that may stand in the cells.

    Raises
    ------
    OptionError
        If a column, a row or a term is not understood; says the line, what was found and what was expected.
    """
    content = content.removeprefix("\ufeff")
    head = content.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=max(_SEPARATORS, key=head.count))
    columns: list[str] = []
    rows: list[MappingRow] = []
    line = 1
    try:
        for cells in reader:
            if not columns:
                columns = _columns(cells, where)
            elif any(cell.strip() for cell in cells):
                rows.append(_row(cells, columns, _Line(where, line), terms))
            line = reader.line_num + 1
    except csv.Error as error:
        raise OptionError(f"{where} line {line}", str(error), "comma-separated values") from error
    if not columns:
        raise OptionError(where, "an empty file", f"a header line with {', '.join((*KEYS, *FIELDS))}")
    return ChannelMapping(tuple(rows))


@dataclass(frozen=True)
class _Line:
    """Where a row stands."""

    where: str
    """File."""
    number: int
    """Line, counted from 1."""

    def error(self, column: str, found: str, expected: str, hint: str = "") -> OptionError:
        """Return an error that names file, line and column."""
        return OptionError(f"{self.where} line {self.number}, {column}", found, expected, hint)

    @property
    def source(self) -> str:
        """File name and line, for evidence."""
        return f"{self.where.replace('--mapping ', '').rpartition('/')[2]} line {self.number}"


def _columns(cells: list[str], where: str) -> list[str]:
    names = [re.sub(r"\s+", "_", cell.strip().casefold()) for cell in cells]
    names = [_ALIASES.get(name, name) for name in names]
    known = (*KEYS, *FIELDS)
    for name, cell in zip(names, cells, strict=True):
        if name not in (*known, *NOTES):
            raise OptionError(f"{where} line 1", f"the column {cell!r}", f"some of {', '.join(known)}")
        if names.count(name) > 1:
            raise OptionError(f"{where} line 1", f"the column {cell!r} twice", "each column once")
    if "source" not in names or not set(FIELDS) & set(names):
        expected = f"a column source, and one or more of {', '.join(FIELDS)}"
        raise OptionError(f"{where} line 1", f"the columns {', '.join(names)}", expected)
    return names


def _row(cells: list[str], columns: list[str], line: _Line, terms: Terms) -> MappingRow:
    if len(cells) > len(columns):
        hint = "put cells that contain the separator into double quotes"
        raise line.error("cells", f"{len(cells)} cells", f"{len(columns)}, as in the header line", hint)
    row = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
    source, series = row.get("source", ""), row.get("series", "")
    if not source:
        raise line.error("source", "an empty cell", "a path or a pattern of paths; ** for all images")
    number = whole_number(series)
    if series not in {"", "*"} and number is None:
        raise line.error("series", repr(series), "an index counted from 0, or nothing for any")
    try:
        re.compile(_regular(source))
    except re.error as error:
        raise line.error("source", f"{source!r:.100} ({error})", "ranges such as [a-z] or [0-9]") from error
    texts = [(field, row[field]) for field in FIELDS if row.get(field)]
    return MappingRow(
        line=line.number,
        source=source.rstrip("/") or "/",
        series=number,
        well=row.get("well", ""),
        field=row.get("field", ""),
        channel=row.get("channel", "") or "*",
        values=tuple(_value(field, text, line, terms) for field, text in texts),
    )


def _value(field: str, text: str, line: _Line, terms: Terms) -> Evidence:
    if text == _UNKNOWN:
        return Evidence(field, None, line.source, text, Trust.MAPPING)
    term = terms.understand(field, text)
    if term is None:
        hint = f"write {_UNKNOWN} for unknown, nothing to leave it as read, or add terms with --vocabulary"
        raise terms.error(f"{line.where} line {line.number}, {field}", field, text, hint)
    return Evidence(field, term, line.source, text, Trust.MAPPING)


def _regular(pattern: str) -> str:
    """Return a regular expression for a pattern of paths.

    ``*`` and ``?`` stay within a folder, ``**`` crosses folders; what matches a folder matches all in it.
    """
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        one = pattern[position]
        end = pattern.find("]", position + 2) if one == "[" else -1
        if pattern.startswith("**/", position):
            parts.append("(?:.*/)?")
            position += 3
        elif pattern.startswith("**", position):
            parts.append(".*")
            position += 2
        elif end > 0:
            inner = re.sub(r"([\\\[\]&~|^])", r"\\\1", pattern[position + 1 : end])
            inner = f"^{inner[1:]}" if inner.startswith("!") else inner
            parts.append(f"[{inner}]")
            position = end + 1
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(one, re.escape(one)))
            position += 1
    return f"(?s:{''.join(parts)}(?:/.*)?)"
