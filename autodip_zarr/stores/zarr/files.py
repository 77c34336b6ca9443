"""Small files beside the images of a store, local or remote: locks, provenance documents, reports."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path

from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.uris import is_remote, is_zip, local_path, split_uri
from autodip_zarr.stores.zarr.nodes import read_node


def read_file(uri: str) -> bytes | None:
    """Return the bytes of a small file, ``None`` where there is none.

    Raises
    ------
    HeaderError
        It is larger than 64 MB.
    SourceError
        It cannot be read.
    """
    place, name = _folder(uri)
    return place.read(name)


def write_file(uri: str, content: bytes) -> None:
    """Write or replace a small file in one step.

    Raises
    ------
    TargetError
        It cannot be written.
    """
    place, name = _folder(uri)
    place.write(name, content)


def create_file(uri: str, content: bytes) -> bool:
    """Write a small file only if there is none, and return whether it was written.

    Raises
    ------
    TargetError
        It cannot be written.
    """
    place, name = _folder(uri)
    return place.create(name, content)


def delete_file(uri: str) -> None:
    """Delete a small file; nothing happens where there is none.

    Raises
    ------
    TargetError
        It cannot be deleted.
    """
    place, name = _folder(uri)
    place.delete(name)


def seconds_unchanged(uri: str) -> float | None:
    """Return how long ago a small file was written, ``None`` where there is none.

    The clock of the store decides, which is asked by writing another file beside it: the clocks of two
    computers may be minutes apart.

    Raises
    ------
    TargetError
        Nothing can be written there.
    """
    place, name = _folder(uri)
    probe = f"{name}.{uuid.uuid4().hex}.now"
    place.write(probe, b"")
    try:
        now, then = place.stat(probe), place.stat(name)
    finally:
        place.delete(probe)
    if now is None or then is None or now.modified is None or then.modified is None:
        return None
    return (datetime.fromisoformat(now.modified) - datetime.fromisoformat(then.modified)).total_seconds()


def is_there(uri: str) -> bool:
    """Return whether an image file, or a Zarr group, is where a path or URI says.

    Raises
    ------
    SourceError
        It cannot be found out.
    """
    if is_remote(uri):
        place, name = _folder(uri)
        return place.stat(name) is not None or read_node(open_place(uri), "") is not None
    path = Path(local_path(uri))
    in_archive = any(is_zip(parent.name) and parent.is_file() for parent in path.parents)
    return in_archive or path.exists()


def is_empty(uri: str) -> bool:
    """Return whether there is nothing in a folder, or no such folder.

    Raises
    ------
    SourceError
        It cannot be listed.
    """
    if is_remote(uri):
        return not open_place(uri).entries("")
    path = Path(local_path(uri))
    return not path.is_dir() or next(path.iterdir(), None) is None


def absolute(uri: str) -> str:
    """Return a path or URI as the walk names what lies there: local paths from the root, others unchanged."""
    return uri if is_remote(uri) else local_path(uri)


def _folder(uri: str) -> tuple[Place, str]:
    parent, name = split_uri(uri if is_remote(uri) else local_path(uri))
    return open_place(parent or "/"), name
