"""Plots as pictures: curves and points over two axes, and heat maps."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

_SIZE: Final = (640, 420)
_MARGIN: Final = (70, 20, 20, 50)
"""Left, top, right and bottom of the axes, in pixels."""

_INK, _FAINT, _PAPER = (40, 40, 40), (200, 200, 200), (255, 255, 255)
_COLOURS: Final = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))
"""Of Okabe and Ito, which people with any vision of colours can tell apart."""

_TICKS: Final = 6
_LEGEND_PX: Final = 16
_CELL_PX: Final = (64, 34)


@dataclass(frozen=True)
class Series:
    """Points, perhaps joined by a line."""

    name: str
    """Shown in the legend; empty for none, and then in grey."""
    points: Sequence[tuple[float, float]]
    """Pairs of x and y; those that are not finite are left out."""
    is_line: bool = True
    """Whether they are joined."""


@dataclass(frozen=True)
class Axes:
    """What is along the axes."""

    x: str
    """Name of the horizontal one."""
    y: str
    """Name of the vertical one."""
    log_x: bool = False
    """Whether the horizontal one is logarithmic."""


def plot(axes: Axes, series: Sequence[Series]) -> bytes:
    """Return a plot as PNG; without any finite point, empty axes."""
    picture = Image.new("RGB", _SIZE, _PAPER)
    draw = ImageDraw.Draw(picture)
    kept = [(one, _finite(one.points, log_x=axes.log_x)) for one in series]
    every = [point for _, points in kept for point in points] or [(1.0, 0.0), (10.0, 1.0)]
    to_x = _scale([x for x, _ in every], (_MARGIN[0], _SIZE[0] - _MARGIN[2]), log=axes.log_x)
    to_y = _scale([y for _, y in every], (_SIZE[1] - _MARGIN[3], _MARGIN[1]), log=False)
    _frame(draw, axes, to_x, to_y)
    named = [one.name for one in series if one.name]
    for one, points in sorted(kept, key=lambda pair: bool(pair[0].name)):  # grey ones lie below
        colour = _COLOURS[named.index(one.name) % len(_COLOURS)] if one.name else _FAINT
        places = [(to_x.at(x), to_y.at(y)) for x, y in points]
        if one.is_line and len(places) > 1:
            draw.line(places, fill=colour, width=2 if one.name else 1)
        radius = 2 if one.is_line or not one.name else 4
        for x, y in places:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    for row, name in enumerate(named):
        y = _MARGIN[1] + 4 + row * _LEGEND_PX
        width = draw.textlength(name)
        draw.text((_SIZE[0] - _MARGIN[2] - 8 - width, y), name, fill=_COLOURS[row % len(_COLOURS)])
    return _png(picture)


def heat_map(rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]]) -> bytes:
    """Return a table of numbers whose cells are the darker the greater they are, as PNG; NaN stays white."""
    table = np.array(values, float).reshape(len(rows), len(columns))
    finite = table[np.isfinite(table)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    width, height = (len(columns) + 1) * _CELL_PX[0], (len(rows) + 1) * _CELL_PX[1]
    picture = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(picture)
    for column, name in enumerate(columns):
        draw.text(((column + 1) * _CELL_PX[0] + 6, 10), name, fill=_INK)
    for row, name in enumerate(rows):
        draw.text((6, (row + 1) * _CELL_PX[1] + 10), name, fill=_INK)
        for column in range(len(columns)):
            value = float(table[row, column])
            if not math.isfinite(value):
                continue
            share = (value - low) / (high - low) if high > low else 0.0
            x, y = (column + 1) * _CELL_PX[0], (row + 1) * _CELL_PX[1]
            shade = tuple(round(255 - share * (255 - one)) for one in _COLOURS[0])
            draw.rectangle(
                (x, y, x + _CELL_PX[0] - 2, y + _CELL_PX[1] - 2), fill=(shade[0], shade[1], shade[2])
            )
            draw.text((x + 6, y + 10), f"{value:.2f}", fill=_PAPER if share > 0.6 else _INK)
    return _png(picture)


@dataclass(frozen=True)
class _Scale:
    """From values to pixels."""

    at: Callable[[float], float]
    """Pixel of a value."""
    ticks: Sequence[float]
    """Values at which there is a mark."""


def _scale(values: Sequence[float], pixels: tuple[int, int], *, log: bool) -> _Scale:
    def inner(value: float) -> float:
        return math.log10(value) if log else value

    low, high = min(map(inner, values)), max(map(inner, values))
    pad = (high - low) * 0.05 or abs(low) * 0.05 or 1.0
    low, high = low - pad, high + pad
    step = _nice((high - low) / _TICKS)
    first = math.ceil(low / step) * step
    count = int((high - first) / step) + 1
    ticks = [first + index * step for index in range(count)]

    def at(value: float) -> float:
        return pixels[0] + (inner(value) - low) / (high - low) * (pixels[1] - pixels[0])

    return _Scale(at, [10**tick if log else tick for tick in ticks])


def _nice(step: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that is no less than a step."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= step * (1 - 1e-9))


def _frame(draw: ImageDraw.ImageDraw, axes: Axes, to_x: _Scale, to_y: _Scale) -> None:
    left, top, right, bottom = _MARGIN[0], _MARGIN[1], _SIZE[0] - _MARGIN[2], _SIZE[1] - _MARGIN[3]
    draw.rectangle((left, top, right, bottom), outline=_INK)
    for tick in to_x.ticks:
        x = to_x.at(tick)
        draw.line((x, bottom, x, bottom + 4), fill=_INK)
        text = f"{round(tick, 10):g}"
        draw.text((x - draw.textlength(text) / 2, bottom + 8), text, fill=_INK)
    for tick in to_y.ticks:
        y = to_y.at(tick)
        draw.line((left - 4, y, left, y), fill=_INK)
        text = f"{round(tick, 10):g}"
        draw.text((left - 8 - draw.textlength(text), y - 6), text, fill=_INK)
    draw.text(((left + right - draw.textlength(axes.x)) / 2, _SIZE[1] - 18), axes.x, fill=_INK)
    draw.text((4, 4), axes.y, fill=_INK)


def _finite(points: Sequence[tuple[float, float]], *, log_x: bool) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y) and (x > 0 or not log_x)]


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
