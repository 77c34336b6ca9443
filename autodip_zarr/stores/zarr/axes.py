"""What OME-Zarr calls the axes of an image."""

from __future__ import annotations

AXIS_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
"""Type of each axis by its name."""
