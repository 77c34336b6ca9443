"""The configurations that a calibration tries: depths, widths, skip channels and stops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

from autodip_zarr.domain import DipConfig, Width
from autodip_zarr.errors import OptionError

MAX_DEPTH: Final = 10
"""An ascending width that ends at 512 has one channel left at depth 10."""
MAX_WIDTH: Final = 1024
MAX_SKIP: Final = 128
MAX_ITERATIONS: Final = 100_000

_ASCENDING: Final = "asc"
_SIDES: Final = range(16, 65536)


@dataclass(frozen=True)
class Grid:
    """All combinations of these."""

    depths: tuple[int, ...] = (4, 5, 6, 7, 8)
    """Numbers of levels of the U-net."""
    widths: tuple[Width, ...] = (16, 32, 64, 128, 256, 512, _ASCENDING)
    """Channels of each level; ``asc`` doubles from level to level up to 512."""
    skips: tuple[int, ...] = (0, 4)
    """Channels of each skip branch; 0 for none."""
    stops: tuple[int, ...] = tuple(range(100, 3001, 100))
    """Iterations as a table gives them; the defaults are the grid of the published calibration."""

    def networks(self) -> Iterator[DipConfig]:
        """Yield each network once, with the longest stop as its count."""
        for depth, width, skip in product(self.depths, self.widths, self.skips):
            yield DipConfig(depth, width, skip, max(self.stops))

    def configurations(self) -> Iterator[DipConfig]:
        """Yield each network with each stop, stops fastest."""
        for depth, width, skip, stop in product(self.depths, self.widths, self.skips, self.stops):
            yield DipConfig(depth, width, skip, stop)


def parse_grid(
    depths: str | None, widths: str | None, skips: str | None, stops: str | None, usual: Grid
) -> Grid:
    """Read the parts of a grid that a person typed; ``None`` keeps those of the usual one.

    Raises
    ------
    OptionError
        If a part is no list of numbers, or beyond what can be fitted.
    """
    return Grid(
        usual.depths if depths is None else _numbers("--depths", depths, range(1, MAX_DEPTH + 1)),
        usual.widths if widths is None else _widths(widths),
        usual.skips if skips is None else _numbers("--skips", skips, range(MAX_SKIP + 1)),
        usual.stops if stops is None else _numbers("--stops", stops, range(1, MAX_ITERATIONS + 1)),
    )


def parse_rungs(text: str | None) -> tuple[int, ...]:
    """Read the sides of growing crops, in pixels; nothing for ``None``.

    Raises
    ------
    OptionError
        If they are no such numbers, or fewer than two.
    """
    rungs = () if text is None else _numbers("--rungs", text, _SIDES)
    if len(rungs) == 1:
        raise OptionError("--rungs", repr(text), "two sides or more", "--crop gives one")
    return rungs


def _numbers(option: str, text: str, allowed: range) -> tuple[int, ...]:
    expected = f"numbers from {allowed[0]} to {allowed[-1]}, joined by commas"
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise OptionError(option, repr(text), expected) from error
    if any(number not in allowed for number in numbers):
        raise OptionError(option, repr(text), expected)
    return tuple(sorted(numbers))


def _widths(text: str) -> tuple[Width, ...]:
    parts = [part.strip() for part in text.split(",")]
    numbers = ",".join(part for part in parts if part != _ASCENDING)
    found: tuple[Width, ...] = _numbers("--widths", numbers, range(1, MAX_WIDTH + 1)) if numbers else ()
    return (*found, _ASCENDING) if _ASCENDING in parts else found
