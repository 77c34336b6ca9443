"""What the metadata of an image says, from all its documents together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autodip_zarr.domain import (
    Acquisition,
    ChannelMetadata,
    FieldOfPlate,
    Header,
    MetadataText,
    PixelSize,
)
from autodip_zarr.metadata.clues import Clue, Trust
from autodip_zarr.metadata.dealing import ChannelClues, understand
from autodip_zarr.metadata.documents.annotations import key_value_clues, remark_clues
from autodip_zarr.metadata.documents.json_texts import JsonKeyValues, read_json_text
from autodip_zarr.metadata.documents.lists import ChannelNames
from autodip_zarr.metadata.documents.ome_clues import channel_clues, name_clues
from autodip_zarr.metadata.documents.ome_plates import field_in_header
from autodip_zarr.metadata.documents.ome_xml import ImageNode, Located, OmeDocument, open_ome_xml, samples
from autodip_zarr.metadata.documents.schema import complaints
from autodip_zarr.metadata.patterns import NamePattern
from autodip_zarr.metadata.vocabulary.terms import Vocabulary

_BESIDE = ("ro-crate-json", "zarr-attributes-json")

__all__ = ["read_acquisition", "read_ome_xml"]

_COLORS = {
    "-16776961": "red",
    "16711935": "green",
    "65535": "blue",
    "16777215": "cyan",
    "-16711681": "magenta",
    "-65281": "yellow",
}
"""Names of the pure colours as the schema packs them, which lists refer to."""
_LABEL_TRUST = int(Trust.LABEL) - 2
"""Display labels can be edited in a viewer; they are believed after the header's own names."""


def read_acquisition(
    header: Header, vocabulary: Vocabulary, patterns: tuple[NamePattern, ...] = ()
) -> Acquisition:
    """Understand the metadata of one image.

    Parameters
    ----------
    header : Header
        What the store knows of the image, with its metadata texts.
    vocabulary : Vocabulary
        What the words mean.
    patterns : tuple of NamePattern
        What the user says that names of files and folders mean; believed last.

    Returns
    -------
    Acquisition
        One channel for each along the channel axis, whatever the texts say.

    Raises
    ------
    HeaderError
        If the OME-XML is broken beyond reading, or hostile.
    """
    count = header.size("c")
    document = next((one for one in (_of_text(text, header) for text in header.texts) if one), None)
    beside = [read_json_text(one, vocabulary) for one in header.texts if one.kind in _BESIDE]
    warnings = [warning for one in beside for warning in one.warnings]
    if document is not None:
        warnings += document.warnings(count)
    elif any(text.kind == "ome-xml" for text in header.texts):
        warnings += _absent(header)
    sources = _Sources(header, document, tuple(beside), patterns)
    name = (document.node.name if document else None) or header.name
    channels = understand(sources.channels(count, vocabulary), name, vocabulary)
    return Acquisition(
        name=name,
        channels=channels,
        pixel_size=document.node.pixel_size if document else PixelSize(None, None, None, None),
        colors=_colors(document, count) if document else (),
        warnings=tuple(dict.fromkeys((*warnings, *_channel_warnings(channels)))),
        plate=header.ref.plate or (document.field_of_plate() if document else None),
    )


def read_ome_xml(text: MetadataText, vocabulary: Vocabulary) -> tuple[Acquisition, ...]:
    """Understand all images of a bare OME-XML document.

    Parameters
    ----------
    text : MetadataText
        The document.
    vocabulary : Vocabulary
        What the words mean.

    Raises
    ------
    HeaderError
        If it is no OME-XML, not well-formed, too large, or hostile.
    """
    document = open_ome_xml(text)
    return tuple(_read_image(_Image(document, node), vocabulary) for node in document.images)


@dataclass(frozen=True)
class _Image:
    """An image of a header together with the header."""

    document: OmeDocument
    """The header."""
    node: ImageNode
    """The image."""

    def elements(self, count: int) -> tuple[Located | None, ...]:
        """Return the element of each channel of the array; one of three samples describes three channels."""
        spread = [one for one in self.node.channels for _ in range(samples(one))]
        elements = spread if len(spread) == count else list(self.node.channels)
        return (*elements[:count], *([None] * (count - len(elements))))

    def field_of_plate(self) -> FieldOfPlate | None:
        """Return where in a plate the image lies."""
        return field_in_header(self.document, self.node)

    def warnings(self, count: int) -> Iterator[str]:
        """Yield what is odd about the image in this header."""
        yield from complaints(self.document, self.node)
        described = sum(samples(one) for one in self.node.channels)
        if described and count not in {described, len(self.node.channels)}:
            yield f"{self.node.image.path} describes {described} channels, the image has {count}"


