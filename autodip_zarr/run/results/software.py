"""Versions of the software that a result depends on."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

_MAY_CHANGE_PIXELS = ("autodip-zarr", "torch", "numpy")
_READ_AND_WROTE = ("zarr", "tifffile", "dask", "distributed", "ome-types")


@cache
def changes_pixels() -> dict[str, str]:
    """Return the versions of what may change a pixel; part of the recipe."""
    return _versions(_MAY_CHANGE_PIXELS)


@cache
def reads_and_writes() -> dict[str, str]:
    """Return the versions of what reads and writes; incidental."""
    return _versions(_READ_AND_WROTE)


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    return {name: version(name) for name in names}
