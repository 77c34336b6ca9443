"""Folders of the local file system, in which files are replaced in one step and links lead nowhere."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autodip_zarr.domain import Fingerprint
from autodip_zarr.errors import SourceError
from autodip_zarr.regular_files import open_regular
from autodip_zarr.stores.access.errors import METADATA_LIMIT, checked_size, target_write_errors
from autodip_zarr.stores.access.local.links import refuse_link_on_the_way
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.uris import join_uri

_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial$")

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True)
class LocalPlace:
    """A folder of the local file system."""

    uri: str
    """Absolute path of the folder."""
    listable: bool = True
    """Whether `entries` works; always here."""
    is_archive: bool = False
    """Whether this is the inside of a zip archive; never here."""

    def where(self, key: str) -> str:
        """Return the full path of a key."""
        return join_uri(self.uri, key)

    def child(self, key: str) -> LocalPlace:
        """Return the place whose root is a key of this one."""
        return LocalPlace(self.where(key))

    def read(self, key: str, limit: int = METADATA_LIMIT) -> bytes | None:
        """Return the bytes of a key, ``None`` where there is none.

        Raises
        ------
        HeaderError
            The document is larger than `limit` bytes.
        SourceError
            It exists and cannot be read.
        """
        path = self.where(key)
        try:
            with open_regular(path) as file:
                content = file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise SourceError(path, f"cannot be read: {error_message(error)}") from error
        return checked_size(path, content, limit)

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of several keys."""
        return [self.read(key) for key in keys]

    def entries(self, key: str) -> list[tuple[str, bool]]:
        """Return (name, is a folder) of everything in a folder, sorted by name."""
        path = self.where(key)
        try:
            with os.scandir(path) as found:
                return sorted((entry.name, entry.is_dir()) for entry in found)
        except OSError as error:
            raise SourceError(path, f"cannot be listed: {error_message(error)}") from error

    def stat(self, key: str) -> Fingerprint | None:
        """Return size and time of a key, ``None`` where there is none."""
        try:
            found = Path(self.where(key)).stat()
        except (OSError, ValueError):
            return None
        modified = datetime.fromtimestamp(found.st_mtime, UTC).isoformat()
        return Fingerprint(found.st_size, modified, etag=None, checksum=None)

    def write(self, key: str, content: bytes) -> None:
        """Replace a key in one step: a reader sees the old bytes or the new ones."""
        path = self._own(key)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        with target_write_errors(str(path)):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                _write_through(partial, content)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    def create(self, key: str, content: bytes) -> bool:
        """Write a key only if there is none, and say whether it was written; of two writers one succeeds."""
        path = self._own(key)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        with target_write_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)  # fails where a file or a dangling link lies
            try:
                _write_through(partial, content)
                _link(partial, path)
            except FileExistsError:
                return False
            finally:
                partial.unlink(missing_ok=True)
        return True

    def delete(self, key: str) -> None:
        """Delete a key; nothing happens where there is none."""
        with target_write_errors(self.where(key)):
            self._own(key).unlink(missing_ok=True)

    def delete_tree(self, key: str) -> None:
        """Delete a folder and all in it."""
        path = self._own(key)
        with target_write_errors(str(path)):
            if path.is_symlink():
                path.unlink()
            elif path.exists():
                shutil.rmtree(path)

    def _own(self, key: str) -> Path:
        """Return the path of a key to be changed; never one that a link below this folder leads out of."""
        refuse_link_on_the_way(self.uri, key)
        return Path(self.where(key))

    def sync(self, key: str) -> None:
        """Return once a file, or all files below a folder, would survive a loss of power."""
        path = Path(self.where(key))
        with target_write_errors(str(path)):
            below = [path, *path.rglob("*")] if path.is_dir() else [path]
            for written in [*below, path.parent]:
                with suppress(FileNotFoundError):  # zarr writes no chunk that holds nothing but zeros
                    _flush(written)

    def remove_partial(self) -> None:
        """Delete what killed writers left behind, this program's and zarr's: files not yet renamed."""
        for path in Path(self.uri).rglob("*.partial"):
            if _PARTIAL.search(path.name):
                with target_write_errors(str(path)):
                    path.unlink(missing_ok=True)

    @contextmanager
    def zarr_store(self, *, read_only: bool, replaces: bool = False) -> Iterator[Any]:  # noqa: ARG002
        """Open this folder as a store of zarr; see `RemotePlace`."""
        from autodip_zarr.stores.access.local.local_stores import FolderStore  # noqa: PLC0415 - imports zarr

        yield FolderStore(self.uri, read_only=read_only)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe would be waited for
    try:
        if not stat.S_ISFIFO(os.fstat(handle).st_mode):
            os.fsync(handle)
    finally:
        os.close(handle)


def _write_through(path: Path, content: bytes) -> None:
    """Write a file so that it is whole on disk, even if the power fails afterwards."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _link(partial: Path, path: Path) -> None:
    """Give a file its name if that is free; file systems without hard links check just before."""
    try:
        os.link(partial, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(error.errno, "exists", str(path)) from error
        partial.replace(path)
