"""Key-value pairs and remarks of annotations, whatever document they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from autodip_zarr.metadata.clues import Clue, Trust
from autodip_zarr.metadata.vocabulary.terms import Vocabulary
from autodip_zarr.metadata.vocabulary.words import MAX_TEXT, compact

__all__ = ["Pair", "pair_clues", "remark_clues"]

ENTRY = re.compile(r"[;\n]|,(?![^()]*\))|\s\|\s")
NAME_AND_LABEL = re.compile(r"^\s*([^:=]+?)\s*(?:[:=]|->)\s*(.+?)\s*$")


@dataclass(frozen=True)
class Pair:
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


def pair_clues(pair: Pair, channel: ChannelNames, vocabulary: Vocabulary) -> Iterator[Clue]:
    """Yield what a key-value pair says about one channel.

    Parameters
    ----------
    pair : Pair
        The pair.
    channel : ChannelNames
        The channel; pairs of the whole image that list channels are split by its names or its position.
    vocabulary : Vocabulary
        Which keys speak about what.
    """
    field = vocabulary.key_field(pair.key)
    if field is None or not pair.value.strip():
        return
    trust = int(pair.trust)
    if field == "microscope":
        yield from _method_clues(pair, trust, vocabulary)
    elif field == "model":
        yield Clue("microscope", pair.value, pair.source, min(trust, Trust.MODEL), "model")
    elif field == "contrast":
        yield Clue("contrast", pair.value, pair.source, trust, "words")
    elif field == "organism":
        yield Clue("organism", pair.value, pair.source, trust)
    elif field == "cell_line":
        yield Clue("organism", pair.value, pair.source, min(trust, Trust.MODEL), "cell_line")
    else:
        label = _label_of(pair, channel)
        if label is not None:
            yield Clue("specimen", label, pair.source, trust, "words")
            yield Clue("contrast", label, pair.source, trust - 1, "words", quiet=True)
            if vocabulary.has_fluorophore(label):
                yield Clue("contrast", label, pair.source, Trust.DYE, "value", "fluorescence")


def _method_clues(pair: Pair, trust: int, vocabulary: Vocabulary) -> Iterator[Clue]:
    if vocabulary.fbbi(pair.value) is not None:
        trust = int(Trust.ONTOLOGY) if pair.trust >= Trust.ANNOTATION else trust
        yield Clue("microscope", pair.value, pair.source, trust)
        yield Clue("contrast", pair.value, pair.source, _contrast_trust(pair, trust), quiet=True)
        return
    yield Clue("microscope", pair.value, pair.source, trust, "words")
    yield Clue("contrast", pair.value, pair.source, _contrast_trust(pair, trust), "words", quiet=True)


def _contrast_trust(pair: Pair, trust: int) -> int:
    """Trust the method of a whole image little about one channel; confocals take transmitted ones, too."""
    return trust if pair.of_channel else int(Trust.IMPLIED)


def _label_of(pair: Pair, channel: ChannelNames) -> str | None:
    """Return the part of a value that speaks about a channel, as in ``DAPI:nuclei;GFP:tubulin``."""
    if pair.of_channel or channel.count == 1:
        return pair.value
    entries = [one.strip() for one in ENTRY.split(pair.value[:MAX_TEXT]) if one.strip()]
    names = {compact(name) for name in channel.names}
    for entry in entries:
        named = NAME_AND_LABEL.match(entry)
        if named and names & {compact(named.group(1)), compact(named.group(2))}:
            return entry
    return entries[channel.index] if len(entries) == channel.count else None


def remark_clues(text: str, source: str) -> Iterator[Clue]:
    """Yield what a tag, comment or description says about the modality of an image."""
    yield Clue("microscope", text, source, Trust.PROSE, "prose", quiet=True)
