"""Words that are spelt wrong by one letter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["nearest", "spellings"]

_SHORTEST = 6
_SHORTEST_SUBSTITUTED = 8
"""Nestin and nectin are two proteins: one letter for another counts in long words only."""


def spellings(words: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Index words by themselves and by what is left without one of their letters.

    Parameters
    ----------
    words : iterable of str
        Words in lower case; those with digits, or of fewer than six letters, are left out.
    """
    index: dict[str, list[str]] = {}
    for word in words:
        if len(word) >= _SHORTEST and word.isalpha():
            for one in (word, *_shortened(word)):
                index.setdefault(one, []).append(word)
    return {key: tuple(dict.fromkeys(found)) for key, found in index.items()}


def nearest(word: str, index: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the words of an index that differ by one letter: too many, missing, exchanged, or another one.

    Parameters
    ----------
    word : str
        In lower case; the first letter is taken for right.
    index : Mapping of str to tuple of str
        Made by `spellings`.
    """
    if len(word) < _SHORTEST or not word.isalpha():
        return ()
    candidates = dict.fromkeys(one for key in (word, *_shortened(word)) for one in index.get(key, ()))
    return tuple(one for one in candidates if one[0] == word[0] and _is_near(word, one))


def _shortened(word: str) -> list[str]:
    return [word[:position] + word[position + 1 :] for position in range(len(word))]


def _is_near(one: str, other: str) -> bool:
    if len(one) != len(other):
        shorter, longer = sorted((one, other), key=len)
        return len(longer) - len(shorter) == 1 and shorter in _shortened(longer)
    different = [position for position, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(different) == 1:
        return len(one) >= _SHORTEST_SUBSTITUTED
    if len(different) != 2 or different[1] != different[0] + 1:
        return False
    first, second = different
    return one[first] == other[second] and one[second] == other[first]
