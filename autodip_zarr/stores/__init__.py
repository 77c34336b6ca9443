"""The edge to files: OME-Zarr and OME-TIFF in, OME-Zarr out; alone knows zarr, tifffile and fsspec."""

from __future__ import annotations

from autodip_zarr.stores.read import read_header, read_planes
from autodip_zarr.stores.walk import walk, walk_results

__all__ = ["read_header", "read_planes", "walk", "walk_results"]
