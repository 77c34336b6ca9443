"""Pictures to look at: panels side by side, under captions."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_CAPTION_PX = 18
_GAP_PX = 4
_COLOR = re.compile(r"[0-9A-Fa-f]{6}")


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
    """Return the values between which a plane is shown: its 0.5 and 99.7 percentiles, where finite."""
    values = plane[np.isfinite(plane)].astype(np.float64)
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, [0.5, 99.7])
    return float(low), float(max(high, np.nextafter(low, np.inf)))


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


def encode_panel(panel: Panel, longest_px: int, color: str | None = None, *, lossy: bool = False) -> bytes:
    """Return a panel without its caption as the bytes of a picture.

    Parameters
    ----------
    panel : Panel
        What is shown.
    longest_px : int
        Longest side of the picture in pixels; a larger plane is averaged over blocks of pixels first.
    color : str, optional
        ``RRGGBB`` in which a channel is drawn, from black over the colour to near white, so that dark colours
        show as much as bright ones; grey unless given.
    lossy : bool
        Make a small WebP file rather than a PNG that keeps every pixel.
    """
    factor = -(-max(panel.plane.shape) // longest_px)
    image = grey(_averaged(panel.plane, factor), panel.window)
    if color is not None and _COLOR.fullmatch(color):
        image.putpalette(_palette(color))
    buffer = io.BytesIO()
    if lossy:
        image.convert("RGB").save(buffer, format="WEBP", quality=80)
    else:
        image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _palette(color: str) -> bytes:
    """Return 256 colours from black over one to near white."""
    one = np.array([int(color[at : at + 2], 16) for at in (0, 2, 4)], dtype=np.float64)
    if not one.any():
        one[:] = 255
    one *= 255 / one.max()
    stops = np.array([0.0, 0.7, 1.0])
    ends = np.stack([np.zeros(3), one, one + (255 - one) * 0.75])
    levels = np.linspace(0, 1, 256)
    return (
        np.stack([np.interp(levels, stops, ends[:, i]) for i in range(3)], 1).round().astype("u1").tobytes()
    )


def _averaged(plane: NDArray[np.generic], factor: int) -> NDArray[np.generic]:
    """Average blocks of pixels; what is left over at the edges is dropped."""
    if factor == 1:
        return plane
    factors = [min(factor, length) for length in plane.shape]
    rows, columns = (length // one for length, one in zip(plane.shape, factors, strict=True))
    whole = plane[: rows * factors[0], : columns * factors[1]].astype(np.float32)
    averaged: NDArray[np.float32] = whole.reshape(rows, factors[0], columns, factors[1]).mean(axis=(1, 3))
    return averaged


def grey(plane: NDArray[np.generic], window: tuple[float, float]) -> Image.Image:
    """Return a plane as a grey picture from black to white, the ends of the window; no number is black."""
    low, high = window
    shown = np.clip((plane.astype(np.float64) - low) / (high - low), 0, 1) * 255
    return Image.fromarray(np.round(np.nan_to_num(shown)).astype(np.uint8))


def _draw(panel: Panel, zoom: int) -> Image.Image:
    image = grey(panel.plane, panel.window)
    image = image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)
    framed = Image.new("L", (image.width, image.height + _CAPTION_PX), 255)
    framed.paste(image, (0, _CAPTION_PX))
    ImageDraw.Draw(framed).text((2, 3), panel.caption, fill=0)
    return framed


def before_and_after(noisy: NDArray[np.generic], denoised: NDArray[np.generic]) -> list[Panel]:
    """Return noisy, denoised and residual of a plane, the first two on one scale."""
    window = display_window(noisy)
    residual = noisy.astype(np.float64) - denoised.astype(np.float64)
    finite = residual[np.isfinite(residual)]
    spread = (float(3 * finite.std()) if finite.size else 0.0) or 1.0
    return [
        Panel("noisy", noisy, window),
        Panel("denoised", denoised, window),
        Panel("residual, 3 sigma", residual, (-spread, spread)),
    ]
