"""Zarr hierarchies of any version: their documents, images and chunks."""
