"""What must hold for every page: whole in itself, and nothing in it that came unescaped from a file."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser

TAGS = (
    "html head meta title style body main nav h1 h2 h3 h4 p ul li section div span a details summary "
    "dl dt dd table thead tbody tr th td figure figcaption img br svg rect polyline line path text script"
)
ALLOWED = frozenset(TAGS.split())
VOID = {"meta", "img", "br"}
DRAWN = {"rect", "polyline", "line", "path"}
"""Closed where they begin."""


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.images = 0
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.policy = ""
        self.names: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name == "src":
                assert (value or "").startswith(("data:image/png;base64,", "data:image/webp;base64,"))
            if name == "href":
                assert (value or "").startswith("#")
                self.links.append((value or "")[1:])
            if name == "id":
                self.names.append(value or "")
            assert name not in {"srcset", "style", "xlink:href"}, (tag, name)
        found = dict(attrs)
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""
        assert tag != "script" or not attrs
        assert tag != "img" or "alt" in found
        self.images += tag == "img"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in DRAWN, tag
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts.append(data)
        elif "style" not in self.open:
            self.texts.append(data)


def check_page(page: str) -> tuple[str, int]:
    """Return the text that people read on a page and the number of its pictures, after checking it.

    Its one script is the only one that its policy allows, its links lead to its own parts, and no two of
    these have one name.
    """
    checker = _Checker()
    checker.feed(page)
    checker.close()
    assert not checker.open
    digest = base64.b64encode(hashlib.sha256("".join(checker.scripts).encode()).digest()).decode()
    assert checker.policy.startswith("default-src 'none'; ")
    assert checker.policy.endswith(f"; script-src 'sha256-{digest}'")
    assert len(set(checker.names)) == len(checker.names)
    assert set(checker.links) <= set(checker.names)
    return " ".join(" ".join(checker.texts).split()), checker.images
