"""Charts of a page: a few lines over one axis, as SVG that is part of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autodip_zarr.shown.html import NOTHING, Html, text

_WIDTH, _HEIGHT = 400, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 18, 34
_MOST_LINES = 3
"""Lines that differ in colour and in their dashes."""


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    name: str
    """What it shows."""
    x: Sequence[float]
    """Where its points lie along the axis."""
    y: Sequence[float]
    """Their values, as many; what is not finite, or on a logarithmic axis not above 0, is left out."""


@dataclass(frozen=True)
class Axes:
    """What a chart shows along its two axes."""

    x: str
    """Name of the horizontal axis, with its unit."""
    y: str
    """Name of the vertical axis, with its unit."""
    is_log: bool = False
    """Whether the vertical axis is logarithmic."""


def chart(title: str, axes: Axes, lines: Sequence[Line]) -> Html:
    """Return a chart of at most three lines under a title.

    Nothing where all points lie at one place, or are at one level, which a number tells as well.

    Parameters
    ----------
    title : str
        What it shows, in a sentence: the caption, and the text of those who do not see it.
    axes : Axes
        Names of the axes.
    lines : sequence of Line
        Drawn in this order, told apart by colour and dashes.
    """
    drawn = [(line.name, found) for line in lines[:_MOST_LINES] if (found := _points(line, axes))]
    points = [point for _, found in drawn for point in found]
    if len({x for x, _ in points}) <= 1 or len({y for _, y in points}) <= 1:
        return NOTHING
    span = _Span.around(points, 0.0 if axes.is_log else 0.05)
    parts = [_frame(axes, span)]
    for number, (name, found) in enumerate(drawn):
        path = " ".join(f"{span.left(x):.1f},{span.top(y):.1f}" for x, y in found)
        parts.append(f'<polyline class="s{number}" points="{path}"/>')
        at = _LEFT + number * (_WIDTH - _LEFT) / len(drawn)
        parts.append(f'<line class="s{number}" x1="{at:.0f}" x2="{at + 18:.0f}" y1="8" y2="8"/>')
        parts.append(f'<text class="s{number}" x="{at + 22:.0f}" y="12">{text(name)}</text>')
    return Html(
        f'<figure class="chart"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text(title)}">'
        f"{''.join(parts)}</svg><figcaption>{text(title)}</figcaption></figure>"
    )


@dataclass(frozen=True)
class _Span:
    """What is drawn from where to where, and where that lies on the page."""

    x: tuple[float, float]
    y: tuple[float, float]

    @classmethod
    def around(cls, points: Sequence[tuple[float, float]], share: float) -> _Span:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        low, high = min(ys), max(ys)
        room = (high - low) * share
        return cls((min(xs), max(xs)), (low - room, high + room))

    def left(self, x: float) -> float:
        return _LEFT + (x - self.x[0]) / (self.x[1] - self.x[0]) * (_WIDTH - _LEFT - _RIGHT)

    def top(self, y: float) -> float:
        return _HEIGHT - _BOTTOM - (y - self.y[0]) / (self.y[1] - self.y[0]) * (_HEIGHT - _TOP - _BOTTOM)


def _points(line: Line, axes: Axes) -> list[tuple[float, float]]:
    kept = [
        (float(x), float(y))
        for x, y in zip(line.x, line.y, strict=True)
        if math.isfinite(x) and math.isfinite(y) and (y > 0 or not axes.is_log)
    ]
    return [(x, math.log10(y)) for x, y in kept] if axes.is_log else kept


def _frame(axes: Axes, span: _Span) -> str:
    """Return the axes with the values at their ends, and their names."""
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<path class="axis" d="M{_LEFT},{_TOP} V{bottom} H{right}"/>']
    for x, anchor in zip(span.x, ("start", "end"), strict=True):
        parts.append(
            f'<text x="{span.left(x):.0f}" y="{bottom + 13}" text-anchor="{anchor}">{_number(x)}</text>'
        )
    for y, at in zip(span.y, (bottom, _TOP + 9), strict=True):
        value = 10**y if axes.is_log else y
        parts.append(f'<text x="{_LEFT - 4}" y="{at:.0f}" text-anchor="end">{_number(value)}</text>')
    parts.append(
        f'<text x="{(_LEFT + right) / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{text(axes.x)}</text>'
    )
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text x="12" y="{middle:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 12 {middle:.0f})">{text(axes.y)}</text>'
    )
    return "".join(parts)


def _number(value: float) -> str:
    """Return a value with three digits."""
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")
