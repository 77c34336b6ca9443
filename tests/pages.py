"""What must hold for every page: whole in itself, and nothing in it that came unescaped from a file."""

from __future__ import annotations

from html.parser import HTMLParser

TAGS = (
    "html head meta title style body h1 h2 h3 p ul li section div "
    "table thead tbody tr th td figure figcaption img br"
)
ALLOWED = frozenset(TAGS.split())
VOID = {"meta", "img", "br"}


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.images = 0
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name == "src":
                assert (value or "").startswith("data:image/png;base64,")
            assert name not in {"href", "srcset", "style"}, (tag, name)
        self.images += tag == "img"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)


def check_page(page: str) -> tuple[str, int]:
    """Return the text that people read on a page and the number of its pictures, after checking it."""
    checker = _Checker()
    checker.feed(page)
    checker.close()
    assert not checker.open
    return " ".join(" ".join(checker.texts).split()), checker.images
