"""Imports whose order matters, before any test module is collected."""

from __future__ import annotations

# Imported after ngio, ome-zarr-models 1.7 refuses every 0.4 image: its models are then built in another order
import ome_zarr_models.v04
import ome_zarr_models.v05  # noqa: F401
