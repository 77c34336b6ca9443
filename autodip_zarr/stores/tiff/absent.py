"""Planes of TIFF images for which their header names no page: whether there are none, or it is wrong."""

from __future__ import annotations

from functools import lru_cache

from autodip_zarr.domain import Fingerprint
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.tiff.chain import refuse_circle
from autodip_zarr.stores.tiff.files import open_tiff
from autodip_zarr.stores.tiff.images import TiffSource


def has_spare_pages(source: TiffSource, uri: str, fingerprint: Fingerprint | None) -> bool:
    """Return whether a single file has more pages than its header names, so that planes may lie there.

    Parameters
    ----------
    source : TiffSource
        Its images.
    uri : str
        Its path or URI.
    fingerprint : Fingerprint or None
        Its state.

    Raises
    ------
    SourceError
        It cannot be read.
    """
    if source.members:
        return False
    named = sum(image.planes[0] for image in source.images)
    return _count_pages(uri, fingerprint) > named


@lru_cache(maxsize=16)
def _count_pages(uri: str, fingerprint: Fingerprint | None) -> int:
    with open_tiff(uri, fingerprint) as tif:
        refuse_circle(tif, public_uri(uri))
        return len(tif.pages)
