"""Building blocks of pages: everything that came from files is escaped here, and nowhere else.

A page is one file that works offline, without scripts. `Html` is text that is safe to put into a page;
only the functions below make it, and they take plain text. A policy in the page itself forbids scripts and
anything from elsewhere, in case of a mistake.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from typing import NewType

from autodip_zarr.shown.visible import visible

Html = NewType("Html", str)
"""Markup that holds no text which was not escaped."""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_LONGEST = 2000
_MOST = 200
_NUMBER = re.compile(r"-?(\d[\d,]*(\.\d+)?|inf)")

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 90em; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; }
h3 { font-size: 1em; } h2, h3 { overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: 0.7em 0; }
.wide { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: 0.25em 0.8em 0.25em 0; }
td { max-width: 26em; overflow-wrap: break-word; }
th { border-bottom: 1px solid #888; white-space: nowrap; } td { border-bottom: 1px solid #8884; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.warnings { border-left: 4px solid #c60; padding: 0.1em 1em; background: #c601; }
.warnings li, p { overflow-wrap: anywhere; }
.pictures { display: flex; flex-wrap: wrap; gap: 1em; }
figure { margin: 0; } figcaption { width: 18em; font-size: 0.85em; }
img { width: 16em; max-width: 100%; image-rendering: pixelated; display: block; border: 1px solid #8888; }
.chart img { width: 34em; image-rendering: auto; background: #fff; } .chart figcaption { width: 34em; }
.small { font-size: 0.85em; opacity: 0.8; }
"""


def text(value: object) -> Html:
    """Return any value as escaped text.

    ``None`` is a dash, control characters are made visible, and what is longer than any honest text is cut.
    """
    shown = "-" if value is None else str(value)
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."
    return Html(html.escape(visible(shown), quote=True))


def heading(value: object) -> Html:
    """Return a heading."""
    return Html(f"<h2>{text(value)}</h2>")


def subheading(value: object) -> Html:
    """Return a heading of lower rank."""
    return Html(f"<h3>{text(value)}</h3>")


def paragraph(value: object, *, small: bool = False) -> Html:
    """Return a paragraph."""
    return Html(f"<p{_class('small' if small else '')}>{text(value)}</p>")


def warning_list(values: Iterable[object]) -> Html:
    """Return a list of things that a person should look at, the first 200 of them; nothing for none."""
    every = list(values)
    shown = every if len(every) <= _MOST else [*every[:_MOST], f"... and {len(every) - _MOST} more"]
    items = "".join(f"<li>{text(value)}</li>" for value in shown)
    return Html(f'<section class="warnings"><h2>Warnings</h2><ul>{items}</ul></section>' if items else "")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """Return a table.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequence
        Cells; numbers should come as text that is formatted already, and stand to the right.
    """
    cells = [[None if cell is None else str(cell) for cell in row] for row in rows]
    right = [_is_number_column(row[index] for row in cells) for index in range(len(columns))]
    classes = [_class("number" if one else "") for one in right]
    head = "".join(f"<th{one}>{text(name)}</th>" for one, name in zip(classes, columns, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{one}>{text(cell)}</td>" for one, cell in zip(classes, row, strict=True))
        + "</tr>"
        for row in cells
    )
    return Html(f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def _is_number_column(cells: Iterable[str | None]) -> bool:
    shown = [cell for cell in cells if cell is not None]
    return bool(shown) and all(_NUMBER.fullmatch(cell) for cell in shown)


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def figure(caption: str, png: bytes) -> Html:
    """Return a picture with its caption; the bytes of the PNG are part of the page."""
    data = base64.b64encode(png).decode("ascii")
    image = f'<img alt="{text(caption)}" src="data:image/png;base64,{data}">'
    lines = "<br>".join(text(line) for line in caption.split("\n"))
    return Html(f"<figure>{image}<figcaption>{lines}</figcaption></figure>")


def chart(caption: str, png: bytes) -> Html:
    """Return a plot with its caption, larger than pictures of images."""
    return Html(figure(caption, png).replace("<figure>", '<figure class="chart">', 1))


def pictures(figures: Iterable[Html]) -> Html:
    """Return pictures side by side."""
    return Html(f'<div class="pictures">{"".join(figures)}</div>')


def page(title: str, parts: Iterable[Html]) -> str:
    """Return a whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{text(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )
