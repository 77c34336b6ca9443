"""What lies inside what: whether a place is inside a Zarr store, or one path inside another."""

from __future__ import annotations

from pathlib import Path

from autodip_zarr.errors import SourceError
from autodip_zarr.stores.access.place import open_place
from autodip_zarr.stores.access.uris import has_parent, is_remote, local_path, split_uri
from autodip_zarr.stores.zarr.nodes import read_node


def enclosing_store(uri: str) -> str | None:
    """Return the nearest Zarr group or array that a path is, or lies in; ``None`` where there is none.

    Parameters
    ----------
    uri : str
        Path or URI; need not exist.
    """
    at = uri.rstrip("/") if is_remote(uri) else _resolved(uri)
    while has_parent(at):
        try:
            if read_node(open_place(at), "") is not None:
                return at
        except SourceError:  # cannot be read: then it will be met, and named, when it is written to
            return None
        at = split_uri(at)[0]
    return None


def lies_in(uri: str, folder: str) -> bool:
    """Say whether a path is a folder, or lies below it, links resolved."""
    if is_remote(uri) or is_remote(folder):
        return f"{uri.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")
    return Path(_resolved(uri)).is_relative_to(_resolved(folder))


def _resolved(uri: str) -> str:
    return str(Path(local_path(uri)).resolve())
