"""Which item of a text that lists channels speaks about which channel."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from autodip_zarr.metadata.units import whole_number
from autodip_zarr.metadata.vocabulary.words import MAX_TEXT, compact, split_words

__all__ = ["ChannelNames", "bracketed", "item_of"]

_SEPARATORS = (
    r"\n",
    r";(?![^()]*\))",
    r"\s\|\s",
    r"\s/\s",
    r"\.\s+(?=[A-Z0-9][^.:=]{0,40}[:=])",
    r",(?![^()]*\))",
)
"""The strongest that occurs separates; those after it stand inside of items."""
_NUMBERED = r"(?<![A-Za-z0-9])(?:channel|chan|ch|kanal|canal)[ _#]?(\d{1,3})(?![A-Za-z0-9])"
_IS_NUMBERED = re.compile(rf"^\s*{_NUMBERED}", re.IGNORECASE)
_AT_NUMBER = re.compile(rf"[\s,;|]+(?={_NUMBERED})", re.IGNORECASE)
_NAME_AND_LABEL = re.compile(r"^([^:=]*[^:=\s])\s*(?:[:=]|->)\s*(.+)$", re.DOTALL)
_IN_PARENTHESES = re.compile(r"^([^()\[\]]+)[(\[]([^()\[\]]+)[)\]]")
_WORD = re.compile(r"[0-9A-Za-z]+")
_SHORTEST_WORD = 3


@dataclass(frozen=True)
class ChannelNames:
    """The names by which texts of an image refer to one of its channels."""

    index: int
    """Position."""
    names: tuple[tuple[str, ...], ...]
    """Name, label and fluorophore of each channel of the image, where known."""

    @property
    def count(self) -> int:
        """Number of channels of the image."""
        return len(self.names)

    @property
    def own(self) -> tuple[str, ...]:
        """Names of the channel itself."""
        return self.names[self.index]


@dataclass(frozen=True)
class _Item:
    """One item of a list."""

    text: str
    """As written."""
    number: int | None
    """The number of the channel that it gives, as written."""
    names: frozenset[str]
    """Compact spellings of what may be the name of a channel: before and behind the colon, in parentheses."""
    words: frozenset[str]
    """Words of three letters or more, and numbers, by which it may be recognised."""


def item_of(value: str, channel: ChannelNames, *, by_place: bool = True) -> str | None:
    """Return the part of a value that speaks about a channel, or ``None`` where it cannot be told.

    Items that give the number of a channel are taken by it; others by the channel's name, exactly or by words
    that no other item has. Positions count only where no item names a channel of the image, and where there
    are as many items as channels.

    Parameters
    ----------
    value : str
        For example ``DAPI:nuclei;GFP:tubulin``, ``Channel 1 = phase contrast, Channel 2 = DAPI``, or
        ``Hoechst 33342 (DNA), Phalloidin (actin)``.
    channel : ChannelNames
        The channel, with the names of its siblings.
    by_place : bool
        Whether positions count at all: they do in what is said to list channels.
    """
    items = _items(value[:MAX_TEXT])
    exact = [_by_exact_name(items, names) for names in channel.names]
    if not any(exact) and any(one.number is not None for one in items):
        return _by_number(items, channel)
    free = tuple(one for one in items if one.text not in exact)
    named = [found or _by_words(free, names) for found, names in zip(exact, channel.names, strict=True)]
    if named[channel.index] is not None:
        return named[channel.index]
    if channel.count == 1:
        return value
    if not by_place or any(one is not None for one in named) or len(items) != channel.count:
        return None
    return items[channel.index].text


def bracketed(value: str) -> tuple[str, ...] | None:
    """Return the items of a list that a converter wrote in brackets, or ``None`` for any other text."""
    value = value.strip()
    if not (value.startswith("[") and value.endswith("]")):
        return None
    return tuple(one.strip() for one in value[1:-1].split(","))


def _by_number(items: tuple[_Item, ...], channel: ChannelNames) -> str | None:
    """Return the item with the number of the channel; where numbers have gaps, its name or place decides."""
    numbers = [one.number for one in items if one.number is not None]
    first = min(numbers) if 0 in numbers else 1
    has_gaps = sorted(numbers) != list(range(first, first + len(numbers)))
    if not has_gaps or max(numbers) - first < channel.count:
        return next((one.text for one in items if one.number == channel.index + first), None)
    named = [_by_words(items, names) for names in channel.names]
    if any(one is not None for one in named) or len(items) != channel.count:
        return named[channel.index]
    return items[channel.index].text


def _by_exact_name(items: tuple[_Item, ...], names: tuple[str, ...]) -> str | None:
    exact = {compact(name) for name in names if compact(name)}
    return next((one.text for one in items if exact & one.names), None)


def _by_words(items: tuple[_Item, ...], names: tuple[str, ...]) -> str | None:
    words = frozenset(word for name in names for word in _words(name))
    shared = [len(words & one.words) for one in items]
    best = max(shared, default=0)
    return items[shared.index(best)].text if best and shared.count(best) == 1 else None


@lru_cache(maxsize=1024)
def _items(value: str) -> tuple[_Item, ...]:
    texts = [one.strip() for one in _split(value) if one.strip()]
    counted = Counter(word for text in texts for word in _words(text))
    return tuple(_item(text, counted) for text in texts)


def _split(value: str) -> list[str]:
    separator = next((one for one in _SEPARATORS if re.search(one, value)), None)
    if separator in {None, _SEPARATORS[-1]}:
        by_number = _AT_NUMBER.split(value)[::2]  # the pattern's group is the number that follows
        if len(by_number) > 1 and all(_IS_NUMBERED.match(one) for one in by_number[1:]):
            return by_number if _IS_NUMBERED.match(by_number[0]) else by_number[1:]
    return re.split(separator, value) if separator else [value]


def _item(text: str, counted: Counter[str]) -> _Item:
    numbered = _IS_NUMBERED.match(text)
    rest = text[numbered.end() :].lstrip() if numbered else text
    both = _NAME_AND_LABEL.match(rest) or _IN_PARENTHESES.match(rest)
    number = numbered.group(0) if numbered else ""
    names = {compact(one) for one in (text, rest, number, *(both.groups() if both else ()))}
    unique = frozenset(word for word in _words(text) if counted[word] == 1)
    return _Item(text, whole_number(numbered.group(1)) if numbered else None, frozenset(names - {""}), unique)


def _words(text: str) -> frozenset[str]:
    whole = (one.casefold() for one in _WORD.findall(text))
    return frozenset(one for one in (*split_words(text).parts, *whole) if len(one) >= _SHORTEST_WORD)
