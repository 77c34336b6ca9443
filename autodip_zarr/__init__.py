"""Denoise OME-Zarr and OME-TIFF archives with Deep Image Priors whose parameters are chosen by metadata."""

from __future__ import annotations
