"""Write images as a microscope's software would: plain OME-TIFF and OME-Zarr, for demonstrations and tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sample:
    """An image as it comes from a microscope."""

    pixels: NDArray[np.generic]
    """(T, C, Z, Y, X), any integer or float type."""
    ome_xml: str | None
    """Header, OME-XML."""
    pixel_size_um: float
    """Width and height of a pixel in micrometers."""
    channel_names: tuple[str, ...]
    """One a channel."""


def write_sample_tiff(path: Path, sample: Sample) -> None:
    """Write an OME-TIFF of one image.

    Parameters
    ----------
    path : Path
        File to create, ``.ome.tif``.
    sample : Sample
        Pixels and header; the header describes the axes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    planes = sample.pixels.reshape(-1, *sample.pixels.shape[-2:])
    with tifffile.TiffWriter(path) as file:
        file.write(
            planes,
            photometric="minisblack",
            description=None if sample.ome_xml is None else sample.ome_xml.encode(),
            metadata=None,
            compression="zlib",
        )


def write_sample_zarr(path: Path, sample: Sample, version: Literal["0.4", "0.5"]) -> None:
    """Write an OME-Zarr image of one level, with the header beside it as bioformats2raw leaves it.

    Parameters
    ----------
    path : Path
        Store to create.
    sample : Sample
        Pixels, names and header.
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
    if sample.ome_xml is not None:
        (path / "OME").mkdir()
        (path / "OME" / "METADATA.ome.xml").write_text(sample.ome_xml, encoding="utf-8")


def _attributes(sample: Sample, version: str) -> dict[str, object]:
    kinds = {"t": "time", "c": "channel"}
    axes = [
        {"name": name, "type": kinds.get(name, "space")} | ({"unit": "micrometer"} if name in "yx" else {})
        for name in "tczyx"
    ]
    scale = [1.0, 1.0, 1.0, sample.pixel_size_um, sample.pixel_size_um]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    multiscale: dict[str, object] = {"axes": axes, "datasets": datasets}
    channels = [{"label": name, "color": "FFFFFF", "active": True} for name in sample.channel_names]
    if version == "0.4":
        return {"multiscales": [{"version": version, **multiscale}], "omero": {"channels": channels}}
    return {"version": version, "multiscales": [multiscale], "omero": {"channels": channels}}
