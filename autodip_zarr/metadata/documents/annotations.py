"""Key-value pairs and remarks of annotations, whatever document they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from autodip_zarr.metadata.clues import Clue, Trust
from autodip_zarr.metadata.vocabulary.terms import Vocabulary
from autodip_zarr.metadata.vocabulary.words import MAX_TEXT, compact

__all__ = ["KeyValue", "key_value_clues", "remark_clues"]

_ENTRY = re.compile(r"[;\n]|,(?![^()]*\))|\s\|\s")
_NAME_AND_LABEL = re.compile(r"^\s*([^:=]+?)\s*(?:[:=]|->)\s*(.+?)\s*$")


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


@dataclass(frozen=True)
class ChannelNames:
    """The names by which annotations of an image refer to one of its channels."""

    index: int
    """Position."""
    count: int
    """Number of channels of the image."""
    names: tuple[str, ...]
    """Name, label and fluorophore, where known."""


def key_value_clues(key_value: KeyValue, channel: ChannelNames, vocabulary: Vocabulary) -> Iterator[Clue]:
    """Yield what a key-value pair says about one channel.

    Parameters
    ----------
    key_value : KeyValue
        The key_value.
    channel : ChannelNames
        The channel; key_values of the whole image that list channels are split by its names or its position.
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
    elif field == "organism":
        yield Clue("organism", key_value.value, key_value.source, trust)
    elif field == "cell_line":
        yield Clue("organism", key_value.value, key_value.source, min(trust, Trust.MODEL), "cell_line")
    else:
        label = _label_of(key_value, channel)
        if label is not None:
            yield Clue("specimen", label, key_value.source, trust, "words")
            yield Clue("contrast", label, key_value.source, trust - 1, "words", quiet=True)
            if vocabulary.has_fluorophore(label):
                yield Clue("contrast", label, key_value.source, Trust.DYE, "value", "fluorescence")


def _method_clues(key_value: KeyValue, trust: int, vocabulary: Vocabulary) -> Iterator[Clue]:
    if vocabulary.fbbi(key_value.value) is not None:
        trust = int(Trust.ONTOLOGY) if key_value.trust >= Trust.ANNOTATION else trust
        yield Clue("microscope", key_value.value, key_value.source, trust)
        yield Clue(
            "contrast", key_value.value, key_value.source, _contrast_trust(key_value, trust), quiet=True
        )
        return
    yield Clue("microscope", key_value.value, key_value.source, trust, "words")
    yield Clue(
        "contrast", key_value.value, key_value.source, _contrast_trust(key_value, trust), "words", quiet=True
    )


def _contrast_trust(key_value: KeyValue, trust: int) -> int:
    """Trust the method of a whole image little about one channel; confocals take transmitted ones, too."""
    return trust if key_value.of_channel else int(Trust.IMPLIED)


def _label_of(key_value: KeyValue, channel: ChannelNames) -> str | None:
    """Return the part of a value that speaks about a channel, as in ``DAPI:nuclei;GFP:tubulin``."""
    if key_value.of_channel or channel.count == 1:
        return key_value.value
    entries = [one.strip() for one in _ENTRY.split(key_value.value[:MAX_TEXT]) if one.strip()]
    names = {compact(name) for name in channel.names}
    for entry in entries:
        named = _NAME_AND_LABEL.match(entry)
        if named and names & {compact(named.group(1)), compact(named.group(2))}:
            return entry
    return entries[channel.index] if len(entries) == channel.count else None


def remark_clues(text: str, source: str) -> Iterator[Clue]:
    """Yield what a tag, comment or description says about the modality of an image."""
    yield Clue("microscope", text, source, Trust.PROSE, "prose", quiet=True)
