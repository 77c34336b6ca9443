"""How words of headers are compared: without case, spacing, punctuation, accents or Greek letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Words", "compact", "find_words", "segments", "split_words"]

MAX_TEXT = 2000  # longer free text is cut: nobody names a channel in a novel, and scanning stays bounded
_MAX_SPAN = 10
_SHORTEST_PART = 4  # a shorter part inside of a word is more often chance than meaning ("PI" in "PIxel")

_GREEK = str.maketrans(
    {
        "\u03b1": "alpha ",
        "\u03b2": "beta ",
        "\u03b3": "gamma ",
        "\u03b4": "delta ",
        "\u00df": "beta ",  # sharp s, where a keyboard had no beta
        "\u00b5": "u",
        "\u03bc": "u",
    }
)
_NOT_ALNUM = re.compile(r"[^0-9a-z]+")
_WORD = re.compile(r"[0-9A-Za-z]+")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SEGMENT = re.compile(r"(?<!:):(?!:)|[;,/|()\[\]+&_]|\s-\s|->")  # "::" joins the parts of a fusion protein
_DIGITS = "0123456789"
_BEFORE_NUMBER = " \t\r\n\v\f#-"


@dataclass(frozen=True)
class Words:
    """A text taken apart."""

    parts: tuple[str, ...]
    """Runs of letters of one kind or of digits, lower case."""
    starts: frozenset[int]
    """Indices of parts at which a word starts."""
    ends: frozenset[int]
    """Indices of parts behind which a word ends, plus one."""


@lru_cache(maxsize=65536)
def compact(text: str) -> str:
    """Return a text as letters ``a`` to ``z`` and digits alone, for comparing whole fields."""
    return _NOT_ALNUM.sub("", _plain(text[:MAX_TEXT]).casefold())


@lru_cache(maxsize=8192)
def split_words(text: str) -> Words:
    """Take a text apart into words and their parts.

    ``LifeActGFP`` has the parts life, act and gfp; ``TOM20`` has tom and 20.
    """
    parts: list[str] = []
    starts, ends = set(), set()
    for word in _WORD.findall(_plain(text[:MAX_TEXT])):
        starts.add(len(parts))
        parts += [part.casefold() for part in _PART.findall(word)]
        ends.add(len(parts))
    return Words(tuple(parts), frozenset(starts), frozenset(ends))


def find_words(text: str, index: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of the keys of an index that occur in a text, longest first at each place.

    Parameters
    ----------
    text : str
        Free text, for example a channel name.
    index : Mapping of str to str
        Values by compact spelling. A key must begin and end at a word's border; inside of a word only where
        case or digits change, and with at least four characters.
    """
    words = split_words(text)
    found: list[str] = []
    position = 0
    while position < len(words.parts):
        length = _longest(words, position, index)
        if length:
            found.append(index["".join(words.parts[position : position + length])])
        position += length or 1
    return tuple(found)


def _longest(words: Words, position: int, index: Mapping[str, str]) -> int:
    """Length in parts of the longest key that begins at a position, 0 for none."""
    for length in range(min(_MAX_SPAN, len(words.parts) - position), 0, -1):
        key = "".join(words.parts[position : position + length])
        whole = position in words.starts and position + length in words.ends
        if (whole or len(key) >= _SHORTEST_PART) and key in index:
            return length
    return 0


def segments(text: str) -> tuple[str, ...]:
    """Return the compact fields of a text: the whole, and the pieces between separators, also unnumbered."""
    text = text[:MAX_TEXT]
    both = (compact(one) for piece in (text, *_SEGMENT.split(text)) for one in (piece, _unnumbered(piece)))
    return tuple(dict.fromkeys(one for one in both if one))


def _unnumbered(text: str) -> str:
    """Return a text without a number at its end or before it, in a time that grows with its length alone."""
    text = text.strip().rstrip(_DIGITS).rstrip(_BEFORE_NUMBER)
    return text.lstrip(_DIGITS).lstrip(_BEFORE_NUMBER)


def _plain(text: str) -> str:
    """Write Greek letters out and drop accents."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text.translate(_GREEK))
    return "".join(one for one in decomposed.translate(_GREEK) if not unicodedata.combining(one))
