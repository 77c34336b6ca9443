"""Arrays as OME-TIFF files: for demonstrations and evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.errors import TargetError
from autodip_zarr.stores.access.errors import target_write_errors
from autodip_zarr.stores.tiff.ome_xml import parse_ome


def write_ome_tiff(path: str, pixels: NDArray[Any], ome_xml: str | None = None) -> None:
    """Write an OME-TIFF file of one image.

    Parameters
    ----------
    path : str
        File to write.
    pixels : (T, C, Z, Y, X)
        Any integer or float type.
    ome_xml : str, optional
        Header; its sizes must be those of `pixels`, and it decides the order of the pages. Without it a
        minimal header is written.

    Raises
    ------
    TargetError
        Header and pixels contradict each other, or the file cannot be written.
    """
    import tifffile  # noqa: PLC0415

    if pixels.ndim != 5:
        raise TargetError(path, f"found {pixels.ndim} dimensions", "t, c, z, y, x")
    if ome_xml is None:
        with target_write_errors(path):
            tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata={"axes": "TCZYX"})
        return
    image = parse_ome(ome_xml, path, Path(path).name).images[0]
    expected = tuple(image.sizes[axis] for axis in "tczyx")
    if expected != pixels.shape or image.samples != 1:
        raise TargetError(path, f"found pixels of shape {pixels.shape}", f"{expected}, as the header says")
    order = ["tcz".index(axis) for axis in image.leading]
    planes = np.transpose(pixels, (*order, 3, 4)).reshape(-1, *pixels.shape[3:])
    with target_write_errors(path):
        tifffile.imwrite(
            path, planes, photometric="minisblack", metadata=None, description=ome_xml.encode(), ome=False
        )
