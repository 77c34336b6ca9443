"""Write images as a microscope's software would: plain OME-TIFF and OME-Zarr, to demonstrate and to test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import zarr
from numpy.typing import NDArray

from autodip_zarr.stores.tiff.write import write_ome_tiff

_OME_TYPES: Final = {"float32": "float", "float64": "double"}


@dataclass(frozen=True)
class SampleChannel:
    """What the header of a sample says of a channel."""

    name: str
    """Name, for example the stain."""
    acquisition_mode: str | None
    """``AcquisitionMode`` of OME-XML, for example ``WideField``; ``None`` where it is not said."""


@dataclass(frozen=True)
class Sample:
    """An image as it comes from a microscope."""

    name: str
    """Image name."""
    pixels: NDArray[np.generic]
    """(T, C, Z, Y, X), any integer or float type."""
    pixel_size_um: float
    """Width and height of a pixel in micrometers."""
    channels: tuple[SampleChannel, ...]
    """One a channel."""


def _sample_header(sample: Sample) -> str:
    """Return the OME-XML of a sample."""
    from ome_types import OME, model  # noqa: PLC0415 - half a second, not needed for reading

    channels = [
        model.Channel(
            id=f"Channel:0:{c}",
            name=channel.name,
            samples_per_pixel=1,
            acquisition_mode=channel.acquisition_mode,  # type: ignore[arg-type] # a name of the enumeration
        )
        for c, channel in enumerate(sample.channels)
    ]
    t, c, z, y, x = sample.pixels.shape
    pixels = model.Pixels(
        id="Pixels:0",
        type=model.PixelType(_OME_TYPES.get(sample.pixels.dtype.name, sample.pixels.dtype.name)),
        dimension_order=model.Pixels_DimensionOrder.XYZCT,
        size_x=x,
        size_y=y,
        size_z=z,
        size_c=c,
        size_t=t,
        physical_size_x=sample.pixel_size_um,
        physical_size_y=sample.pixel_size_um,
        channels=channels,
        tiff_data_blocks=[model.TiffData(ifd=0, plane_count=t * c * z)],
    )
    return OME(images=[model.Image(id="Image:0", name=sample.name, pixels=pixels)]).to_xml()


def write_sample_tiff(path: Path, sample: Sample) -> None:
    """Write an OME-TIFF of one image.

    Parameters
    ----------
    path : Path
        File to create, ``.ome.tif``.
    sample : Sample
        What to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_ome_tiff(str(path), sample.pixels, _sample_header(sample))


def write_sample_zarr(path: Path, sample: Sample, version: Literal["0.4", "0.5"]) -> None:
    """Write an OME-Zarr image of one level, with the header beside it as bioformats2raw leaves it.

    Parameters
    ----------
    path : Path
        Store to create.
    sample : Sample
        What to write.
    version : str
        Version of OME-Zarr.
    """
    zarr_format: Literal[2, 3] = 2 if version == "0.4" else 3
    group = zarr.create_group(store=path, zarr_format=zarr_format)
    height, width = sample.pixels.shape[-2:]
    separator: Literal["/"] = "/"
    array = group.create_array(
        "0",
        shape=sample.pixels.shape,
        dtype=sample.pixels.dtype,
        chunks=(1, 1, 1, height, width),
        chunk_key_encoding={"name": "v2" if zarr_format == 2 else "default", "separator": separator},
        dimension_names=list("tczyx") if zarr_format == 3 else None,
    )
    array[:] = sample.pixels
    attributes = _attributes(sample, version)
    group.attrs.update(attributes if zarr_format == 2 else {"ome": attributes})
    (path / "OME").mkdir()
    (path / "OME" / "METADATA.ome.xml").write_text(_sample_header(sample), encoding="utf-8")


def _attributes(sample: Sample, version: str) -> dict[str, Any]:
    kinds = {"t": "time", "c": "channel"}
    axes = [
        {"name": name, "type": kinds.get(name, "space")} | ({"unit": "micrometer"} if name in "yx" else {})
        for name in "tczyx"
    ]
    scale = [1.0, 1.0, 1.0, sample.pixel_size_um, sample.pixel_size_um]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    multiscale: dict[str, Any] = {"axes": axes, "datasets": datasets}
    window = {"min": 0, "max": 65535, "start": 0, "end": 65535}
    channels = [
        {"label": channel.name, "color": "FFFFFF", "active": True, "window": window}
        for channel in sample.channels
    ]
    if version == "0.4":
        return {"multiscales": [{"version": version, **multiscale}], "omero": {"channels": channels}}
    return {"version": version, "multiscales": [multiscale], "omero": {"channels": channels}}
