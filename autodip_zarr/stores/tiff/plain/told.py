"""What tags tell of a TIFF file without OME-XML: pixel sizes, names and colours of channels, and text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autodip_zarr.domain import ChannelDisplay
from autodip_zarr.stores.access.errors import METADATA_LIMIT

_UNITS = {
    "micron": "micrometer",
    "microns": "micrometer",
    "um": "micrometer",
    "\u00b5m": "micrometer",
    "\u03bcm": "micrometer",
    "\\u00b5m": "micrometer",
    "micrometer": "micrometer",
    "micrometers": "micrometer",
    "nm": "nanometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "inch": "inch",
}
"""Units of length as ImageJ writes them, and the names that OME-Zarr wants."""

_RESOLUTION_UNITS_UM = {2: 25_400.0, 3: 10_000.0}
"""Inch and centimeter of the tag ResolutionUnit."""

_PRINT_UM = 8.0
"""Sizes above this are resolutions for printers (72 to 3,000 dots an inch), not those of a microscope."""

_MILLION = 1_000_000
"""Denominator to which ImageJ rounds fractions."""

_FEW_DIGITS = 5
"""Digits of sizes as people type them."""

_IMAGEJ_TAGS = (50838, 50839)
_POSITION = re.compile(r"^(?:[czt]:\d+/\d+\s*)+(?:-\s*)?")
_PRIMARY = ("FF0000", "00FF00", "0000FF")


@dataclass(frozen=True)
class Told:
    """What the tags of a file tell."""

    pixel_sizes: Mapping[str, tuple[float, str | None]]
    """Physical size and unit along the axes that have one."""
    labels: Sequence[str]
    """Labels of the planes, in their order; empty where there are none."""
    colors: Sequence[str]
    """``RRGGBB`` of each channel; empty where there are none."""
    text: str | None
    """What a person or a program wrote about the image."""


def told_by_tags(tif: Any) -> Told:  # noqa: ANN401
    """Return what the tags of the first page tell; nothing of it is checked against the pixels.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The file, read as far as its first page.
    """
    page = tif.pages[0]
    if not tif.is_imagej or any(_is_large(page, tag) for tag in _IMAGEJ_TAGS):
        return Told(_by_resolution(page), (), (), _description(page))
    known = tif.imagej_metadata or {}
    info = known.get("Info")
    labels = known.get("Labels")
    return Told(
        pixel_sizes=_of_imagej(page, known),
        labels=[str(one) for one in labels] if isinstance(labels, list) else (),
        colors=_colors(known),
        text=info if isinstance(info, str) and info.strip() else None,
    )


def channel_displays(told: Told, count: int, first_labels: Sequence[int]) -> tuple[ChannelDisplay, ...]:
    """Return names and colours of channels, as far as they are told.

    Parameters
    ----------
    told : Told
        What the tags tell.
    count : int
        Number of channels.
    first_labels : sequence of int
        Number of the first plane of each channel, in the order of the labels.
    """
    names = [told.labels[at] if at < len(told.labels) else "" for at in first_labels]
    names = [_POSITION.sub("", name.split("\n")[0]).strip() for name in names]
    if len(set(names)) < count:  # labels of slices say nothing of channels
        names = [""] * count
    colors = [*told.colors[:count], *[None] * (count - len(told.colors))]
    if not any(names) and not any(colors):
        return ()
    return tuple(ChannelDisplay(name or None, color, None) for name, color in zip(names, colors, strict=True))


def colour_displays() -> tuple[ChannelDisplay, ...]:
    """Return the displays of the three samples of a colour image."""
    names = ("Red", "Green", "Blue")
    return tuple(ChannelDisplay(name, color, None) for name, color in zip(names, _PRIMARY, strict=True))


def _is_large(page: Any, code: int) -> bool:  # noqa: ANN401
    tag = page.tags.get(code)
    return tag is not None and tag.count > METADATA_LIMIT


def _description(page: Any) -> str | None:  # noqa: ANN401
    """Return the description, unless it is that of a program about the layout of its own file."""
    tag = page.tags.get(270)
    text = str(tag.value).strip() if tag is not None else ""
    return text if text and not text.startswith(("{", "ImageJ=")) else None


def _of_imagej(page: Any, known: Mapping[str, Any]) -> dict[str, tuple[float, str | None]]:  # noqa: ANN401
    unit = _UNITS.get(str(known.get("unit", "")).strip().casefold())
    found: dict[str, tuple[float, str | None]] = {}
    if unit is not None:
        for axis, tag in (("x", "XResolution"), ("y", "YResolution")):
            size = _inverse(page.tags.get(tag))
            if size is not None:
                found[axis] = (size, unit)
        depth = _positive(known.get("spacing"))
        if depth is not None:
            found["z"] = (depth, unit)
    interval = _positive(known.get("finterval"))
    if interval is not None:
        found["t"] = (interval, "second")
    return found


def _by_resolution(page: Any) -> dict[str, tuple[float, str | None]]:  # noqa: ANN401
    """Return pixel sizes by the tags for printers, where no printer could mean them."""
    tag = page.tags.get("ResolutionUnit")
    unit_um = _RESOLUTION_UNITS_UM.get(int(tag.value)) if tag is not None else None
    sizes = {
        axis: _inverse(page.tags.get(name)) for axis, name in (("x", "XResolution"), ("y", "YResolution"))
    }
    return {
        axis: (size * unit_um, "micrometer")
        for axis, size in sizes.items()
        if unit_um is not None and size is not None and size * unit_um < _PRINT_UM
    }


def _inverse(tag: Any) -> float | None:  # noqa: ANN401
    """Return the size of a pixel by a tag that holds pixels per unit as a fraction."""
    value = tag.value if tag is not None else None
    if not isinstance(value, tuple) or len(value) != 2 or 0 in value:
        return None
    per_unit, unit = int(value[0]), int(value[1])
    size = unit / per_unit
    if _MILLION % unit:
        return size
    # ImageJ counts millionths of pixels: 0.065 became 15384615 of them
    millionths = per_unit * (_MILLION // unit)
    short = (float(f"{size:.{digits}g}") for digits in range(1, _FEW_DIGITS + 1))
    return next((one for one in short if round(_MILLION / one) == millionths), size)


def _positive(value: object) -> float | None:
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        return None
    return float(value)


def _colors(known: Mapping[str, Any]) -> Sequence[str]:
    """Return the brightest colour of each look-up table; grey is none."""
    tables = known.get("LUTs")
    if not isinstance(tables, list):
        return ()
    last = [
        [int(value) for value in table[:, -1]] for table in tables if getattr(table, "shape", ()) == (3, 256)
    ]
    return ["".join(f"{value:02X}" for value in color) for color in last]
