"""What reading and writing TIFF needs of an OME-XML header: sizes, names, and which page is which plane."""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from autodip_zarr.domain import ChannelDisplay
from autodip_zarr.errors import HeaderError, PixelError
from autodip_zarr.metadata.documents.xml_tree import parse_xml, undeclared
from autodip_zarr.stores.access.uris import safe_key

UNITS = {
    "\u00b5m": "micrometer",
    "\u03bcm": "micrometer",
    "um": "micrometer",
    "nm": "nanometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "pm": "picometer",
    "\u00c5": "angstrom",
    "\u212b": "angstrom",
    "s": "second",
    "ms": "millisecond",
    "\u00b5s": "microsecond",
    "\u03bcs": "microsecond",
    "ns": "nanosecond",
    "min": "minute",
    "h": "hour",
    "d": "day",
}
"""OME symbols of length and time, and the UDUNITS names that OME-Zarr wants."""

_OME_ROOT = re.compile(r"<([A-Za-z_][\w.-]*:)?OME[\s>]")
_PLANE_AXES = ("Z", "C", "T")


@dataclass(frozen=True)
class PageRun:
    """Consecutive planes that lie in consecutive pages."""

    first: int
    """Number of the first plane in the order of the leading axes."""
    count: int | None
    """Planes; ``None`` for all that follow."""
    ifd: int
    """Page of the first plane."""
    file: str | None
    """Name of the member file, relative to the folder; ``None`` for the file itself."""


