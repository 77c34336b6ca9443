"""What an OME-XML header of any schema version says about its images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from xml.etree.ElementTree import Element

from autodip_zarr.domain import MAX_CHANNELS, MetadataText, PixelSize
from autodip_zarr.metadata.documents.xml_tree import attribute, children, local_name, parse_ome_xml, text_of
from autodip_zarr.metadata.units import length_um, time_s, whole_number

__all__ = ["ImageNode", "Located", "OmeDocument", "open_ome_xml"]

_CACHED_TEXTS = 2  # images of one plate share a text and follow each other; trees of big plates are big


@dataclass(frozen=True)
class Located:
    """An element and where it stands."""

    element: Element
    """The element."""
    path: str
    """File and XPath, namespaces left out."""

    def find(self, name: str) -> Iterator[Located]:
        """Yield the children of a local name."""
        for number, child in enumerate(children(self.element, name), 1):
            yield Located(child, f"{self.path}/{name}[{number}]")

    def get(self, name: str) -> str | None:
        """Return an attribute that is not blank, or ``None``."""
        return attribute(self.element, name)

    def at(self, name: str) -> str:
        """Return the path of an attribute."""
        return f"{self.path}/@{name}"


@dataclass(frozen=True, eq=False)
class ImageNode:
    """One ``Image`` of a header; compared by identity."""

    index: int
    """Position among the images of the header."""
    image: Located
    """The ``Image`` element."""
    pixels: Located | None
    """Its first ``Pixels``."""
    channels: tuple[Located, ...]
    """``Channel`` elements, or ``LogicalChannel`` of the schemas before 2010."""

    @property
    def name(self) -> str | None:
        """Name of the image; an attribute since 2010, an element before in some writers."""
        return self.image.get("Name") or text_of(self.image.element, "Name")

    @property
    def size_c(self) -> int:
        """Number of channels: ``SizeC``, or what the elements sum up to."""
        stated = whole_number(self.pixels.get("SizeC")) if self.pixels else None
        if stated is not None and 0 < stated <= MAX_CHANNELS:
            return stated
        return sum(samples(channel) for channel in self.channels) or 1

    @property
    def pixel_size(self) -> PixelSize:
        """Physical pixel size."""
        if self.pixels is None:
            return PixelSize(None, None, None, None)
        get = self.pixels.get
        x, y, z = (
            length_um(
                get(f"PhysicalSize{axis}") or self.image.get(f"PixelSize{axis}"),
                get(f"PhysicalSize{axis}Unit"),
            )
            for axis in "XYZ"
        )
        return PixelSize(x, y, z, time_s(get("TimeIncrement"), get("TimeIncrementUnit")))


@dataclass(frozen=True, eq=False)
class OmeDocument:
    """A parsed header with its elements by id; compared by identity, so that readings of it can be cached."""

    root: Located
    """The ``OME`` element."""
    images: tuple[ImageNode, ...]
    """Its images, in order."""
    instruments: tuple[Located, ...]
    """Its instruments."""
    by_id: dict[str, Located]
    """Instruments, parts of instruments, annotations, reagents and wells by their ``ID``."""
    loose: tuple[Located, ...]
    """Map annotations that nothing refers to: they are about the file."""
    wells: dict[str, tuple[Located, ...]]
    """Plate, well and well sample in which an image lies, by the image's ``ID``."""
    studies: dict[str, tuple[Located, ...]]
    """Dataset, project and screen that an image, or its plate, belongs to, by the ``ID`` of either."""


@lru_cache(maxsize=_CACHED_TEXTS)
def open_ome_xml(text: MetadataText) -> OmeDocument:
    """Parse a header once, however many images ask for it.

    Parameters
    ----------
    text : MetadataText
        The header.

    Raises
    ------
    HeaderError
        If it is no harmless OME-XML.
    """
    root = Located(parse_ome_xml(text.content, text.source), f"{text.source}#/OME")
    return OmeDocument(
        root=root,
        images=tuple(_image(index, one) for index, one in enumerate(root.find("Image"))),
        instruments=tuple(root.find("Instrument")),
        by_id=dict(_identified(root)),
        loose=tuple(_loose(root)),
        wells=dict(_wells(root)),
        studies=_studies(root),
    )


def samples(channel: Located) -> int:
    """Return how many channels of the array one element describes (three for RGB)."""
    stated = whole_number(channel.get("SamplesPerPixel"))
    return stated if stated is not None and 0 < stated <= 64 else 1


def _image(index: int, image: Located) -> ImageNode:
    pixels = next(image.find("Pixels"), None)
    channels = tuple(pixels.find("Channel")) if pixels else ()
    return ImageNode(index, image, pixels, channels or tuple(image.find("LogicalChannel")))


def _identified(root: Located) -> Iterator[tuple[str, Located]]:
    """Yield what images refer to: instruments and their parts, annotations, reagents."""
    for section in root.element:
        name = local_name(section)
        if name == "Instrument":
            for part in section:
                yield from _with_id(part, f"{root.path}/Instrument")
            yield from _with_id(section, root.path)
        elif name in {"StructuredAnnotations", "Screen"}:
            for part in section:
                yield from _with_id(part, f"{root.path}/{name}")


def _loose(root: Located) -> Iterator[Located]:
    annotations = [one for group in root.find("StructuredAnnotations") for one in group.find("MapAnnotation")]
    if annotations:
        linked = {one.get("ID") for one in root.element.iter() if local_name(one) == "AnnotationRef"}
        yield from (one for one in annotations if one.get("ID") not in linked)


def _with_id(element: Element, parent: str) -> Iterator[tuple[str, Located]]:
    identity = element.get("ID")
    if identity:
        yield identity, Located(element, f"{parent}/{local_name(element)}[@ID='{identity}']")


def _wells(root: Located) -> Iterator[tuple[str, tuple[Located, ...]]]:
    for plate in root.find("Plate"):
        slim = Located(_without(plate.element, "Well"), plate.path)
        for well in plate.find("Well"):
            for sample in well.find("WellSample"):
                for reference in sample.find("ImageRef"):
                    yield reference.get("ID") or "", (slim, well, sample)


def _studies(root: Located) -> dict[str, tuple[Located, ...]]:
    """Return datasets, projects and screens by what they refer to: images and plates."""
    found: dict[str, tuple[Located, ...]] = {}
    projects = {
        reference.get("ID") or "": project
        for project in root.find("Project")
        for reference in project.find("DatasetRef")
    }
    for dataset in root.find("Dataset"):
        project = projects.get(dataset.get("ID") or "")
        for reference in dataset.find("ImageRef"):
            found[reference.get("ID") or ""] = (dataset, project) if project else (dataset,)
    for screen in root.find("Screen"):
        for reference in screen.find("PlateRef"):
            found[reference.get("ID") or ""] = (screen,)
    return found


def _without(element: Element, name: str) -> Element:
    """Copy an element without its children of a name: plates are asked for every image."""
    copy = Element(element.tag, dict(element.attrib))
    copy.extend(child for child in element if local_name(child) != name)
    return copy
