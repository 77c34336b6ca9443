"""Images of laser scanning microscopes of Zeiss (LSM), which are TIFF files with a header of their own."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from autodip_zarr.domain import ChannelDisplay
from autodip_zarr.errors import HeaderError
from autodip_zarr.metadata.units import scaled
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.tiff.images import PageRun, TiffImage, TiffSource

_INFRARED_NM: Final = 680.0
"""Excitation from here on is that of two photons."""

_ADVICE: Final = "convert it with bioformats2raw"
_LONGEST: Final = 2_000
"""Characters of a remark that are kept."""

_INFO_TAG: Final = 34412
_LENGTH_AT: Final = 4
_COUNTS: Final = {
    "ChannelColors": (108, 0, 100_000),
    "InputLut": (100, 4, 1_000),
    "OutputLut": (104, 4, 1_000),
    "ChannelDataTypes": (120, 0, 1_000),
    "TimeStamps": (132, 4, 1_000_000),
    "EventList": (136, 4, 100_000),
    "ChannelWavelength": (204, 0, 1_000),
    "TilePositions": (336, 0, 100_000),
    "Positions": (376, 0, 100_000),
}
"""Where the header says at which byte a part lies, where that part says how large it is, and the most.

Far more than a microscope writes; tifffile takes time by the square of it, or memory.
"""


def lsm_source(tif: Any, uri: str, series: Any) -> TiffSource:  # noqa: ANN401
    """Return the image of an LSM file, without its thumbnails, or why it is not taken.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The file.
    uri : str
        Its path or URI.
    series : tifffile.TiffPageSeries
        Its first one: the image.
    """
    where = f"{public_uri(uri)}#CZ_LSMINFO"
    known = tif.lsm_metadata or {}
    image = _image(tif.pages[0], series, known)
    if isinstance(image, str):
        return TiffSource((), None, where, frozenset(), f"{image}; {_ADVICE}", text_kind="plain-text")
    text = "\n".join(_said(known))
    return TiffSource((image,), text, where, frozenset(), text_kind="plain-text")


def check_lsm_parts(tif: Any, uri: str) -> None:  # noqa: ANN401
    """Refuse an LSM file with parts of a size that no microscope writes, before they are read.

    Raises
    ------
    HeaderError
        It has one.
    """
    start = tif.pages[0].tags[_INFO_TAG].valueoffset
    length = _number(tif.filehandle, start + _LENGTH_AT)
    for name, (at, inner, most) in _COUNTS.items():
        if at + 4 > length:  # a header of an older version, which ends before
            continue
        place = _number(tif.filehandle, start + at)
        size = _number(tif.filehandle, place + inner) if place else 0
        if size > most:
            raise HeaderError(
                f"{public_uri(uri)}#CZ_LSMINFO: {name}", f"found a size of {size:,}", f"at most {most:,}"
            )


def _number(file: Any, offset: int) -> int:  # noqa: ANN401
    """Return the number of four bytes at a place of a file, 0 where it ends before."""
    file.seek(offset)
    content = file.read(4)
    return struct.unpack("<I", content)[0] if len(content) == 4 else 0


def _image(page: Any, series: Any, known: Mapping[str, Any]) -> TiffImage | str:  # noqa: ANN401
    if series.kind != "lsm":
        return "an LSM file whose header is not understood"
    axes = {str(axis): int(size) for axis, size in zip(series.axes, series.shape, strict=True)}
    samples = int(page.samplesperpixel)
    for axis, name in (("P", "positions"), ("M", "mosaics")):
        if axes.pop(axis, 1) > 1:
            return f"an LSM file of several {name}"
    if not {"Y", "X"} <= axes.keys() or axes.keys() - set("TZCYX"):
        return f"an LSM file without planes of y and x (axes {series.axes})"
    sizes = {axis: axes.get(axis.upper(), 1) for axis in "tczyx"}
    pages = [one.index for one in series.pages]
    of_page = (int(page.imagelength), int(page.imagewidth))
    if sizes["c"] != samples or len(pages) != sizes["t"] * sizes["z"] or of_page != (sizes["y"], sizes["x"]):
        return (
            f"an LSM file whose {len(pages)} pages do not fit its header (axes {series.axes} {series.shape})"
        )
    if page.dtype is None or page.dtype.kind not in "uif":
        return f"an LSM file of pixel type {page.dtype}"
    leading = tuple(axis.lower() for axis in axes if axis in "TZ")
    return TiffImage(
        name=None,
        sizes=sizes,
        leading=(*leading, *(axis for axis in "tz" if axis not in leading), "c"),
        samples=samples,
        pixel_sizes=_pixel_sizes(known),
        channels=_channels(known, samples),
        runs=tuple(PageRun(number, 1, index, None) for number, index in enumerate(pages)),
    )


def _pixel_sizes(known: Mapping[str, Any]) -> dict[str, tuple[float, str | None]]:
    found: dict[str, tuple[float, str | None]] = {}
    for axis in "xyz":
        size = _positive(known.get(f"VoxelSize{axis.upper()}"))
        if size is not None:
            found[axis] = (scaled(size, 1e6), "micrometer")
    times = known.get("TimeStamps")
    interval = _positive(known.get("TimeIntervall"))
    if interval is None and times is not None and len(times) > 1:
        interval = _positive(np.median(np.diff(times)))
    if interval is not None:
        found["t"] = (interval, "second")
    return found


def _positive(value: object) -> float | None:
    if not isinstance(value, int | float | np.number):
        return None
    number = float(value)
    return number if math.isfinite(number) and number > 0 else None


def _channels(known: Mapping[str, Any], count: int) -> tuple[ChannelDisplay, ...]:
    """Return names and colours: the dye of a channel is its name, where each has one that is told."""
    shown = known.get("ChannelColors") or {}
    names, colors = shown.get("ColorNames", []), shown.get("Colors", [])
    dyes = [str(one.get("DyeName") or "").strip() for one in _acquired(known, "DetectionChannels")]
    if len(dyes) == count and all(dyes):
        names = dyes
    named = [str(name).strip() or None for name in names] if len(names) == count else [None] * count
    drawn = [_color(color) for color in colors] if len(colors) == count else [None] * count
    return tuple(ChannelDisplay(name, color, None) for name, color in zip(named, drawn, strict=True))


def _color(color: Sequence[int]) -> str | None:
    return "".join(f"{int(value):02X}" for value in color[:3]) if any(color[:3]) else None


def _acquired(known: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of all tracks that took part in the image."""
    for track in (known.get("ScanInformation") or {}).get("Tracks") or ():
        yield from (one for one in track.get(kind) or () if one.get("Acquire", 1))


def _said(known: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines about how the image was taken, as remarks have them."""
    scan = known.get("ScanInformation") or {}
    waves = [_positive(one.get("Wavelength")) for one in _acquired(known, "IlluminationChannels")]
    infrared = [wave >= _INFRARED_NM for wave in waves if wave is not None]
    yield "Format: Zeiss LSM"
    if not any(infrared):
        yield "Imaging Method: laser scanning confocal microscopy"
    elif all(infrared):
        yield "Imaging Method: two-photon laser scanning microscopy"
    for key in ("Objective", "Description", "Notes"):
        text = " ".join(str(scan.get(key) or "").split())
        if text:
            yield f"{key}: {text[:_LONGEST]}"
