"""Building blocks of pages: everything that came from files is escaped here, and nowhere else.

A page is one file that works offline. `Html` is text that is safe to put into a page; only the functions
below and those of `shown.charts` make it, and they take plain text. A policy in the page itself allows its
one script, which `page.js` holds, and nothing from elsewhere, in case of a mistake.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NewType

from autodip_zarr.shown.visible import visible

Html = NewType("Html", str)
"""Markup that holds no text which was not escaped."""

NOTHING = Html("")

_LONGEST = 2000
_MOST = 200
_NUMBER = re.compile(r"-?(\d[\d,]*(\.\d+)?|inf)")


def text(value: object) -> Html:
    """Return any value as escaped text.

    ``None`` is a dash, control characters are made visible, and what is longer than any honest text is cut.
    """
    shown = "-" if value is None else str(value)
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."
    return Html(html.escape(visible(shown), quote=True))


def heading(value: object, *, level: int = 2) -> Html:
    """Return a heading; of level 2 unless said otherwise."""
    return Html(f"<h{level}>{text(value)}</h{level}>")


def section(name: str, title: object, parts: Iterable[Html], *classes: str) -> Html:
    """Return a part of a page that links can name, under its heading; nothing for no parts."""
    inner = "\n".join(parts)
    told = f'<section id="{text(name)}"{_class(" ".join(classes))}>{heading(title)}\n{inner}</section>'
    return Html(told if inner else "")


def contents(sections: Iterable[tuple[str, str]]) -> Html:
    """Return links to the parts of a page, each with its name and title."""
    links = items(link(name, title) for name, title in sections)
    return Html(f'<nav aria-label="On this page">{links}</nav>' if links else "")


def group(parts: Iterable[Html], *classes: str) -> Html:
    """Return parts that belong together, in a box of some classes."""
    return Html(f"<div{_class(' '.join(classes))}>{''.join(parts)}</div>")


def link(name: str, value: object) -> Html:
    """Return a link to a part of the page itself."""
    return Html(f'<a href="#{text(name)}">{text(value)}</a>')


def items(parts: Iterable[Html], *classes: str) -> Html:
    """Return a list; nothing for no parts."""
    inner = "".join(f"<li>{part}</li>" for part in parts)
    return Html(f"<ul{_class(' '.join(classes))}>{inner}</ul>" if inner else "")


def joined(*parts: Html) -> Html:
    """Return parts in a row, between spaces."""
    return Html(" ".join(part for part in parts if part))


def listed(parts: Iterable[Html]) -> Html:
    """Return parts in a row, between commas."""
    return Html(", ".join(parts))


def state(kind: str, value: object) -> Html:
    """Return a word about a status, in the colour of its kind: ``bad``, ``look``, ``good`` or ``going``."""
    return Html(f'<span class="state {text(kind)}">{text(value)}</span>')


def summary(stands: Html, name: object, told: object, thumbnail: Html = NOTHING) -> Html:
    """Return what is always seen of a card: how it stands, its name, a line about it, and a small picture."""
    shown = thumbnail or '<span class="thumbnail"></span>'
    title = f"<h3>{stands} <span>{text(name)}</span></h3>"
    return Html(f'{shown}{title}<span class="brief">{text(told)}</span>')


def card(name: str, seen: Html, parts: Iterable[Html], data: Mapping[str, object]) -> Html:
    """Return a card that shows its summary, and the rest when it is opened, without any script.

    Parameters
    ----------
    name : str
        What links call it.
    seen : Html
        Its `summary`.
    parts : iterable of Html
        What is seen once it is open.
    data : mapping
        Values by which a script finds and sorts cards; ``kind`` is that of `state`.
    """
    told = "".join(f' data-{text(key)}="{text(value)}"' for key, value in data.items() if key != "kind")
    inside = "\n".join(parts)
    return Html(
        f'<details class="card {text(data["kind"])}" id="{text(name)}"{told}><summary>{seen}</summary>'
        f'<div class="inside">{inside}</div></details>'
    )


def facts(rows: Iterable[tuple[str, object, str]], kind: str = "facts") -> Html:
    """Return names with their values, and a note on each where there is one; nothing for no rows."""
    inner = "".join(
        f"<dt>{text(name)}</dt><dd>{text(value)}"
        + (f' <span class="note">{text(note)}</span>' if note else "")
        + "</dd>"
        for name, value, note in rows
    )
    return Html(f"<dl{_class(kind)}>{inner}</dl>" if inner else "")


def paragraph(value: object, *, small: bool = False) -> Html:
    """Return a paragraph."""
    return Html(f"<p{_class('small' if small else '')}>{text(value)}</p>")


def warning_list(values: Iterable[object]) -> Html:
    """Return a list of things that a person should look at, the first 200 of them; nothing for none."""
    every = list(values)
    shown = every if len(every) <= _MOST else [*every[:_MOST], f"... and {len(every) - _MOST} more"]
    inner = "".join(f"<li>{text(value)}</li>" for value in shown)
    return Html(f'<section class="warnings"><h2>Warnings</h2><ul>{inner}</ul></section>' if inner else "")


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
    told = text(f"Table: {', '.join(columns)}")
    return Html(  # one that is wider than its page is scrolled by keys as well
        f'<div class="wide" role="group" tabindex="0" aria-label="{told}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _is_number_column(cells: Iterable[str | None]) -> bool:
    shown = [cell for cell in cells if cell is not None]
    return bool(shown) and all(_NUMBER.fullmatch(cell) for cell in shown)


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def image(alternative: str, data: bytes, *classes: str) -> Html:
    """Return a picture that is part of the page: the bytes of a PNG or WebP file."""
    kind = "webp" if data[8:12] == b"WEBP" else "png"
    encoded = base64.b64encode(data).decode("ascii")
    return Html(
        f'<img alt="{text(alternative)}"{_class(" ".join(classes))} loading="lazy" decoding="async" '
        f'src="data:image/{kind};base64,{encoded}">'
    )


def figure(caption: str, picture: bytes, alternative: str = "") -> Html:
    """Return a picture with its caption, and what it shows for those who do not see it."""
    lines = "<br>".join(text(line) for line in caption.split("\n"))
    return Html(f"<figure>{image(alternative or caption, picture)}<figcaption>{lines}</figcaption></figure>")


def plotted(caption: str, picture: bytes) -> Html:
    """Return a plot with its caption, larger than pictures of images."""
    return Html(figure(caption, picture).replace("<figure>", '<figure class="plotted">', 1))


def placed(caption: str, picture: bytes, alternative: str, part: tuple[float, float, float, float]) -> Html:
    """Return a picture of a whole with a frame around a part: left, top, width and height as shares."""
    left, top, width, height = (f"{100 * share:.2f}" for share in part)
    frame = (
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}"/></svg>'
    )
    shown = f'<span class="place">{image(alternative, picture)}{frame}</span>'
    return Html(f"<figure>{shown}<figcaption>{text(caption)}</figcaption></figure>")


def strip(axis: str, frames: Iterable[tuple[str, Sequence[Html]]]) -> Html:
    """Return pictures along an axis, each of them several images under one caption, that can be scrolled."""
    inner = "".join(
        f'<figure data-at="{text(at)}">{"".join(images)}<figcaption>{text(at)}</figcaption></figure>'
        for at, images in frames
    )
    told = f"Planes along {axis}, before and after"
    return Html(
        f'<div class="strip" role="group" tabindex="0" aria-label="{text(told)}" '
        f'data-axis="{text(axis)}">{inner}</div>'
        if inner
        else ""
    )


def pictures(figures: Iterable[Html], *classes: str) -> Html:
    """Return pictures side by side; of class ``pair`` where the first two are one plane before and after."""
    return group(figures, "pictures", *classes)


@cache
def _asset(name: str) -> str:
    return files("autodip_zarr.shown").joinpath(name).read_text(encoding="utf-8")


def page(title: str, parts: Iterable[Html], *, again_s: float | None = None) -> str:
    """Return a whole page.

    Parameters
    ----------
    title : str
        Title and first heading.
    parts : iterable of Html
        What stands on it.
    again_s : float, optional
        Seconds after which a browser reads it again, while it is written anew.
    """
    script = _asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    again = "" if again_s is None else f'<meta http-equiv="refresh" content="{again_s:.0f}">'
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">{again}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_asset('page.css')}</style></head>\n"
        f"<body><main><h1>{text(title)}</h1>\n"
        + "\n".join(parts)
        + f"\n</main><script>{script}</script></body></html>\n"
    )
