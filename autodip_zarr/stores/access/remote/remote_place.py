"""Buckets, web folders and the insides of archives: file systems of fsspec behind the verbs of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from autodip_zarr.domain import Fingerprint
from autodip_zarr.errors import SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.errors import METADATA_LIMIT, checked_size, target_write_errors, unreadable
from autodip_zarr.stores.access.remote.filesystems import open_file_system
from autodip_zarr.stores.access.remote.retry import RetryPolicy, with_retries
from autodip_zarr.stores.access.remote.server_errors import (
    is_empty_object,
    is_refused_as_missing,
    transient_cause,
)
from autodip_zarr.stores.access.uris import is_remote, join_uri, split_uri

_FEW_BYTES = 1024 * 1024


@dataclass(frozen=True)
class RemotePlace:
    """A prefix of a bucket, a web folder, or the inside of a zip archive."""

    uri: str
    """URI of the prefix, or path of the archive."""
    fs: Any = field(compare=False)
    """File system of fsspec, synchronous."""
    root: str
    """Path of the prefix inside the file system."""
    listable: bool
    """Whether `entries` works: not over http."""
    is_archive: bool = False
    """Whether this is the inside of a zip archive."""

    def where(self, key: str) -> str:
        """Return the URI of a key, without credentials."""
        return join_uri(public_uri(self.uri), key)

    def child(self, key: str) -> RemotePlace:
        """Return the place whose root is a key of this one."""
        return RemotePlace(join_uri(self.uri, key), self.fs, self._path(key), self.listable)

    def _path(self, key: str) -> str:
        return "/".join(part for part in (self.root.rstrip("/"), key) if part)

    def read(self, key: str, limit: int = METADATA_LIMIT) -> bytes | None:
        """Return the bytes of a key, ``None`` where there is none; errors as for a folder."""
        path = self._path(key)
        try:
            content = with_retries(
                lambda: self.fs.cat_file(path, start=0, end=limit + 1, **self._time_limit())
            )
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, KeyError):
            return None
        except MemoryError:
            raise
        except Exception as error:  # each remote file system has errors of its own
            if is_refused_as_missing(error):
                return None
            if is_empty_object(error):  # which has no range that could be asked for
                return b""
            raise unreadable(self.where(key), error) from error
        return checked_size(self.where(key), bytes(content), limit)

    def _time_limit(self) -> dict[str, float]:
        """Return how long a request may take, where the file system can break it off."""
        return {"timeout": RetryPolicy.from_environment().total_timeout_s} if self.fs.async_impl else {}

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of several keys, fetched side by side where the file system can."""
        if not getattr(self.fs, "async_impl", False) or len(keys) < 2:
            return [self.read(key) for key in keys]
        paths = [self._path(key) for key in keys]
        few = {"start": 0, "end": _FEW_BYTES + 1}  # many documents come at once: large ones alone
        found: dict[str, Any] = self.fs.cat(paths, on_error="return", **few)
        contents: list[bytes | None] = []
        for key, path in zip(keys, paths, strict=True):
            content = found.get(path)
            if isinstance(content, bytes) and len(content) <= _FEW_BYTES:
                contents.append(content)
            elif isinstance(content, FileNotFoundError) and transient_cause(content) is None:
                contents.append(None)
            else:  # a large one, or another error, whose meaning is told apart in one place
                contents.append(self.read(key))
        return contents

    def entries(self, key: str) -> list[tuple[str, bool]]:
        """Return (name, is a folder) of everything below a key, sorted by name."""
        if not self.listable:
            hint = "name the image, the plate or the bioformats2raw root itself"
            raise SourceError(self.where(key), "cannot be listed over http", hint=hint)
        path = self._path(key)
        try:
            self.fs.invalidate_cache()
            found = with_retries(lambda: self.fs.ls(path, detail=True))
        except FileNotFoundError:
            return []
        except Exception as error:  # see read
            raise unreadable(self.where(key), error) from error
        names = {(split_uri(item["name"])[1], item["type"] == "directory") for item in found}
        return sorted(name for name in names if name[0] not in ("", ".", ".."))  # keys may hold anything

    def stat(self, key: str) -> Fingerprint | None:
        """Return size, time and entity tag of a key, as far as told, ``None`` where there is none.

        Raises
        ------
        SourceError
            The server does not tell.
        """
        path = self._path(key)
        try:
            self.fs.invalidate_cache()
            info = with_retries(lambda: _info(self.fs, path))
        except (FileNotFoundError, NotADirectoryError, KeyError, ValueError):
            return None
        except Exception as error:  # see read
            if is_refused_as_missing(error):
                return None
            raise unreadable(self.where(key), error) from error
        modified = info.get("LastModified") or info.get("created")
        etag = info.get("ETag") or info.get("etag")
        return Fingerprint(
            size_bytes=info.get("size"),
            modified=modified.isoformat() if isinstance(modified, datetime) else None,
            etag=str(etag).strip('"') if etag else None,
            checksum=None,
        )

    def write(self, key: str, content: bytes) -> None:
        """Replace a key; object stores do so in one step."""
        path = self._path(key)
        with target_write_errors(self.where(key)):
            with_retries(lambda: self.fs.pipe_file(path, content))

    def create(self, key: str, content: bytes) -> bool:
        """Write a key only if there is none, and say whether it was written.

        Of two writers at the same moment one succeeds where the store knows conditional writes (S3 itself,
        MinIO); elsewhere the last one does, and the others find that out by reading it back.
        """
        if self.stat(key) is not None:
            return False
        path = self._path(key)
        with target_write_errors(self.where(key)), suppress(FileExistsError):
            with_retries(lambda: self.fs.pipe_file(path, content, mode="create"))
        return self.read(key) == content  # also where an attempt whose answer was lost has written it

    def delete(self, key: str) -> None:
        """Delete a key; nothing happens where there is none."""
        path = self._path(key)
        with target_write_errors(self.where(key)):
            try:
                with_retries(lambda: self.fs.rm_file(path))
            except FileNotFoundError:
                return

    def delete_tree(self, key: str) -> None:
        """Delete everything below a key."""
        path = self._path(key)
        with target_write_errors(self.where(key)):
            try:
                self.fs.invalidate_cache()
                with_retries(lambda: self.fs.rm(path, recursive=True))
            except FileNotFoundError:
                return

    def sync(self, key: str) -> None:
        """Do nothing: an object store answers once an object is safe."""

    def remove_partial(self) -> None:
        """Do nothing: an object store shows no object before it is whole."""

    @contextmanager
    def zarr_store(self, *, read_only: bool, replaces: bool = False) -> Iterator[Any]:
        """Open this prefix, or this archive, as a store of zarr.

        Parameters
        ----------
        read_only : bool
            Whether nothing is written.
        replaces : bool
            Whether only whole chunks and shards are written, so that none need be read before.
        """
        from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper  # noqa: PLC0415
        from zarr.storage import FsspecStore  # noqa: PLC0415

        from autodip_zarr.stores.access.local.local_stores import ArchiveStore  # noqa: PLC0415 - imports zarr
        from autodip_zarr.stores.access.remote.retrying_store import RetryingStore  # noqa: PLC0415 - imports zarr

        if not self.is_archive:
            fs, root = open_file_system(self.uri, asynchronous=True)
            yield RetryingStore(FsspecStore(fs, read_only=read_only, path=root), replaces=replaces)
        elif is_remote(self.uri):
            fs = AsyncFileSystemWrapper(self.fs, asynchronous=True)
            yield RetryingStore(FsspecStore(fs, read_only=read_only, path=""))
        else:
            archive = ArchiveStore(self.uri, mode="r", read_only=True)
            try:
                yield archive
            finally:
                archive.close()


def _info(fs: Any, path: str) -> dict[str, Any]:  # noqa: ANN401
    """Return what is known of a key; one request where s3fs makes a second one, in case it is a folder."""
    if "s3" not in fs.protocol:
        info: dict[str, Any] = fs.info(path)
        return info
    bucket, key, _ = fs.split_path(path)
    head: dict[str, Any] = fs.call_s3("head_object", Bucket=bucket, Key=key)
    return {**head, "size": head["ContentLength"]}
