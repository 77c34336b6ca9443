"""Key-value pairs and remarks of annotations, whatever document they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from autodip_zarr.metadata.clues import Clue, Reading, Trust
from autodip_zarr.metadata.documents.lists import ChannelNames, item_of
from autodip_zarr.metadata.vocabulary.terms import Vocabulary
from autodip_zarr.metadata.vocabulary.words import MAX_TEXT, compact

__all__ = ["KeyValue", "key_value_clues", "remark_clues"]

_LINE = re.compile(r"^[ \t\-*]*(\w[\w /#]{2,40}?)[ \t]*[:=][ \t]*(\S.{0,200}?)[ \t\r]*$", re.MULTILINE)
_MAX_REMARK = 20_000
_SAID_OF_ALL = frozenset({"microscope", "model", "organism", "cell_line"})
"""Fields of which a line of a description (``Modality: Widefield Fluorescence``) speaks for all channels."""
_OF_NUMBER = re.compile(
    r"^(?:channel|chan|ch|kanal|canal)[ _#]*(\d{1,3})(?!\w)(?:\s*\([^)]*\))?[\s:/|-]*(.*)$", re.IGNORECASE
)
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
    channel: int | None = None
    """Index of the channel whose name its key holds, if it does."""


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
    key_value = _of_named_channel(key_value, channel)
    if vocabulary.key_field(key_value.key) is None:
        key_value = _of_dye(key_value, channel, vocabulary)
    field = vocabulary.key_field(key_value.key)
    if field is None or not key_value.value.strip() or key_value.channel not in {None, channel.index}:
        return
    if field in {"channels", "structure"}:
        yield from _label_clues(key_value, channel, vocabulary)
    elif field == "remark":
        yield from remark_clues(key_value.value, key_value.source, channel, vocabulary)
    else:
        yield from _field_clues(field, key_value, vocabulary)


def _field_clues(field: str, key_value: KeyValue, vocabulary: Vocabulary) -> Iterator[Clue]:
    """Yield what a value says about the field that its key speaks about."""
    trust = int(key_value.trust)
    if field == "microscope":
        yield from _method_clues(key_value, trust, vocabulary)
    elif field == "model":
        yield Clue("microscope", key_value.value, key_value.source, min(trust, Trust.MODEL), "model")
    elif field == "contrast":
        yield Clue("contrast", key_value.value, key_value.source, trust, "words")
        method, is_shared = min(trust, Trust.PHYSICS), not key_value.of_channel
        yield Clue(
            "microscope", key_value.value, key_value.source, method, "words", quiet=True, is_shared=is_shared
        )
    elif field == "organism":
        yield Clue("organism", key_value.value, key_value.source, trust)
    elif field == "cell_line":
        yield Clue("organism", key_value.value, key_value.source, min(trust, Trust.MODEL), "cell_line")


def _label_clues(key_value: KeyValue, channel: ChannelNames, vocabulary: Vocabulary) -> Iterator[Clue]:
    """Yield what a label, or the item of a list of labels, says about a channel."""
    trust, source = int(key_value.trust), key_value.source
    lists = vocabulary.key_field(key_value.key) == "channels" or ";" in key_value.value
    label = key_value.value if key_value.of_channel else item_of(key_value.value, channel, by_place=lists)
    if label is not None:
        yield Clue("specimen", label, source, trust, "words")
        yield Clue("contrast", label, source, trust - 1, "words", quiet=True)
        if vocabulary.has_fluorophore(label):
            yield Clue("contrast", label, source, Trust.DYE, "value", "fluorescence")
    elif trust >= Trust.ANNOTATION and _is_transmitted(key_value.value, vocabulary):  # histology
        yield Clue("contrast", key_value.value, source, Trust.IMPLIED, "words", quiet=True)


def _is_transmitted(value: str, vocabulary: Vocabulary) -> bool:
    """Whether a value names one thing, and that is transmitted light or a stain for it."""
    is_list = any(separator in value for separator in (";", ",", "|", "\n"))
    return not is_list and vocabulary.search("contrast", value) == ("transmitted",)


def _of_named_channel(key_value: KeyValue, channel: ChannelNames) -> KeyValue:
    """Take number or name of a channel out of a key that holds one (``Channel 2 - dye``, ``Red/Label``)."""
    numbered = _OF_NUMBER.match(key_value.key)
    if numbered and not key_value.of_channel:
        key = numbered.group(2).strip() or "channels"
        index = max(int(numbered.group(1)) - 1, 0)
        return replace(key_value, key=key, of_channel=True, trust=int(Trust.CURATED), channel=index)
    for separator in ("/", "|"):
        name, found, key = key_value.key.partition(separator)
        for index, names in enumerate(channel.names if found else ()):
            if compact(name) in {compact(one) for one in names} - {""}:
                trust = max(int(Trust.CURATED), key_value.trust)
                return replace(key_value, key=key, of_channel=True, trust=trust, channel=index)
    return key_value


def _of_dye(key_value: KeyValue, channel: ChannelNames, vocabulary: Vocabulary) -> KeyValue:
    """Take the name of one channel out of a key that says what it labels (``Label GFP``, ``488 target``)."""
    if key_value.of_channel:
        return key_value
    first, _, behind = key_value.key.strip().partition(" ")
    before, _, last = key_value.key.strip().rpartition(" ")
    for key, dye in ((first, behind), (before, last), (last, before), (behind, first)):
        named = [
            index
            for index, names in enumerate(channel.names)
            if any(compact(dye) in {compact(text), *map(compact, text.split())} for text in names)
        ]
        if compact(dye) and len(named) == 1 and vocabulary.key_field(key) == "structure":
            trust = max(int(Trust.CURATED), key_value.trust)
            return replace(key_value, key=key, of_channel=True, trust=trust, channel=named[0])
    return key_value


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
    model = min(int(key_value.trust), int(Trust.MODEL))
    if vocabulary.search_names("models", key_value.value):
        yield Clue("microscope", key_value.value, key_value.source, model, "model")


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
