"""Read headers and planes, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Header, ImageRef
from autodip_zarr.errors import PixelError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.planes import Positions, name_plane
from autodip_zarr.stores.access.remote.server_errors import is_unanswered
from autodip_zarr.stores.pictures import read_image, read_picture_header
from autodip_zarr.stores.tiff.header import read_tiff_header
from autodip_zarr.stores.tiff.plain.arranged import refuse_other_axes
from autodip_zarr.stores.tiff.planes import read_tiff_planes
from autodip_zarr.stores.zarr.images.header import read_zarr_header
from autodip_zarr.stores.zarr.images.planes import read_zarr_planes

_SILENT_PLANES = 2
_NOT_ASKED = "not asked for, because the server did not answer for the planes before; run again later"


def read_header(ref: ImageRef) -> Header:
    """Return all that can be known of an image without reading a pixel.

    Raises
    ------
    HeaderError
        Its metadata is broken, hostile, or contradicts itself or the axes that were given.
    SourceError
        It is missing or cannot be read.
    """
    if ref.kind == "ome-tiff":
        return read_tiff_header(ref)
    header = read_picture_header(ref) if ref.kind == "picture" else read_zarr_header(ref)
    if ref.given_axes is not None:
        told = [(axis.name, header.size(axis.name)) for axis in header.axes if axis.name not in "yx"]
        refuse_other_axes(ref.given_axes, told, public_uri(ref.source))
    return replace(header, ref=replace(ref, given_axes=None))


def read_planes(header: Header, c: int, positions: Positions) -> NDArray[Any]:
    """Return planes of one channel at full resolution.

    Parameters
    ----------
    header : Header
        The image.
    c : int
        Channel.
    positions : sequence of (int, int)
        Time point and depth of each plane.

    Returns
    -------
    planes : (N, Y, X)
        In the pixel type of the source, native byte order.

    Raises
    ------
    PixelError
        A chunk, page or file is missing or corrupt; the message names the plane.
    """
    try:
        return _together(header, c, positions)
    except PixelError as error:
        if len(positions) <= 1 or is_unanswered(error):  # the others would wait just as long
            raise
    planes: list[NDArray[Any]] = []
    for plane in _one_by_one(header, c, positions):
        if isinstance(plane, PixelError):
            raise plane
        planes.append(plane)
    return np.stack(planes)


def read_each_plane(header: Header, c: int, positions: Positions) -> list[NDArray[Any] | PixelError]:
    """Return planes of one channel, or for each that cannot be read why; see `read_planes`.

    They are read together, and one by one where that fails. A server that does not answer for two planes in
    turn is not asked for the rest.
    """
    try:
        return list(_together(header, c, positions))
    except PixelError as error:
        if len(positions) == 1:
            return [error]
    return list(_one_by_one(header, c, positions))


def _one_by_one(header: Header, c: int, positions: Positions) -> Iterator[NDArray[Any] | PixelError]:
    silent = 0
    for position in positions:
        if silent == _SILENT_PLANES:
            yield PixelError(public_uri(header.ref.source), _NOT_ASKED)
            continue
        plane = _single(header, c, position)
        silent = silent + 1 if isinstance(plane, PixelError) and is_unanswered(plane) else 0
        yield plane


def _single(header: Header, c: int, position: tuple[int, int]) -> NDArray[Any] | PixelError:
    try:
        plane: NDArray[Any] = _together(header, c, [position])[0]
    except PixelError as error:
        return error
    return plane


def _together(header: Header, c: int, positions: Positions) -> NDArray[Any]:
    sizes = {axis: header.size(axis) for axis in "tcz"}
    for t, z in positions:
        if not (0 <= t < sizes["t"] and 0 <= c < sizes["c"] and 0 <= z < sizes["z"]):
            raise PixelError(name_plane(header, c, (t, z)), "lies outside the image", f"less than {sizes}")
    if header.ref.kind == "ome-zarr":
        return read_zarr_planes(header, c, positions)
    if header.ref.kind == "picture":
        return np.stack([read_image(header.ref.uri)] * len(positions))
    return read_tiff_planes(header, c, positions)
