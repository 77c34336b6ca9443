"""Metadata of the vendor that a converter kept beside the schema: key and value, whatever they mean there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from xml.etree.ElementTree import Element

from autodip_zarr.metadata.clues import Trust
from autodip_zarr.metadata.documents.annotations import KeyValue
from autodip_zarr.metadata.documents.lists import bracketed
from autodip_zarr.metadata.documents.ome_xml import Located, OmeDocument
from autodip_zarr.metadata.documents.switches import switched_on
from autodip_zarr.metadata.documents.xml_tree import local_name, text_of
from autodip_zarr.metadata.units import whole_number
from autodip_zarr.metadata.vocabulary.terms import Vocabulary
from autodip_zarr.metadata.vocabulary.words import MAX_TEXT, compact

__all__ = ["Original", "key_values_for", "original_key_values"]

_PLANE = re.compile(r"^\s*(?:Plane|Channel|Sample)\s*#\s*(\d{1,3})\b")
_MAX_LINES = 200_000
_MAX_LEAVES = 200_000
_SERIES = re.compile(r"^(?:Series|Image)[ _](\d{1,9})[ :_|]+(.+)$", re.IGNORECASE)
_NUMBERED = re.compile(r"^(.*?)\s*#\s*(\d{1,9})$")
_OF_THE_STAND = ("model", "organism", "cell_line")
"""Fields that are not numbered by channel."""
_IN_CHANNEL = re.compile(r"channel|track|detector", re.IGNORECASE)
_OF_HARDWARE = re.compile(r"hardware|device|output|port\b", re.IGNORECASE)
_OF_CHANNEL = re.compile(r"\bchannel[ _#]*(\d{1,9})\b|^w(\d{1,2})\b|\bw(\d{1,2})$", re.IGNORECASE)
_FROM_ZERO = re.compile(r"\bchannel[ _]0\b", re.IGNORECASE)
_CHANNEL_NUMBERS = frozenset({"ch", "channel", "channelid", "channelno", "channelnumber"})
"""Attributes of vendors that say which channel an element, and all in it, is about."""
_SIGNATURES = {
    "SI.hScan2D": "ScanImage",
    "SI5.": "ScanImage",
    "ScanScope ID": "Aperio",
    "PVScan": "Prairie View",
}
"""What stands in the keys of one software alone, and its name."""
_VAGUE = frozenset({"type", "name", "text", "method", "mode", "value", "description"})
"""Names that say something only together with the element they stand in."""


@dataclass(frozen=True)
class Original:
    """One key and value of the vendor, and what it belongs to."""

    key_value: KeyValue
    """Key (its last part) and value."""
    image: int | None
    """Index of the image it speaks about; ``None`` for all."""
    channel: int | None
    """Index of the channel it speaks about; ``None`` for all."""
    of_one_channel: bool = False
    """Whether it speaks about a single channel, so that without an index it cannot be told which."""


@lru_cache(maxsize=2)
def original_key_values(document: OmeDocument, vocabulary: Vocabulary) -> tuple[Original, ...]:
    """Return the vendor's key_values whose key says something, of a whole header.

    Parameters
    ----------
    document : OmeDocument
        The header.
    vocabulary : Vocabulary
        Which keys speak about what.
    """
    leaves = list(_every_leaf(document))
    found = list(_signed(leaves))
    first = 0 if any(_FROM_ZERO.search(key) for key, _, _ in leaves) else 1
    for key, value, source in leaves:
        original = _original(key, value, source, first)
        switch = switched_on(original.key_value, vocabulary)
        if switch is not None:
            found.append(replace(original, key_value=switch))
            continue
        original = _named(original, vocabulary)
        field = vocabulary.key_field(original.key_value.key)
        if field in _OF_THE_STAND:
            original = replace(original, channel=None)
        if field == "contrast" or (field in {"microscope", "structure"} and _IN_CHANNEL.search(key)):
            original = replace(original, of_one_channel=True)
        if field == "structure" and _OF_HARDWARE.search(key):
            continue
        if field is not None and value.strip():
            found.append(original)
    return tuple(found)


def key_values_for(
    originals: tuple[Original, ...], image: int, channel: int, count: int
) -> Iterator[KeyValue]:
    """Yield the key_values that speak about one channel of one image.

    Converters write the values of all channels, tracks and detectors of a setup under one key: as a list, of
    which each channel has its own where there are as many, or as the last of them alone. What cannot be given
    to a channel says nothing about any.

    Parameters
    ----------
    originals : tuple of Original
        All key_values of the header.
    image : int
        Index of the image.
    channel : int
        Index of the channel.
    count : int
        Number of channels of the image.
    """
    for one in originals:
        if one.image not in {None, image}:
            continue
        values = bracketed(one.key_value.value)
        if values is not None and len(values) == count:
            yield replace(one.key_value, value=values[channel], of_channel=True)
        elif values is not None and len(set(values)) == 1 and not one.of_one_channel:
            yield replace(one.key_value, value=values[0])
        elif values is not None or (one.of_one_channel and count > 1 and one.channel is None):
            continue
        elif one.channel is None or one.channel >= count:
            yield one.key_value
        elif one.channel == channel:
            yield replace(one.key_value, of_channel=True)


def _signed(leaves: list[tuple[str, str, str]]) -> Iterator[Original]:
    """Yield the software that wrote the metadata, where the form of its keys gives it away."""
    for mark, software in _SIGNATURES.items():
        source = next((source for key, _, source in leaves if mark in key), None)
        if source is not None:
            yield Original(KeyValue("system", software, source, trust=int(Trust.ORIGINAL)), None, None)


def _every_leaf(document: OmeDocument) -> Iterator[tuple[str, str, str]]:
    """Yield all leaves, and the lines with a key of those that are texts of many lines.

    Lines below a heading ``Plane #2`` belong to the second channel.
    """
    for key, value, source in _leaves(document):
        if "\n" not in value:
            yield key, value, source
            continue
        number = ""
        for line in value[:_MAX_LINES].splitlines():
            heading = _PLANE.match(line)
            number = f" #{heading.group(1)}" if heading else number
            name, found, said = line.partition(":")
            if found and said.strip() and len(name) < MAX_TEXT:
                yield f"{name.strip()}{number}", said.strip(), source


def _named(original: Original, vocabulary: Vocabulary) -> Original:
    """Return an original with the last word of its key alone, where only that is known."""
    key = original.key_value.key
    if vocabulary.key_field(key) is not None:
        return original
    two = " ".join(key.split()[-2:])
    if two != key and vocabulary.key_field(two) is not None:
        return replace(original, key_value=replace(original.key_value, key=two))
    for separator in (".", " "):
        last = key.rpartition(separator)[2]
        if last != key and vocabulary.key_field(last) in {"microscope", "model", "contrast"}:
            return replace(original, key_value=replace(original.key_value, key=last))
    return original


def _original(key: str, value: str, source: str, first: int) -> Original:
    """Take a key apart: ``Series 0 Information|Image|Channel|Fluor #2`` is the dye of the second channel.

    Channels that are counted without a sign (``Channel 0 Imaging Mode``) begin with `first`.
    """
    image = channel = None
    key = key[:MAX_TEXT]  # no key of a vendor comes near; some expressions would be slow on longer ones
    series = _SERIES.match(key)
    if series:
        image, key = int(series.group(1)), series.group(2)
    of_channel = _OF_CHANNEL.search(key)
    numbered = _NUMBERED.match(key)
    if numbered:
        key, channel = numbered.group(1), int(numbered.group(2)) - 1
    elif of_channel:
        number = int(next(one for one in of_channel.groups() if one))
        key, channel = key.replace(of_channel.group(0), " ").strip(), number - first
    last = re.split(r"[|\]/]", key.strip().rstrip("|]/"))[-1].strip(" -") or key
    channel = channel if channel is None or channel >= 0 else None
    return Original(KeyValue(last, value.strip(), source, trust=int(Trust.ORIGINAL)), image, channel)


def _leaves(document: OmeDocument) -> Iterator[tuple[str, str, str]]:
    """Yield key, value and place of everything that is kept in free XML."""
    count = 0
    for group in document.root.find("StructuredAnnotations"):
        for annotation in group.find("XMLAnnotation"):
            for value in annotation.find("Value"):
                for leaf in _in_value(value):
                    yield leaf
                    count += 1
                    if count >= _MAX_LEAVES:
                        return
    for attributes in (*document.root.find("CustomAttributes"), *_in_images(document)):
        for child in attributes.element:
            name = local_name(child)
            for key, value_text in child.attrib.items():
                yield (key, value_text, f"{attributes.path}/{name}/@{key}")
            for inner in child:
                key = local_name(inner)
                yield (key, inner.get("Value") or "", f"{attributes.path}/{name}/{key}/@Value")


def _in_images(document: OmeDocument) -> Iterator[Located]:
    for node in document.images:
        yield from node.image.find("CustomAttributes")


def _in_value(value: Located) -> Iterator[tuple[str, str, str]]:
    key_values = [one for one in value.element if local_name(one) == "OriginalMetadata"]
    for key_value in key_values:
        key, text = text_of(key_value, "Key"), text_of(key_value, "Value")
        if key and text:
            yield key, text, f"{value.path}/OriginalMetadata[Key={key!r}]/Value"
    if not key_values:
        yield from _free(value.element, value.path)


def _free(element: Element, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield the leaves and attributes of any XML, breadth first, with the number of their channel."""
    level = [(element, path, "")]
    while level:
        deeper = []
        for one, place, outer in level:
            above = local_name(one)
            numbers = (text for key, text in one.attrib.items() if compact(_local(key)) in _CHANNEL_NUMBERS)
            found = whole_number(next(numbers, None))
            number = outer if found is None else f" #{found}"
            for key, text in one.attrib.items():
                yield f"{_told(_local(key), above)}{number}", text, f"{place}/@{_local(key)}"
            if len(one) == 0 and one.text and one.text.strip():
                parent = place.split("/")[-2] if "/" in place else ""
                yield f"{_told(above, parent)}{number}", one.text.strip(), place
            deeper += [(child, f"{place}/{local_name(child)}", number) for child in one]
        level = deeper


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]


def _told(name: str, above: str) -> str:
    """Return a name that means something: a vague one together with that of the element above."""
    return f"{above} {name}" if compact(name) in _VAGUE else name
