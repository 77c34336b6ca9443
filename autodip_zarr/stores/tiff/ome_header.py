"""OME-XML of an exported result: that of its source, with the sizes of the result and what was done."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from autodip_zarr.domain import ChannelDisplay, Header
from autodip_zarr.stores.tiff.export import exported_type
from autodip_zarr.stores.tiff.ome_subset import subset_ome_xml

__all__ = ["exported_header"]

_NAMESPACE = "github.com/autodip-zarr/denoised"
"""Namespace of the map annotation that says what was done."""

_LARGEST_CARRIED = 8_000_000
"""Characters of a header above which it is not carried over: readers load it whole."""

_LENGTHS = {
    "micrometer": "\u00b5m",
    "nanometer": "nm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
    "picometer": "pm",
    "angstrom": "\u00c5",
    "inch": "in",
}
_TIMES = {
    "second": "s",
    "millisecond": "ms",
    "microsecond": "\u00b5s",
    "minute": "min",
    "hour": "h",
    "day": "d",
}
_TYPES = {"float32": "float", "float64": "double", "complex64": "complex", "complex128": "double-complex"}


def exported_header(result: Header, source_xml: str | None, index: int, done: Mapping[str, str]) -> str:
    """Return the OME-XML of one image.

    Parameters
    ----------
    result : Header
        The result: sizes, pixel sizes, names and colours of channels.
    source_xml : str or None
        Header of the source, whose instrument, objective, channels, positions and plate are carried over.
    index : int
        Which image of that it is.
    done : mapping of str to str
        What was done, for a map annotation.
    """
    from ome_types import model, to_xml  # noqa: PLC0415 - half a second that only exports need

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about references into what is left out
        ome = _carried(source_xml, index)
        if ome is None:
            pixels = model.Pixels(
                id="Pixels:0",
                dimension_order=model.Pixels_DimensionOrder("XYZCT"),
                type=model.PixelType("uint8"),
                **{f"size_{axis}": 1 for axis in "xyzct"},  # type: ignore[arg-type]
            )
            ome = model.OME(images=[model.Image(id="Image:0", pixels=pixels)])
        image = ome.images[0]
        image.name = result.name or image.name
        _fit(image.pixels, result)
        note = model.MapAnnotation(id="Annotation:autodip", namespace=_NAMESPACE, value=dict(done))  # type: ignore[arg-type]
        if ome.structured_annotations is None:
            ome.structured_annotations = model.StructuredAnnotations()
        ome.structured_annotations.append(note)
        image.annotation_refs.append(model.AnnotationRef(id=note.id))
        ome.creator = f"autodip-zarr {done.get('version', '')}".strip()
        ome.uuid = None
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{to_xml(ome)}'


def _carried(source_xml: str | None, index: int) -> Any:  # noqa: ANN401
    """Return the header of the source with one image, ``None`` where none can be carried over."""
    from ome_types import from_xml  # noqa: PLC0415

    if source_xml is None or len(source_xml) > _LARGEST_CARRIED:
        return None
    try:
        ome = from_xml(subset_ome_xml(source_xml, [index]), validate=False)
    except Exception:  # noqa: BLE001 - headers break the schema in every way; the file needs none of them
        return None
    return ome if len(ome.images) == 1 and ome.images[0].pixels is not None else None


def _fit(pixels: Any, result: Header) -> None:  # noqa: ANN401
    """Give pixels the sizes, types, scales and channels of the result."""
    from ome_types import model  # noqa: PLC0415

    same = all(getattr(pixels, f"size_{axis}") == result.size(axis) for axis in "zct")
    for axis in "xyzct":
        setattr(pixels, f"size_{axis}", result.size(axis))
    dtype = exported_type(result.dtype)
    pixels.type = model.PixelType(_TYPES.get(dtype, dtype))
    pixels.dimension_order = model.Pixels_DimensionOrder("XYZCT")
    pixels.big_endian, pixels.interleaved, pixels.significant_bits = False, None, None
    pixels.bin_data_blocks, pixels.metadata_only = [], None
    pixels.tiff_data_blocks = [model.TiffData()]
    pixels.planes = pixels.planes if same else []
    for one, size in zip(result.axes, result.levels[0].scale, strict=True):
        if one.name in "xyz" and one.unit in _LENGTHS:
            setattr(pixels, f"physical_size_{one.name}", size)
            setattr(pixels, f"physical_size_{one.name}_unit", model.UnitsLength(_LENGTHS[one.unit]))
        if one.name == "t" and one.unit in _TIMES:
            pixels.time_increment = size
            pixels.time_increment_unit = model.UnitsTime(_TIMES[one.unit])
    count = result.size("c")
    if len(pixels.channels) != count or any((one.samples_per_pixel or 1) != 1 for one in pixels.channels):
        pixels.channels = [model.Channel(id=f"Channel:0:{number}") for number in range(count)]
    for channel, display in zip(pixels.channels, result.channels, strict=False):
        _show(channel, display)


def _show(channel: Any, display: ChannelDisplay) -> None:  # noqa: ANN401
    from ome_types import model  # noqa: PLC0415

    channel.samples_per_pixel = 1
    channel.name = display.label or channel.name
    if display.color is not None:
        channel.color = model.Color(f"#{display.color}")
