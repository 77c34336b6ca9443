"""Read headers and planes, whatever the format."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Fingerprint, Header, ImageRef
from autodip_zarr.errors import PixelError, SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.place import open_place
from autodip_zarr.stores.access.server_errors import is_unanswered
from autodip_zarr.stores.pictures import read_image, read_picture_header
from autodip_zarr.stores.tiff.files import member_uri, open_tiff, read_tiff_source, tiff_place, tiff_stamp
from autodip_zarr.stores.tiff.header import read_tiff_header
from autodip_zarr.stores.tiff.images import TiffImage
from autodip_zarr.stores.zarr.header import read_zarr_header
from autodip_zarr.stores.zarr.nodes import join

Positions = Sequence[tuple[int, int]]
"""Time point and depth of each plane."""


def read_header(ref: ImageRef) -> Header:
    """Return all that can be known of an image without reading a pixel.

    Raises
    ------
    HeaderError
        Its metadata is broken, hostile, or contradicts itself.
    SourceError
        It is missing or cannot be read.
    """
    if ref.kind == "picture":
        return read_picture_header(ref)
    return read_zarr_header(ref) if ref.kind == "ome-zarr" else read_tiff_header(ref)


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
    sizes = {axis: header.size(axis) for axis in "tcz"}
    for t, z in positions:
        if not (0 <= t < sizes["t"] and 0 <= c < sizes["c"] and 0 <= z < sizes["z"]):
            raise PixelError(_where(header, c, t, z), "lies outside the image", f"less than {sizes}")
    if header.ref.kind == "ome-zarr":
        return _zarr_planes(header, c, positions)
    if header.ref.kind == "picture":
        return np.stack([read_image(header.ref.uri)] * len(positions))
    return _tiff_planes(header, c, positions)


def _zarr_planes(header: Header, c: int, positions: Positions) -> NDArray[Any]:
    from autodip_zarr.stores.zarr.guarded_store import GuardedStore  # noqa: PLC0415 - imports zarr

    stack = np.empty((len(positions), header.size("y"), header.size("x")), header.dtype)
    place = open_place(header.ref.uri)
    with place.zarr_store(read_only=True) as store:
        try:
            guarded = GuardedStore(store)
            array = open_array(guarded, join(header.ref.group, header.levels[0].path), header.zarr_format)
            guarded.expect(array)
        except MemoryError:
            raise
        except Exception as error:  # zarr and its codecs have errors of their own
            raise PixelError(
                public_uri(header.ref.source), f"cannot be opened: {error_message(error)}"
            ) from error
        start = 0
        for run in _rectangles(positions):
            count = len(run)
            try:
                stack[start : start + count] = _zarr_block(array, header, c, run)
            except MemoryError:
                raise
            except Exception as error:  # see above; a corrupt chunk is met here
                if count == 1 or is_unanswered(error):  # the others would wait just as long
                    raise _unreadable(header, c, run[0], error) from error
                stack[start : start + count] = _one_by_one(array, header, c, run)
            start += count
    return stack


def open_array(store: Any, path: str, zarr_format: Literal[2, 3] | None) -> Any:  # noqa: ANN401
    """Open an array of a store, without the remarks that zarr makes about old writers."""
    import zarr  # noqa: PLC0415
    from zarr.errors import ZarrUserWarning  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)
        return zarr.open_array(store, path=path, mode="r", zarr_format=zarr_format)


def _rectangles(positions: Positions) -> list[list[tuple[int, int]]]:
    """Split positions into lists that one slice of the array can give, in order."""
    ts, zs = sorted({t for t, _ in positions}), sorted({z for _, z in positions})
    whole = [(t, z) for t in ts for z in zs]
    if positions and list(positions) == whole and _is_range(ts) and _is_range(zs):
        return [whole]
    runs: list[list[tuple[int, int]]] = []
    for t, z in positions:
        if runs and runs[-1][-1] == (t, z - 1):
            runs[-1].append((t, z))
        else:
            runs.append([(t, z)])
    return runs


def _is_range(numbers: list[int]) -> bool:
    return numbers[-1] - numbers[0] + 1 == len(numbers)


def _zarr_block(array: Any, header: Header, c: int, run: list[tuple[int, int]]) -> NDArray[Any]:  # noqa: ANN401
    """Return the planes of a rectangle of positions as (N, Y, X)."""
    wanted = {
        "t": slice(run[0][0], run[-1][0] + 1),
        "z": slice(run[0][1], run[-1][1] + 1),
        "c": slice(c, c + 1),
    }
    names = [axis.name for axis in header.axes]
    every = slice(None)
    selection = tuple(every if name in ("y", "x") else wanted.get(name, slice(0, 1)) for name in names)
    block = np.asarray(array[selection])
    kept = [name for name in "tzyx" if name in names]
    dropped = tuple(index for index, name in enumerate(names) if name not in kept)
    block = np.squeeze(block, axis=dropped)
    left = [name for name in names if name in kept]
    block = np.transpose(block, [left.index(name) for name in kept])
    return block.reshape(len(run), *block.shape[-2:])


def _one_by_one(array: Any, header: Header, c: int, run: list[tuple[int, int]]) -> NDArray[Any]:  # noqa: ANN401
    """Read planes singly, so that the error names the one that is corrupt."""
    planes: list[NDArray[Any]] = []
    for position in run:
        try:
            planes.append(_zarr_block(array, header, c, [position])[0])
        except MemoryError:
            raise
        except Exception as error:  # see _zarr_planes
            raise _unreadable(header, c, position, error) from error
    return np.stack(planes)


def _tiff_planes(header: Header, c: int, positions: Positions) -> NDArray[Any]:
    uri = header.ref.uri
    try:
        stamp = tiff_stamp(uri)
        image = read_tiff_source(uri, stamp).images[header.ref.image_index]
        image = _with_samples(image, uri, stamp)
        places = [(index, *image.locate(t, c, z)) for index, (t, z) in enumerate(positions)]
    except SourceError as error:
        raise PixelError(error.where, error.found, error.expected, error.hint) from error
    stack = np.empty((len(positions), header.size("y"), header.size("x")), header.dtype)
    for file in dict.fromkeys(place[1] for place in places):
        wanted = [(index, page, sample) for index, name, page, sample in places if name == file]
        _check_member(header, c, positions[wanted[0][0]], file)
        at = (header, c, positions)
        try:
            with open_tiff(uri, stamp) if file is None else open_tiff(member_uri(uri, file)) as tif:
                for index, page, sample in wanted:
                    stack[index] = _tiff_plane(tif, image, (page, sample), (*at, index))
        except PixelError:
            raise
        except SourceError as error:
            raise _unreadable(header, c, positions[wanted[0][0]], error) from error
    return stack


def _with_samples(image: TiffImage, uri: str, own: Fingerprint | None) -> TiffImage:
    """Take over the samples of the pages, as the header reader did."""
    file, number, _ = image.locate(0, 0, 0)
    stamp = own if file is None else tiff_stamp(member_uri(uri, file))
    if stamp is None:
        return image
    return replace(image, samples=_samples(uri if file is None else member_uri(uri, file), number, stamp))


@lru_cache(maxsize=256)
def _samples(uri: str, number: int, stamp: Fingerprint) -> int:
    with open_tiff(uri, stamp) as tif:
        return int(tif.pages[number].samplesperpixel)


def _check_member(header: Header, c: int, position: tuple[int, int], file: str | None) -> None:
    if file is None:
        return
    place, _ = tiff_place(header.ref.uri)
    if place.stat(file) is None:
        where = _where(header, c, *position)
        raise PixelError(where, f"its file {file!r:.200} is missing", "all files of the set in one folder")


def _tiff_plane(
    tif: Any,  # noqa: ANN401
    image: TiffImage,
    at: tuple[int, int],
    plane: tuple[Header, int, Positions, int],
) -> NDArray[Any]:
    """Return one plane of an open file."""
    number, sample = at
    header, c, positions, index = plane
    shape = (header.size("y"), header.size("x"))
    try:
        if image.offset is not None:
            size = shape[0] * shape[1] * np.dtype(header.dtype).itemsize
            first = image.runs[0].ifd
            dtype = np.dtype(header.dtype).newbyteorder(tif.byteorder)
            tif.filehandle.seek(image.offset + (number - first) * size)
            pixels = np.frombuffer(tif.filehandle.read(size), dtype).reshape(shape)
        else:
            page = tif.pages[number].asarray(squeeze=False)  # (samples, 1, Y, X, 1) or (1, 1, Y, X, samples)
            pixels = page[sample, 0, :, :, 0] if page.shape[0] > 1 else page[0, 0, :, :, sample]
        if pixels.shape != shape or pixels.dtype.newbyteorder("=") != np.dtype(header.dtype):
            found = f"found a page of {pixels.shape} {pixels.dtype}"
            raise PixelError(_where(header, c, *positions[index]), found, f"{shape} {header.dtype}")
    except (PixelError, MemoryError):
        raise
    except Exception as error:  # tifffile and its codecs meet broken pages with errors of every kind
        raise _unreadable(header, c, positions[index], error) from error
    return pixels


def _where(header: Header, c: int, t: int, z: int) -> str:
    return f"{public_uri(header.ref.source)}: plane t={t} c={c} z={z}"


def _unreadable(header: Header, c: int, position: tuple[int, int], error: Exception) -> PixelError:
    return PixelError(_where(header, c, *position), f"cannot be read: {error_message(error)}")
