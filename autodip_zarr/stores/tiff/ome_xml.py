"""What reading and writing TIFF needs of an OME-XML header: sizes, names, and which page is which plane."""

from __future__ import annotations

import itertools
import math
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from autodip_zarr.domain import ChannelDisplay
from autodip_zarr.errors import HeaderError
from autodip_zarr.metadata.documents.xml_tree import children, parse_ome_xml
from autodip_zarr.stores.access.uris import safe_key
from autodip_zarr.stores.tiff.images import OmeFile, PageRun, TiffImage

_UNITS = {
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


def is_ome_xml(text: str) -> bool:
    """Return whether a TIFF description looks like OME-XML."""
    return _OME_ROOT.search(text[:8192]) is not None


def parse_ome(text: str, where: str, own_name: str | None, folder: str = "") -> OmeFile:
    """Return the images of an OME-XML header and the pages their planes lie in.

    Parameters
    ----------
    text : str
        OME-XML.
    where : str
        File it stands in, for messages.
    own_name : str or None
        Base name of the TIFF file it stands in; ``None`` for a companion file.
    folder : str
        Folder below that of the TIFF files in which it stands, and from which it names files.

    Raises
    ------
    HeaderError
        It is broken or hostile, or names files outside the folder.
    """
    root = parse_ome_xml(text, where)
    uuid = root.get("UUID")
    binary_only = next(children(root, "BinaryOnly"), None)
    if binary_only is not None:
        name = _key(binary_only.get("MetadataFile"), f"{where}: BinaryOnly/@MetadataFile", "")
        return OmeFile(uuid, name, ())
    own = _Own(frozenset(name for name in (uuid, own_name) if name is not None), folder)
    elements = enumerate(children(root, "Image"))
    images = tuple(_image(element, f"{where}: Image[{i}]", own) for i, element in elements)
    return OmeFile(uuid, None, images)


@dataclass(frozen=True)
class _Own:
    """How a header names files."""

    names: frozenset[str]
    """Name and identifier of the file itself."""
    folder: str
    """Folder from which it names others."""


def _key(name: str | None, where: str, folder: str) -> str:
    """Return the path of a file that a header names, from the folder of the TIFF files."""
    if folder and name is not None and not name.startswith("/"):
        return safe_key(posixpath.normpath(f"{folder}/{name}"), where)
    while name is not None and name.startswith("./"):
        name = name[2:]
    return safe_key(name, where)


def _image(element: Element, where: str, own: _Own) -> TiffImage:
    pixels = next(children(element, "Pixels"), None)
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
    elements = list(children(pixels, "Channel"))
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
    runs = sorted(dict.fromkeys(_runs(pixels, image, where, own)), key=lambda run: run.first)
    for before, run in itertools.pairwise(runs):
        if before.first == run.first or before.first + (before.count or 1) > run.first:
            found = f"found the plane {run.first} (in the order of the planes) in two places"
            raise HeaderError(f"{where}/TiffData", found, "one page for each plane")
    return replace(image, runs=tuple(runs))


def _runs(pixels: Element, image: TiffImage, where: str, own: _Own) -> list[PageRun]:
    runs: list[PageRun] = []
    for index, data in enumerate(children(pixels, "TiffData")):
        place = f"{where}/TiffData[{index}]"
        first = 0
        for axis in image.leading:
            size = image.sizes[axis] // (image.samples if axis == "c" else 1)
            start = _count(data, f"First{axis.upper()}", place, default=0, least=0)
            if start >= size:
                found = f"found {start} for Size{axis.upper()} {image.sizes[axis]}"
                raise HeaderError(f"{place}/@First{axis.upper()}", found, f"0 to {size - 1}")
            first = first * size + start
        has_ifd = data.get("IFD") is not None
        key = "PlaneCount" if data.get("PlaneCount") is not None else "NumPlanes"  # of the schema of 2008
        count = _count(data, key, place, default=1 if has_ifd else 0, least=0) or None
        file, uuid = _member(data, place, own)
        runs.append(PageRun(first, count, _count(data, "IFD", place, default=0, least=0), file, uuid))
    return runs or [PageRun(0, None, 0, None)]


def _member(data: Element, where: str, own: _Own) -> tuple[str | None, str | None]:
    """Return name and identifier of another file, as far as they are given; none of both is this file."""
    uuid = next(children(data, "UUID"), None)
    if uuid is None:
        return None, None
    name, text = uuid.get("FileName"), (uuid.text or "").strip()
    if not own.names.isdisjoint((text, name)):
        return None, None
    if name is None:
        return None, text or None
    key = _key(name, f"{where}/UUID/@FileName", own.folder)
    return (None if key in own.names else key), None


def _pixel_sizes(pixels: Element) -> dict[str, tuple[float, str | None]]:
    found: dict[str, tuple[float, str | None]] = {}
    names = {"x": "PhysicalSizeX", "y": "PhysicalSizeY", "z": "PhysicalSizeZ", "t": "TimeIncrement"}
    for axis, name in names.items():
        try:
            size = float(pixels.get(name, ""))
        except ValueError:
            continue
        if math.isfinite(size) and size > 0:
            found[axis] = (size, _UNITS.get(pixels.get(f"{name}Unit", "s" if axis == "t" else "um")))
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
