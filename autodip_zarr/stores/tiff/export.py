"""Results as pyramids in OME-TIFF: tiles, SubIFDs, zlib, and never more than a row of tiles in memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Header
from autodip_zarr.errors import SourceError, TargetError
from autodip_zarr.stores.access.errors import target_write_errors
from autodip_zarr.stores.tiff.files import open_tiff
from autodip_zarr.stores.zarr.images.planes import opened_levels

__all__ = [
    "DIGEST_PLACE",
    "export_pyramid",
    "exported_digest",
    "exported_identity",
    "exported_type",
    "pixels_digest",
]

DIGEST_PLACE: Final = "sha256:" + "0" * 64
"""Where the checksum of the pixels will stand in the header: it is known once all of them are written."""

_DIGEST: Final = re.compile(r'K="pixels">\s*(sha256:[0-9a-f]{64})\s*<')
_IDENTITY: Final = re.compile(r'K="result">\s*(sha256:[0-9a-f]{64})\s*<')
_BIG_BYTES: Final = 3_500_000_000
"""Uncompressed bytes from which a file is a BigTIFF, also if it would come out smaller."""

_SEARCHED: Final = 64 * 1024 * 1024
_TYPES: Final = {"float16": "float32", "bool": "uint8"}
"""Types that OME does not know, and those that hold them."""
_REFUSED: Final = ("int64", "uint64")


def exported_type(dtype: str) -> str:
    """Return the pixel type of a file.

    Raises
    ------
    TargetError
        OME-TIFF has none that holds it.
    """
    if dtype in _REFUSED:
        raise TargetError("OME-TIFF", f"found pixels of {dtype}", "at most 32 bits an integer, 64 a float")
    return _TYPES.get(dtype, dtype)


def export_pyramid(path: str, result: Header, ome_xml: str, tile_px: int) -> None:
    """Write an image with all its levels as OME-TIFF; planes in the order XYZCT.

    Parameters
    ----------
    path : str
        File to write; it is complete once this returns.
    result : Header
        The image, an OME-Zarr.
    ome_xml : str
        Header with `DIGEST_PLACE` in it, which the checksum of the pixels replaces.
    tile_px : int
        Side of a tile, a multiple of 16.

    Raises
    ------
    TargetError, PixelError
        The file cannot be written, or a plane cannot be read.
    """
    import tifffile  # noqa: PLC0415

    dtype = np.dtype(exported_type(result.dtype))
    total = sum(int(np.prod(level.shape)) for level in result.levels) * dtype.itemsize
    digest = hashlib.sha256()
    with (
        target_write_errors(path),
        opened_levels(result) as levels,
        tifffile.TiffWriter(path, bigtiff=total > _BIG_BYTES, byteorder="<", ome=False) as tif,
    ):
        for index, position in enumerate(_positions(result)):
            for level, read in enumerate(levels):
                size = _size(result, level)
                tiles = _tiles(partial(read, *position), size, tile_px, dtype)
                tif.write(
                    _counted(tiles, digest),
                    shape=size,
                    dtype=dtype,
                    tile=(tile_px, tile_px),
                    compression="zlib",
                    predictor=dtype.kind in "ui",
                    photometric="minisblack",
                    description=ome_xml.encode() if index == level == 0 else None,
                    metadata=None,
                    subifds=len(levels) - 1 if level == 0 else None,
                    subfiletype=0 if level == 0 else 1,
                )
    _enter_digest(path, f"sha256:{digest.hexdigest()}")


def exported_digest(text: str) -> str | None:
    """Return the checksum of the pixels in the header of an exported file, ``None`` for another file."""
    found = _DIGEST.search(text)
    return found.group(1) if found else None


def exported_identity(text: str) -> str | None:
    """Return what the header of an exported file says of the result that it was made from, if it does."""
    found = _IDENTITY.search(text)
    return found.group(1) if found else None


def pixels_digest(path: str) -> str:
    """Return the checksum of the pixels of an exported file: tile by tile, each plane with its levels.

    Raises
    ------
    SourceError
        It cannot be read.
    """
    digest = hashlib.sha256()
    with open_tiff(path) as tif:
        for page in tif.pages:
            for level in (page, *(page.pages or ())):
                for segment, _, _ in level.segments():
                    if segment is None:
                        raise SourceError(path, "has a tile without pixels", "all tiles")
                    digest.update(np.ascontiguousarray(segment).tobytes())
    return f"sha256:{digest.hexdigest()}"


def _positions(result: Header) -> Iterator[tuple[int, int, int]]:
    """Yield (t, c, z) in the order XYZCT."""
    for t in range(result.size("t")):
        for c in range(result.size("c")):
            for z in range(result.size("z")):
                yield t, c, z


def _size(result: Header, level: int) -> tuple[int, int]:
    names = [axis.name for axis in result.axes]
    shape = result.levels[level].shape
    return shape[names.index("y")], shape[names.index("x")]


def _tiles(
    read: Callable[[slice], NDArray[Any]], size: tuple[int, int], tile_px: int, dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    """Yield the tiles of a plane row by row, those at its edges filled up with zeros."""
    height, width = size
    for top in range(0, height, tile_px):
        rows = read(slice(top, min(top + tile_px, height)))
        for left in range(0, width, tile_px):
            part = rows[:, left : left + tile_px]
            tile = np.zeros((tile_px, tile_px), dtype)
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile


def _counted(tiles: Iterator[NDArray[Any]], digest: Any) -> Iterator[NDArray[Any]]:  # noqa: ANN401
    for tile in tiles:
        digest.update(tile.tobytes())
        yield tile


def _enter_digest(path: str, digest: str) -> None:
    """Write the checksum into its place in the header, which lies before the pixels of the second plane."""
    with target_write_errors(path), Path(path).open("r+b") as file:
        place = DIGEST_PLACE.encode()
        position, before = 0, b""
        while content := file.read(_SEARCHED):
            at = (before + content).find(place)
            if at >= 0:
                file.seek(position - len(before) + at)
                file.write(digest.encode())
                return
            position += len(content)
            before = content[-len(place) :]
    raise TargetError(path, "has no place for its checksum", "a header with one")