@dataclass(frozen=True)
class TiffImage:
    """One image of a TIFF file or multi-file set."""

    name: str | None
    """Name in the header."""
    sizes: Mapping[str, int]
    """Size along each of ``t c z y x``; ``c`` counts the samples of colour pixels singly."""
    leading: tuple[str, ...]
    """``t``, ``c`` and ``z`` in the order of the planes, slowest first."""
    samples: int
    """Samples in one pixel of a page."""
    pixel_sizes: Mapping[str, tuple[float, str | None]]
    """Physical size and unit along the axes that have one."""
    channels: tuple[ChannelDisplay, ...]
    """Names and colours; may be shorter than the channel axis."""
    runs: tuple[PageRun, ...]
    """Where the planes are, sorted by their first plane."""
    offset: int | None = None
    """Byte at which all planes follow one another without pages of their own (big ImageJ files)."""

    def locate(self, t: int, c: int, z: int) -> tuple[str | None, int, int]:
        """Return (member file, page, sample in its pixels) of a plane.

        Raises
        ------
        PixelError
            The header names no page for it.
        """
        position, number = {"t": t, "c": c // self.samples, "z": z}, 0
        for axis in self.leading:
            size = self.sizes[axis] // (self.samples if axis == "c" else 1)
            number = number * size + position[axis]
        at = bisect.bisect_right(self.runs, number, key=lambda run: run.first) - 1
        if at < 0 or number - self.runs[at].first >= (self.runs[at].count or math.inf):
            raise PixelError(
                f"plane t={t} c={c} z={z}", "the header names no page for it", "a TiffData element"
            )
        run = self.runs[at]
        return run.file, run.ifd + number - run.first, c % self.samples


@dataclass(frozen=True)
class OmeFile:
    """What the OME-XML of one TIFF file says about files and images."""

    uuid: str | None
    """Identifier of the file itself."""
    metadata_file: str | None
    """Name of the file with the real header, where this one is ``BinaryOnly``."""
    images: tuple[TiffImage, ...]
    """Images, in the order of the header."""

    @property
    def members(self) -> frozenset[str]:
        """Return the names of all other files that the images lie in."""
        return frozenset(run.file for image in self.images for run in image.runs if run.file is not None)


def is_ome_xml(text: str) -> bool:
    """Return whether a TIFF description looks like OME-XML."""
    return _OME_ROOT.search(text[:8192]) is not None


def parse_root(text: str, where: str) -> Element:
    """Return the root of an OME-XML document, without following entities.

    Raises
    ------
    HeaderError
        It is broken or hostile.
    """
    root = parse_xml(undeclared(text), where)
    if local_name(root) != "OME":
        raise HeaderError(where, f"found the element {local_name(root)!r:.100}", "an OME element")
    return root


def parse_ome(text: str, where: str, own_name: str | None) -> OmeFile:
    """Return the images of an OME-XML header and the pages their planes lie in.

    Parameters
    ----------
    text : str
        OME-XML.
    where : str
        File it stands in, for messages.
    own_name : str or None
        Base name of the TIFF file it stands in; ``None`` for a companion file.

    Raises
    ------
    HeaderError
        It is broken or hostile, or names files outside the folder.
    """
    root = parse_root(text, where)
    uuid = root.get("UUID")
    for element in root:
        if local_name(element) == "BinaryOnly":
            name = safe_key(element.get("MetadataFile"), f"{where}: BinaryOnly/@MetadataFile")
            return OmeFile(uuid, name, ())
    elements = [element for element in root if local_name(element) == "Image"]
    own = frozenset(name for name in (uuid, own_name) if name is not None)
    images = tuple(_image(element, f"{where}: Image[{i}]", own) for i, element in enumerate(elements))
    return OmeFile(uuid, None, images)


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _image(element: Element, where: str, own: frozenset[str]) -> TiffImage:
    pixels = next((child for child in element if local_name(child) == "Pixels"), None)
    if pixels is None:
        raise HeaderError(where, "has no Pixels", "one Pixels element")
    where = f"{where}/Pixels"
    sizes = {axis.lower(): _count(pixels, f"Size{axis}", where) for axis in "TCZYX"}
    order = pixels.get("DimensionOrder", "XYZCT")
    if sorted(order[2:]) != sorted(_PLANE_AXES) or order[:2] != "XY":
        raise HeaderError(
            f"{where}/@DimensionOrder", f"found {order!r:.50}", "'XYZCT' or another order of Z, C, T"
        )
    leading = tuple(axis.lower() for axis in reversed(order[2:]))
    elements = [child for child in pixels if local_name(child) == "Channel"]
    samples = _count(elements[0], "SamplesPerPixel", where, default=1) if elements else 1
    if sizes["c"] % samples:
        raise HeaderError(
            f"{where}/@SizeC", f"found {sizes['c']}", f"a multiple of SamplesPerPixel {samples}"
        )
    image = TiffImage(
        name=element.get("Name"),
        sizes=sizes,
        leading=leading,
        samples=samples,
        pixel_sizes=_pixel_sizes(pixels),
        channels=_channels(elements, samples),
        runs=(),
    )
    runs = sorted(_runs(pixels, image, where, own), key=lambda run: run.first)
    return replace(image, runs=tuple(runs))


def _runs(pixels: Element, image: TiffImage, where: str, own: frozenset[str]) -> list[PageRun]:
    runs: list[PageRun] = []
    for index, data in enumerate(child for child in pixels if local_name(child) == "TiffData"):
        place = f"{where}/TiffData[{index}]"
        first = 0
        for axis in image.leading:
            size = image.sizes[axis] // (image.samples if axis == "c" else 1)
            start = _count(data, f"First{axis.upper()}", place, default=0, least=0)
            first = first * size + start
        has_ifd = data.get("IFD") is not None
        count = _count(data, "PlaneCount", place, default=1 if has_ifd else 0, least=0) or None
        runs.append(
            PageRun(first, count, _count(data, "IFD", place, default=0, least=0), _member(data, place, own))
        )
    return runs or [PageRun(0, None, 0, None)]


def _member(data: Element, where: str, own: frozenset[str]) -> str | None:
    for uuid in data:
        if local_name(uuid) == "UUID":
            name, text = uuid.get("FileName"), (uuid.text or "").strip()
            if name is None or not own.isdisjoint((text, name)):
                return None
            return safe_key(name, f"{where}/UUID/@FileName")
    return None


def _pixel_sizes(pixels: Element) -> dict[str, tuple[float, str | None]]:
    found: dict[str, tuple[float, str | None]] = {}
    names = {"x": "PhysicalSizeX", "y": "PhysicalSizeY", "z": "PhysicalSizeZ", "t": "TimeIncrement"}
    for axis, name in names.items():
        try:
            size = float(pixels.get(name, ""))
        except ValueError:
            continue
        if math.isfinite(size) and size > 0:
            found[axis] = (size, UNITS.get(pixels.get(f"{name}Unit", "s" if axis == "t" else "um")))
    return found


def _channels(elements: Sequence[Element], samples: int) -> tuple[ChannelDisplay, ...]:
    channels: list[ChannelDisplay] = []
    for element in elements:
        display = ChannelDisplay(element.get("Name"), _color(element.get("Color")), active=None)
        repeat = _as_int(element.get("SamplesPerPixel")) or samples
        channels.extend([display] * min(max(repeat, 1), 16))
    return tuple(channels)


def _color(text: str | None) -> str | None:
    """Return ``RRGGBB`` of OME's signed 32-bit RGBA number."""
    number = _as_int(text)
    return None if number is None else f"{(number & 0xFFFFFFFF) >> 8:06X}"


def _as_int(text: str | None) -> int | None:
    if text is None or not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", text):
        return None
    return int(text)


def _count(element: Element, name: str, where: str, *, default: int | None = None, least: int = 1) -> int:
    text = element.get(name)
    number = default if text is None else _as_int(text)
    if number is None or number < least:
        raise HeaderError(f"{where}/@{name}", f"found {text!r:.50}", f"an integer of at least {least}")
    return number
