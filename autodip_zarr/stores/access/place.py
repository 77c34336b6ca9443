"""Where bytes live: what is behind a path or URI, with the same few verbs on keys everywhere."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from autodip_zarr.domain import Fingerprint
from autodip_zarr.errors import AutodipError, SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.credentials import conceal
from autodip_zarr.stores.access.errors import unreadable
from autodip_zarr.stores.access.local.local_place import LocalPlace
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.remote.filesystems import open_file_system, open_remote_file
from autodip_zarr.stores.access.remote.remote_place import RemotePlace
from autodip_zarr.stores.access.uris import is_remote, is_zip, local_path, split_uri

_ARCHIVE_BLOCK_BYTES = 256 * 1024

Place = LocalPlace | RemotePlace
"""Anywhere bytes can live."""


def open_place(uri: str) -> Place:
    """Return the place behind a path or URI; nothing is read.

    Raises
    ------
    SourceError
        No installed file system understands the URI, or an archive is not a zip file.
    """
    if not is_remote(uri):
        path = local_path(uri)
        return _open_zip(path) if is_zip(path) and Path(path).is_file() else LocalPlace(path)
    uri = conceal(uri)
    uri = uri if uri.endswith("://") else uri.rstrip("/")
    try:
        if is_zip(public_uri(uri)):
            return _open_zip(uri)
        fs, root = open_file_system(uri)
    except FileNotFoundError:  # a folder that is named like an archive
        fs, root = open_file_system(uri)
    except AutodipError:
        raise
    except Exception as error:  # import errors, unknown protocols, missing credentials
        raise unreadable(public_uri(uri), error) from error
    return RemotePlace(uri, fs, root, listable=not uri.startswith(("http://", "https://")))


def _open_zip(path: str) -> RemotePlace:
    """Return the inside of an archive; one that is known, and has not changed, is not opened again."""
    parent, name = split_uri(path)
    fingerprint = open_place(parent or "/").stat(name)
    is_told = fingerprint is not None and (fingerprint.modified is not None or fingerprint.etag is not None)
    archive = _known_archive(path, fingerprint) if is_told else _archive(path, fingerprint)
    return RemotePlace(path, archive, "", listable=True, is_archive=True)


def _archive(path: str, fingerprint: Fingerprint | None) -> Any:  # noqa: ANN401
    from zipfile import BadZipFile  # noqa: PLC0415

    from autodip_zarr.stores.access.local.archive import ArchiveFileSystem  # noqa: PLC0415

    size = None if fingerprint is None else fingerprint.size_bytes
    content = open_remote_file(path, _ARCHIVE_BLOCK_BYTES, size) if is_remote(path) else path
    try:
        return ArchiveFileSystem(content)
    except FileNotFoundError:
        raise
    except (OSError, BadZipFile, ValueError) as error:
        found = f"is no zip archive: {error_message(error)}"
        raise SourceError(public_uri(path), found, "a zipped Zarr store") from error


_known_archive = lru_cache(maxsize=4)(_archive)
