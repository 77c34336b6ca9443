"""Pictures in a terminal, made of half blocks: two grey pixels a character."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autodip_zarr.shown.pictures import Panel, grey

_GAP: Final = 2
_NARROWEST: Final = 24
"""Characters below which there is nothing to see in a panel."""
_FIRST_GREY: Final = 232
"""Where the greys of a terminal of 256 colours begin."""
_GREYS: Final = 24
"""How many there are."""


def picture_lines(panels: Sequence[Panel], columns: int, *, is_true_color: bool) -> list[str]:
    """Return panels side by side as lines with escape sequences, under their captions.

    Parameters
    ----------
    panels : sequence of Panel
        All of one shape; as many of them are shown as there is room for.
    columns : int
        Characters of a line.
    is_true_color : bool
        Whether the terminal knows 256 greys; otherwise it gets 24, which all terminals of 256 colours have.
    """
    fitting = max(1, min(len(panels), (columns + _GAP) // (_NARROWEST + _GAP)))
    width = max(1, (columns - _GAP * (fitting - 1)) // fitting)
    shown = panels[:fitting]
    drawn = [list(_rows(_scaled(panel, width), is_true_color=is_true_color)) for panel in shown]
    captions = (" " * _GAP).join(f"{panel.caption[:width]:<{width}}" for panel in shown).rstrip()
    return [captions, *((" " * _GAP).join(parts) for parts in zip(*drawn, strict=True))]


def knows_true_color() -> bool:
    """Return whether the terminal says that it shows any colour."""
    return os.environ.get("COLORTERM", "") in {"truecolor", "24bit"}


def _scaled(panel: Panel, width: int) -> NDArray[np.uint8]:
    """Return a panel as grey levels, as wide as a number of characters, and of an even height."""
    image = grey(panel.plane, panel.window)
    height = max(2, round(width * image.height / image.width / 2) * 2)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


def _rows(levels: NDArray[np.uint8], *, is_true_color: bool) -> Iterator[str]:
    for upper, lower in zip(levels[::2], levels[1::2], strict=True):
        cells = (
            f"\x1b[38;{_code(int(top), is_true_color=is_true_color)};"
            f"48;{_code(int(bottom), is_true_color=is_true_color)}m▀"
            for top, bottom in zip(upper, lower, strict=True)
        )
        yield f"{''.join(cells)}\x1b[0m"


def _code(level: int, *, is_true_color: bool) -> str:
    if is_true_color:
        return f"2;{level};{level};{level}"
    return f"5;{_FIRST_GREY + level * _GREYS // 256}"
