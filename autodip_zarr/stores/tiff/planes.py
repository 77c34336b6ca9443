"""Planes of TIFF images, found in the pages of the files that the header names."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Fingerprint, Header
from autodip_zarr.errors import AbsentPlaneError, PixelError, SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.planes import Positions, name_plane, unreadable_plane
from autodip_zarr.stores.tiff.absent import has_spare_pages
from autodip_zarr.stores.tiff.chain import refuse_circle
from autodip_zarr.stores.tiff.files import (
    member_uri,
    open_tiff,
    read_tiff_source,
    tiff_fingerprint,
    tiff_place,
)
from autodip_zarr.stores.tiff.images import TiffImage
from autodip_zarr.stores.tiff.plain.arranged import arranged


def read_tiff_planes(header: Header, c: int, positions: Positions) -> NDArray[Any]:
    """Return planes of one channel, (N, Y, X).

    Raises
    ------
    AbsentPlaneError
        The header names no page for a plane.
    PixelError
        A file is missing, or a page cannot be read; the first plane in it is named.
    """
    uri = header.ref.uri
    try:
        fingerprint = tiff_fingerprint(uri)
        source = read_tiff_source(uri, fingerprint)
        image = source.images[header.ref.image_index]
        image = _with_samples(arranged(image, header.ref.given_axes, uri), uri, fingerprint)
        places = [(index, *image.locate(t, c, z)) for index, (t, z) in enumerate(positions)]
    except AbsentPlaneError as error:
        if has_spare_pages(source, uri, fingerprint):
            raise PixelError(error.where, error.found, error.expected) from error
        raise
    except SourceError as error:
        raise PixelError(error.where, error.found, error.expected, error.hint) from error
    stack = np.empty((len(positions), header.size("y"), header.size("x")), header.dtype)
    for file in dict.fromkeys(place[1] for place in places):
        wanted = [(index, page, sample) for index, name, page, sample in places if name == file]
        first = name_plane(header, c, positions[wanted[0][0]])
        _check_member(uri, file, first)
        try:
            with open_tiff(uri, fingerprint) if file is None else open_tiff(member_uri(uri, file)) as tif:
                if image.offset is None:
                    refuse_circle(tif, public_uri(uri), max(page for _, page, _ in wanted))
                for index, page, sample in wanted:
                    where = name_plane(header, c, positions[index])
                    stack[index] = _plane(tif, image, (page, sample), header, where)
        except PixelError:
            raise
        except SourceError as error:
            raise unreadable_plane(first, error) from error
    return stack


def _with_samples(image: TiffImage, uri: str, own: Fingerprint | None) -> TiffImage:
    """Take over the samples of the pages, as the header reader did."""
    file, number = image.first_page
    fingerprint = own if file is None else tiff_fingerprint(member_uri(uri, file))
    if fingerprint is None:
        return image
    return replace(
        image, samples=_samples(uri if file is None else member_uri(uri, file), number, fingerprint)
    )


@lru_cache(maxsize=256)
def _samples(uri: str, number: int, fingerprint: Fingerprint) -> int:
    with open_tiff(uri, fingerprint) as tif:
        return int(tif.pages[number].samplesperpixel)


def _check_member(uri: str, file: str | None, where: str) -> None:
    if file is None:
        return
    place, _ = tiff_place(uri)
    if place.stat(file) is None:
        raise PixelError(where, f"its file {file!r:.200} is missing", "all files of the set in one folder")


def _plane(
    tif: Any,  # noqa: ANN401
    image: TiffImage,
    at: tuple[int, int],
    header: Header,
    where: str,
) -> NDArray[Any]:
    """Return one plane of an open file, by its page and the sample in the pixels of that."""
    number, sample = at
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
            raise PixelError(where, found, f"{shape} {header.dtype}")
    except (PixelError, MemoryError):
        raise
    except Exception as error:  # tifffile and its codecs meet broken pages with errors of every kind
        raise unreadable_plane(where, error) from error
    return pixels