@dataclass(frozen=True)
class _Sources:
    """Everything that may speak about the channels of an image."""

    header: Header
    """What the store knows."""
    image: _Image | None
    """The image in the OME-XML."""
    beside: tuple[JsonKeyValues, ...]
    """JSON documents beside it."""
    patterns: tuple[NamePattern, ...]
    """Patterns of names."""

    def channels(self, count: int, vocabulary: Vocabulary) -> tuple[ChannelClues, ...]:
        """Put together what all sources say about each channel."""
        shown = [one.label for one in self.header.channels[:count]]
        labels = (*shown, *([None] * (count - len(shown))))
        elements = self.image.elements(count) if self.image else (None,) * count
        names = tuple(_names(*one) for one in zip(elements, labels, strict=True))
        return tuple(
            ChannelClues(
                (elements[index].get("Name") if elements[index] else None) or labels[index],  # type: ignore[union-attr]
                tuple(self._clues(ChannelNames(index, names), elements[index], vocabulary)),
            )
            for index in range(count)
        )

    def _clues(self, names: ChannelNames, element: Located | None, vocabulary: Vocabulary) -> Iterator[Clue]:
        """Yield what all sources say about one channel."""
        index, header = names.index, self.header
        if self.image is not None:
            yield from channel_clues(self.image.document, self.image.node, element, names, vocabulary)
        for document in self.beside:
            for key_value, of_channel in document.key_values:
                if of_channel in {None, index}:
                    yield from key_value_clues(key_value, names, vocabulary)
            for remark, source in document.remarks:
                yield from remark_clues(remark, source, names, vocabulary)
        for text in header.texts:
            if text.kind == "plain-text":
                yield from remark_clues(text.content, text.source, names, vocabulary)
        label = header.channels[index].label if index < len(header.channels) else None
        if label and label != (element.get("Name") if element else None):
            source = f"{header.ref.source}#channels[{index}].label"
            yield from name_clues(label, source, _LABEL_TRUST, vocabulary)
        for pattern in self.patterns:
            yield from pattern.clues(header.ref.source, index)


def _of_text(text: MetadataText, header: Header) -> _Image | None:
    if text.kind != "ome-xml":
        return None
    document = open_ome_xml(text)
    index = header.ref.image_index
    return _Image(document, document.images[index]) if index < len(document.images) else None


def _absent(header: Header) -> Iterator[str]:
    """Yield why the OME-XML says nothing about the image."""
    for text in header.texts:
        if text.kind == "ome-xml":
            elsewhere = [one.get("MetadataFile") for one in open_ome_xml(text).root.find("BinaryOnly")]
            where = f"; it refers to the companion file {elsewhere[0]!r}" if elsewhere else ""
            yield f"{text.source} has no image {header.ref.image_index}{where}; the other metadata is used"


def _of_element(
    image: _Image, element: Located | None, names: ChannelNames, vocabulary: Vocabulary
) -> ChannelClues:
    clues = channel_clues(image.document, image.node, element, names, vocabulary)
    return ChannelClues(element.get("Name") if element else None, tuple(clues))


def _read_image(image: _Image, vocabulary: Vocabulary) -> Acquisition:
    count = image.node.size_c
    elements = image.elements(count)
    names = tuple(_names(one, None) for one in elements)
    channels = understand(
        tuple(_of_element(image, one, ChannelNames(i, names), vocabulary) for i, one in enumerate(elements)),
        image.node.name,
        vocabulary,
    )
    return Acquisition(
        name=image.node.name,
        channels=channels,
        pixel_size=image.node.pixel_size,
        colors=_colors(image, count),
        warnings=tuple(dict.fromkeys((*image.warnings(count), *_channel_warnings(channels)))),
        plate=image.field_of_plate(),
    )


def _names(element: Located | None, label: str | None) -> tuple[str, ...]:
    given = (element.get("Name"), element.get("Fluor")) if element else ()
    names = tuple(one for one in (*given, label) if one)
    color = _COLORS.get((element.get("Color") or "") if element else "")
    return names if names or color is None else (color,)  # "Nuclei [blue]" beside channels without a name


def _channel_warnings(channels: tuple[ChannelMetadata, ...]) -> Iterator[str]:
    for channel in channels:
        for conflict in channel.conflicts:
            yield f"channel {channel.index}: {conflict}"


def _colors(image: _Image, count: int) -> tuple[str | None, ...]:
    """Return RRGGBB of each channel; the schema packs red, green, blue and alpha into a signed integer."""
    colors: list[str | None] = []
    for element in image.elements(count):
        try:
            packed = int((element.get("Color") or "") if element else "")
        except ValueError:
            colors.append(None)
        else:
            colors.append(f"{(packed & 0xFFFFFFFF) >> 8:06X}")
    return tuple(colors) if any(colors) else ()
