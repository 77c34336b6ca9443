"""Small headers to test with."""

from __future__ import annotations

from autodip_zarr.domain import (
    Axis,
    ChannelDisplay,
    ChannelMetadata,
    Fingerprint,
    Header,
    ImageRef,
    Level,
    MetadataText,
)
from autodip_zarr.metadata import load_vocabulary, read_ome_xml

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
PIXELS = 'ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="8" SizeY="8" SizeZ="1" SizeT="1"'


def text(content: str, source: str = "a.ome.xml") -> MetadataText:
    """Return an OME-XML text."""
    return MetadataText("ome-xml", source, content)


def document(channels: str, rest: str = "", image: str = "", count: int | None = None) -> MetadataText:
    """Return a header of one image with the given channel elements."""
    size = channels.count("<Channel") if count is None else count
    return text(
        f'<OME xmlns="{NAMESPACE}"><Image ID="Image:0" Name="cells">{image}'
        f'<Pixels {PIXELS} SizeC="{size}">{channels}<MetadataOnly/></Pixels></Image>{rest}</OME>'
    )


def channels(*attributes: str) -> str:
    """Return one channel element for each text of attributes."""
    return "".join(f'<Channel ID="Channel:{i}" {one}/>' for i, one in enumerate(attributes))


def annotated(key: str, value: str, instrument: str = "") -> MetadataText:
    """Return a header of one nameless channel whose image has one key-value pair."""
    note = f'<MapAnnotation ID="Annotation:1"><Value><M K="{key}">{value}</M></Value></MapAnnotation>'
    model = (
        f'<Instrument ID="Instrument:0"><Microscope Model="{instrument}"/></Instrument>' if instrument else ""
    )
    plain = document(channels(""), f"{model}<StructuredAnnotations>{note}</StructuredAnnotations>").content
    return text(plain.replace("</Pixels>", '</Pixels><AnnotationRef ID="Annotation:1"/>'))


def only(source: MetadataText) -> ChannelMetadata:
    """Return the first channel of the first image of a header."""
    return read_ome_xml(source, load_vocabulary())[0].channels[0]


def channel(attributes: str, rest: str = "", image: str = "") -> ChannelMetadata:
    """Understand a header whose only channel has the given attributes."""
    return only(document(f'<Channel ID="Channel:0" {attributes}/>', rest, image))


def header(
    texts: tuple[MetadataText, ...], labels: tuple[str | None, ...] = (None,), image_index: int = 0
) -> Header:
    """Return a header as a store gives it, with one channel for each label."""
    return Header(
        ref=ImageRef("ome-zarr", "a.zarr", "0", None, image_index, "a.zarr"),
        name="a",
        axes=(Axis("c", "channel", None), Axis("y", "space", None), Axis("x", "space", None)),
        levels=(Level("0", (len(labels), 8, 8), (1.0, 1.0, 1.0), None),),
        dtype="uint8",
        chunk=(1, 8, 8),
        channels=tuple(ChannelDisplay(label, None, None) for label in labels),
        zarr_format=2,
        ome_version="0.4",
        texts=texts,
        fingerprint=Fingerprint(None, None, None, None),
    )
