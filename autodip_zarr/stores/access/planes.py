"""Planes of an image by time point and depth, and errors that name the plane that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence

from autodip_zarr.domain import Header
from autodip_zarr.errors import PixelError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.messages import error_message

Positions = Sequence[tuple[int, int]]
"""Time point and depth of each plane."""


def name_plane(header: Header, c: int, position: tuple[int, int]) -> str:
    """Return the source of an image and which of its planes is meant, for messages."""
    t, z = position
    return f"{public_uri(header.ref.source)}: plane t={t} c={c} z={z}"


def unreadable_plane(where: str, error: Exception) -> PixelError:
    """Return that a plane cannot be read, and why."""
    return PixelError(where, f"cannot be read: {error_message(error)}")
