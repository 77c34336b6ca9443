"""Key-value pairs and remarks of annotations, whatever document they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from autodip_zarr.metadata.clues import Clue, Reading, Trust
from autodip_zarr.metadata.documents.lists import ChannelNames, item_of
from autodip_zarr.metadata.vocabulary.terms import Vocabulary
from autodip_zarr.metadata.vocabulary.words import MAX_TEXT

__all__ = ["KeyValue", "key_value_clues", "remark_clues"]

_LINE = re.compile(r"^[ \t\-*]*(\w[\w /#]{2,40}?)[ \t]*[:=][ \t]*(\S.{0,200}?)[ \t\r]*$", re.MULTILINE)
_MAX_REMARK = 20_000
_SAID_OF_ALL = frozenset({"microscope", "model", "organism", "cell_line"})
"""Fields of which a line of a description (``Modality: Widefield Fluorescence``) speaks for all channels."""
_METHODS = re.compile(r"[;,/|+&\n]|\band\b", re.IGNORECASE)


@dataclass(frozen=True)
class KeyValue:
    """One key and value of an annotation."""

    key: str
    """Key as written."""
    value: str
    """Value as written."""
    source: str
    """File and path inside it."""
    of_channel: bool = False
    """Whether it belongs to the channel itself, not to the whole image."""
    trust: int = Trust.ANNOTATION
    """How far its source is believed."""


def key_value_clues(key_value: KeyValue, channel: ChannelNames, vocabulary: Vocabulary) -> Iterator[Clue]:
    """Yield what a key-value pair says about one channel.

    Parameters
    ----------
    key_value : KeyValue
        The key_value.
    channel : ChannelNames
        The channel; of a list of channels in a key-value of the whole image, its item is taken.
    vocabulary : Vocabulary
        Which keys speak about what.
    """
    field = vocabulary.key_field(key_value.key)
    if field is None or not key_value.value.strip():
        return
    trust = int(key_value.trust)
    if field == "microscope":
        yield from _method_clues(key_value, trust, vocabulary)
    elif field == "model":
        yield Clue("microscope", key_value.value, key_value.source, min(trust, Trust.MODEL), "model")
    elif field == "contrast":
        yield Clue("contrast", key_value.value, key_value.source, trust, "words")
    elif field == "remark":
        yield from remark_clues(key_value.value, key_value.source, channel, vocabulary)
    elif field == "organism":
        yield Clue("organism", key_value.value, key_value.source, trust)
    elif field == "cell_line":
        yield Clue("organism", key_value.value, key_value.source, min(trust, Trust.MODEL), "cell_line")
    else:
        label = key_value.value if key_value.of_channel else item_of(key_value.value, channel)
        if label is not None:
            yield Clue("specimen", label, key_value.source, trust, "words")
            yield Clue("contrast", label, key_value.source, trust - 1, "words", quiet=True)
            if vocabulary.has_fluorophore(label):
                yield Clue("contrast", label, key_value.source, Trust.DYE, "value", "fluorescence")


def _method_clues(key_value: KeyValue, trust: int, vocabulary: Vocabulary) -> Iterator[Clue]:
    """Yield the methods of a value; those of a whole image may be of some of its channels only."""
    is_shared = not key_value.of_channel
    for method in _methods(key_value.value, vocabulary):
        is_id = vocabulary.fbbi(method) is not None
        if is_id and key_value.trust >= Trust.ANNOTATION:
            trust = int(Trust.ONTOLOGY)
        contrast_trust = int(Trust.IMPLIED) if is_shared else trust  # confocals take transmitted light, too
        reading: Reading = "term" if is_id else "words"
        yield Clue("microscope", method, key_value.source, trust, reading, is_shared=is_shared)
        yield Clue(
            "contrast", method, key_value.source, contrast_trust, reading, quiet=True, is_shared=is_shared
        )


def _methods(value: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Take a list of methods apart, where every part of it is one."""
    fields = ("microscope", "contrast")
    if all(len(vocabulary.search(field, value)) <= 1 for field in fields):
        return (value,)
    parts = tuple(part.strip() for part in _METHODS.split(value[:MAX_TEXT]) if part.strip())
    known = all(any(vocabulary.search(field, part) for field in fields) for part in parts)
    return parts if known else (value,)


def remark_clues(text: str, source: str, channel: ChannelNames, vocabulary: Vocabulary) -> Iterator[Clue]:
    """Yield what a tag, comment or description says about an image, in prose or in lines with a key.

    The structure is taken from it only where there is one channel that it can be the structure of, and where
    the text names one alone.

    Parameters
    ----------
    text : str
        Prose.
    source : str
        File and path inside it.
    channel : ChannelNames
        The channel.
    vocabulary : Vocabulary
        What the words mean.
    """
    for key, value in _LINE.findall(text[:_MAX_REMARK]):
        if vocabulary.key_field(key) in _SAID_OF_ALL:
            line = KeyValue(key, value, source, trust=int(Trust.ORIGINAL))
            yield from key_value_clues(line, channel, vocabulary)
    yield Clue("microscope", text, source, Trust.PROSE, "prose", quiet=True)
    yield Clue("organism", text, source, Trust.PROSE, "prose", quiet=True)
    if channel.count == 1 and len(vocabulary.search_names("specimen", text)) == 1:
        yield Clue("specimen", text, source, Trust.PROSE, "prose", quiet=True)
