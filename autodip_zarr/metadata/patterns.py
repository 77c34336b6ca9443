"""What file and folder names say, by patterns that the user gives; never more than a guess."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from autodip_zarr.errors import OptionError
from autodip_zarr.metadata.clues import FIELDS, Clue, Reading, Trust

__all__ = ["NamePattern", "read_patterns"]

_MAX_PATH = 4096


@dataclass(frozen=True)
class NamePattern:
    """A regular expression over paths, whose named groups are fields.

    Raises
    ------
    OptionError
        If the expression is not valid, or no group is named like a field.
    """

    expression: str
    """For example ``(?P<microscope>Confocal|WideField)_.*_(?P<specimen>DAPI|Mito)``; searched anywhere."""
    channel: int | None = None
    """Index of the channel it speaks about; ``None`` for all."""

    def __post_init__(self) -> None:
        try:
            groups = re.compile(self.expression).groupindex
        except re.error as error:
            raise OptionError(
                "name pattern", f"{self.expression!r} ({error})", "a regular expression"
            ) from error
        if not groups or set(groups) - set(FIELDS):
            raise OptionError(
                "name pattern",
                f"the groups {sorted(groups)}",
                f"groups named {', '.join(FIELDS)}, at least one",
            )

    def clues(self, path: str, channel: int) -> Iterator[Clue]:
        """Yield what a path says about a channel.

        Parameters
        ----------
        path : str
            Path or URI of the image.
        channel : int
            Index of the channel.
        """
        match = re.search(self.expression, path[:_MAX_PATH]) if self.channel in {None, channel} else None
        for field, raw in (match.groupdict() if match else {}).items():
            if raw:
                reading: Reading = "term" if field == "organism" else "words"
                yield Clue(field, raw, f"{path} (by the pattern {self.expression!r})", Trust.GUESS, reading)


def read_patterns(content: str, where: str) -> tuple[NamePattern, ...]:
    """Read a file of patterns.

    Parameters
    ----------
    content : str
        TOML with a table ``[[pattern]]`` for each: ``expression``, and ``channel`` where it speaks about one.
    where : str
        File, for messages.

    Raises
    ------
    OptionError
        If it is no such file, or a pattern is not valid.
    """
    try:
        document = tomllib.loads(content)
    except (ValueError, RecursionError) as error:  # broken TOML, numbers or nesting beyond all bounds
        hint = "write expressions in single quotes"
        raise OptionError(where, f"no TOML ({error})", "tables [[pattern]]", hint) from error
    entries = document.pop("pattern", None)
    if document or not isinstance(entries, list) or not entries:
        found = f"the keys {', '.join(document)}" if document else "no table [[pattern]]"
        raise OptionError(where, found, "tables [[pattern]] with expression, and channel if need be")
    return tuple(_pattern(entry, f"{where}: pattern {number}") for number, entry in enumerate(entries, 1))


def _pattern(entry: object, where: str) -> NamePattern:
    if not isinstance(entry, dict) or set(entry) - {"expression", "channel"} or "expression" not in entry:
        found = f"the keys {', '.join(entry)}" if isinstance(entry, dict) else repr(entry)
        raise OptionError(where, found, "expression, and channel if need be")
    expression, channel = entry["expression"], entry.get("channel")
    if not isinstance(expression, str):
        raise OptionError(f"{where}, expression", repr(expression), "a regular expression in single quotes")
    if channel is not None and (isinstance(channel, bool) or not isinstance(channel, int) or channel < 0):
        raise OptionError(f"{where}, channel", repr(channel), "an index counted from 0")
    try:
        return NamePattern(expression, channel)
    except OptionError as error:
        raise OptionError(where, error.found, error.expected) from error
