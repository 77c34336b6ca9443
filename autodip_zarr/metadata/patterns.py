"""What file and folder names say, by patterns that the user gives; never more than a guess."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from autodip_zarr.errors import OptionError

from .clues import FIELDS, Clue, Reading, Trust

__all__ = ["NamePattern"]

MAX_PATH = 4096


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
        match = re.search(self.expression, path[:MAX_PATH]) if self.channel in {None, channel} else None
        for field, raw in (match.groupdict() if match else {}).items():
            if raw:
                reading: Reading = "term" if field == "organism" else "words"
                yield Clue(field, raw, f"{path} (by the pattern {self.expression!r})", Trust.GUESS, reading)
