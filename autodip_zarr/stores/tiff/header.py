"""Headers of OME-TIFF and plain TIFF images, presented with the axes t, c, z, y, x."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from autodip_zarr.domain import Axis, ChannelDisplay, Fingerprint, Header, ImageRef, Level, MetadataText
from autodip_zarr.errors import HeaderError, SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.tiff.absent import has_spare_pages
from autodip_zarr.stores.tiff.files import (
    is_document_name,
    member_uri,
    open_tiff,
    read_tiff_source,
    tiff_fingerprint,
    tiff_place,
)
from autodip_zarr.stores.tiff.images import TiffImage
from autodip_zarr.stores.tiff.plain.arranged import arranged
from autodip_zarr.stores.zarr.axes import AXIS_TYPES
from autodip_zarr.stores.zarr.limits import check_sizes

_PHOTOMETRIC_PALETTE = 3
_PALETTE = "its pixels are numbers of colours in a palette, which may be labels and no intensities"

_AXES = ("t", "c", "z", "y", "x")
"""Axes of a TIFF image, as it is presented."""


def read_tiff_header(ref: ImageRef) -> Header:
    """Return the header of one image of a TIFF file.

    Raises
    ------
    HeaderError
        The header is broken, hostile, or contradicts the pages.
    SourceError
        The file is missing, cannot be read or is no TIFF file.
    """
    fingerprint = tiff_fingerprint(ref.uri)
    source = read_tiff_source(ref.uri, fingerprint)
    where = public_uri(ref.uri)
    number = ref.image_index
    if not 0 <= number < len(source.images):
        raise SourceError(where, f"has {len(source.images)} images", f"an image with the number {number}")
    image = arranged(source.images[number], ref.given_axes, where)
    check_sizes(image.sizes, f"{where}: Image[{number}]/Pixels")
    warnings: list[str] = []
    is_given = bool(source.images[number].unexplained)
    with _first_file((ref.uri, fingerprint), image, warnings) as tif:
        file, page_number = image.first_page
        page = _page(tif, page_number if not warnings else 0, member_uri(ref.uri, file) if file else ref.uri)
        image = _agreed(image, page, f"{where}: Image[{number}]/Pixels")
        shapes = [_shape(image, page.imagelength, page.imagewidth), *_reduced(image, page)]
        palette = [_PALETTE] if page.photometric == _PHOTOMETRIC_PALETTE else []
        dtype, chunk = np.dtype(page.dtype).newbyteorder("=").name, _chunk(page)
    there, total = image.planes
    has_spare = there < total and has_spare_pages(source, ref.uri, fingerprint)
    absent = _absent_planes(there, total, has_spare=has_spare)
    texts = () if source.text is None else (MetadataText(source.text_kind, source.text_source, source.text),)
    return Header(
        ref=ref if is_given else replace(ref, given_axes=None),
        name=image.name or None,
        axes=tuple(
            Axis(axis, AXIS_TYPES[axis], image.pixel_sizes.get(axis, (1.0, None))[1]) for axis in _AXES
        ),
        levels=tuple(_level(image, index, shape, shapes[0]) for index, shape in enumerate(shapes)),
        dtype=dtype,
        chunk=chunk,
        channels=_channels(image),
        zarr_format=None,
        ome_version=None,
        texts=texts,
        fingerprint=_fingerprint(fingerprint, source.text),
        warnings=(*_taken_axes(image), *absent, *palette, *warnings),
        absent_planes=0 if has_spare else (image.planes[1] - image.planes[0]) * image.samples,
    )


def _absent_planes(there: int, total: int, *, has_spare: bool) -> list[str]:
    """Return a warning where the header names pages for some of the planes only."""
    told = f"its header names pages for {there} of {total} planes"
    if there == total:
        return []
    if has_spare:
        return [f"{told}, and the file has more of them: the others are not read"]
    return [f"{told}, as where an acquisition ended early: the others are left empty"]


def _taken_axes(image: TiffImage) -> list[str]:
    """Return a warning where pages are taken along axes that no header names."""
    pages = " x ".join(str(size) for _, size in image.unexplained if size > 1)
    taken = " and ".join(axis for axis in image.leading if image.sizes[axis] > 1)
    said = f"no header says what its {pages} pages are: they are taken along {taken}; --axes says it"
    return [said] if pages else []


def _agreed(image: TiffImage, page: Any, where: str) -> TiffImage:  # noqa: ANN401
    """Return an image with the samples that its pages really have.

    Raises
    ------
    HeaderError
        Header and page cannot be reconciled.
    """
    found, expected = (page.imagelength, page.imagewidth), (image.sizes["y"], image.sizes["x"])
    if min(*found, page.samplesperpixel) < 1:
        what = f"found pages of {found} pixels and {page.samplesperpixel} samples"
        raise HeaderError(where, what, "at least one of each")
    if found != expected:
        raise HeaderError(where, f"found SizeY, SizeX {expected}", f"{found}, as in the first page")
    if page.imagedepth != 1 or page.dtype is None or page.dtype.kind not in "buifc":
        raise HeaderError(
            where, f"found pages of type {page.dtype} and depth {page.imagedepth}", "planes of numbers"
        )
    samples = int(page.samplesperpixel)
    if samples == image.samples:
        return image
    if image.sizes["c"] % samples:
        raise HeaderError(
            f"{where}/@SizeC", f"found {image.sizes['c']}", f"a multiple of {samples} samples of the pages"
        )
    return replace(image, samples=samples)


def _first_file(named: tuple[str, Fingerprint | None], image: TiffImage, warnings: list[str]) -> Any:  # noqa: ANN401
    """Open the file with the first plane, or the named one, whose state is known, where that is missing."""
    uri, fingerprint = named
    file, _ = image.first_page
    if file is None:
        return open_tiff(uri, fingerprint)
    place, _ = tiff_place(uri)
    if place.stat(file) is None:
        if is_document_name(uri):
            raise HeaderError(place.where(file), "is missing", f"the first file of {public_uri(uri)}")
        warnings.append(f"{place.where(file)}: is missing, and holds planes of this image")
        return open_tiff(uri)
    return open_tiff(member_uri(uri, file))


def _page(tif: Any, number: int, uri: str) -> Any:  # noqa: ANN401
    try:
        return tif.pages[number]
    except IndexError as error:
        found = f"has {len(tif.pages)} pages"
        raise HeaderError(public_uri(uri), found, f"the page {number} that the header names") from error


def _shape(image: TiffImage, height: int, width: int) -> tuple[int, ...]:
    return (image.sizes["t"], image.sizes["c"], image.sizes["z"], int(height), int(width))


def _reduced(image: TiffImage, page: Any) -> list[tuple[int, ...]]:  # noqa: ANN401
    """Return the shapes of the smaller levels that a page carries."""
    if not page.subifds:
        return []
    sizes = [(sub.imagelength, sub.imagewidth) for sub in page.pages]
    fit = [size for size in sizes if 0 < size[0] <= page.imagelength and 0 < size[1] <= page.imagewidth]
    return [_shape(image, *size) for size in fit]


def _chunk(page: Any) -> tuple[int, ...]:  # noqa: ANN401
    if page.is_tiled:
        return (1, 1, 1, min(page.tilelength, page.imagelength), min(page.tilewidth, page.imagewidth))
    return (1, 1, 1, min(page.rowsperstrip or page.imagelength, page.imagelength), page.imagewidth)


def _level(image: TiffImage, index: int, shape: tuple[int, ...], full: tuple[int, ...]) -> Level:
    size = [image.pixel_sizes.get(axis, (1.0, None))[0] for axis in _AXES]
    scale = tuple(one * (large / small) for one, large, small in zip(size, full, shape, strict=True))
    return Level(str(index), shape, scale, None)


def _channels(image: TiffImage) -> tuple[ChannelDisplay, ...]:
    blank = ChannelDisplay(None, None, None)
    count = image.sizes["c"]
    return (*image.channels[:count], *[blank] * (count - len(image.channels)))


def _fingerprint(fingerprint: Fingerprint | None, text: str | None) -> Fingerprint:
    fingerprint = fingerprint or Fingerprint(None, None, None, None)
    checksum = None if text is None else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return replace(fingerprint, checksum=checksum)
