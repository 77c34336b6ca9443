"""Pictures to look at: panels side by side, under captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_CAPTION_PX = 18
_GAP_PX = 4


@dataclass(frozen=True)
class Panel:
    """One image of a picture."""

    caption: str
    """Short text above it."""
    plane: NDArray[np.generic]
    """(Y, X), any number type."""
    window: tuple[float, float]
    """Values shown as black and as white."""


def display_window(plane: NDArray[np.generic]) -> tuple[float, float]:
    """Return the values between which a plane is shown: its 0.5 and 99.7 percentiles."""
    low, high = np.percentile(plane.astype(np.float64), [0.5, 99.7])
    return float(low), float(max(high, low + 1e-12))


def compose(rows: Sequence[Sequence[Panel]], zoom: int = 1) -> Image.Image:
    """Arrange panels in rows.

    Parameters
    ----------
    rows : sequence of sequence of Panel
        Panels of one row stand side by side.
    zoom : int
        Pixels of the picture for one of a plane, without interpolation.
    """
    drawn = [[_draw(panel, zoom) for panel in row] for row in rows]
    width = max(sum(image.width + _GAP_PX for image in row) for row in drawn) - _GAP_PX
    height = sum(max(image.height for image in row) + _GAP_PX for row in drawn) - _GAP_PX
    sheet = Image.new("L", (width, height), 255)
    top = 0
    for row in drawn:
        left = 0
        for image in row:
            sheet.paste(image, (left, top))
            left += image.width + _GAP_PX
        top += max(image.height for image in row) + _GAP_PX
    return sheet


def _draw(panel: Panel, zoom: int) -> Image.Image:
    low, high = panel.window
    shown = np.clip((panel.plane.astype(np.float64) - low) / (high - low), 0, 1) * 255
    image = Image.fromarray(np.round(shown).astype(np.uint8))
    image = image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)
    framed = Image.new("L", (image.width, image.height + _CAPTION_PX), 255)
    framed.paste(image, (0, _CAPTION_PX))
    ImageDraw.Draw(framed).text((2, 3), panel.caption, fill=0)
    return framed


def before_and_after(noisy: NDArray[np.generic], denoised: NDArray[np.generic]) -> list[Panel]:
    """Return noisy, denoised and residual of a plane, the first two on one scale."""
    window = display_window(noisy)
    residual = noisy.astype(np.float64) - denoised.astype(np.float64)
    spread = float(3 * residual.std()) or 1.0
    return [
        Panel("noisy", noisy, window),
        Panel("denoised", denoised, window),
        Panel("residual, 3 sigma", residual, (-spread, spread)),
    ]
