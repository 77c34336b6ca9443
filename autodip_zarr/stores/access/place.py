"""Where bytes live: a local folder or any file system of fsspec, behind the same few verbs on keys."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from autodip_zarr.domain import Fingerprint
from autodip_zarr.errors import AutodipError, HeaderError, SourceError, TargetError
from autodip_zarr.provenance import public_uri
from autodip_zarr.regular_files import LARGEST, open_regular
from autodip_zarr.stores.access.credentials import conceal
from autodip_zarr.stores.access.filesystems import (
    Patience,
    ask,
    is_empty_object,
    is_refused_as_missing,
    open_file_system,
    open_remote_file,
    passing_reason,
)
from autodip_zarr.stores.access.messages import words
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, is_remote, is_zip, local_path, split_uri

METADATA_LIMIT = LARGEST
"""Bytes above which a metadata document is refused: an honest one is far smaller."""

_ARCHIVE_BLOCK_BYTES = 256 * 1024
_FEW_BYTES = 1024 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial$")
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_OBSTRUCTED = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


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
        return f"{self.uri.rstrip('/')}/{key}" if key else self.uri

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
            raise SourceError(path, f"cannot be read: {words(error)}") from error
        return _bounded(path, content, limit)

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
            raise SourceError(path, f"cannot be listed: {words(error)}") from error

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
        with target_errors(str(path)):
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
        with target_errors(str(path)):
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
        with target_errors(self.where(key)):
            self._own(key).unlink(missing_ok=True)

    def delete_tree(self, key: str) -> None:
        """Delete a folder and all in it."""
        path = self._own(key)
        with target_errors(str(path)):
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
        with target_errors(str(path)):
            below = [path, *path.rglob("*")] if path.is_dir() else [path]
            for written in [*below, path.parent]:
                with suppress(FileNotFoundError):  # zarr writes no chunk that holds nothing but zeros
                    _flush(written)

    def remove_partial(self) -> None:
        """Delete what killed writers left behind, this program's and zarr's: files not yet renamed."""
        for path in Path(self.uri).rglob("*.partial"):
            if _PARTIAL.search(path.name):
                with target_errors(str(path)):
                    path.unlink(missing_ok=True)

    @contextmanager
    def zarr_store(self, *, read_only: bool, replaces: bool = False) -> Iterator[Any]:  # noqa: ARG002
        """Open this folder as a store of zarr; see `RemotePlace`."""
        from autodip_zarr.stores.access.local_stores import FolderStore  # noqa: PLC0415 - imports zarr

        yield FolderStore(self.uri, read_only=read_only)


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
        uri = public_uri(self.uri)
        return f"{uri.rstrip('/')}/{key}" if key else uri

    def child(self, key: str) -> RemotePlace:
        """Return the place whose root is a key of this one."""
        return RemotePlace(f"{self.uri.rstrip('/')}/{key}", self.fs, self._path(key), self.listable)

    def _path(self, key: str) -> str:
        return "/".join(part for part in (self.root.rstrip("/"), key) if part)

    def read(self, key: str, limit: int = METADATA_LIMIT) -> bytes | None:
        """Return the bytes of a key, ``None`` where there is none; errors as for a folder."""
        path = self._path(key)
        try:
            content = ask(lambda: self.fs.cat_file(path, start=0, end=limit + 1, **self._patience()))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, KeyError):
            return None
        except MemoryError:
            raise
        except Exception as error:  # each remote file system has errors of its own
            if is_refused_as_missing(error):
                return None
            if is_empty_object(error):  # which has no range that could be asked for
                return b""
            raise _unreadable(self.where(key), error) from error
        return _bounded(self.where(key), bytes(content), limit)

    def _patience(self) -> dict[str, float]:
        """Return how long a request may take, where the file system can break it off."""
        return {"timeout": Patience.from_environment().whole_s} if self.fs.async_impl else {}

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
            elif isinstance(content, FileNotFoundError) and passing_reason(content) is None:
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
            found = ask(lambda: self.fs.ls(path, detail=True))
        except FileNotFoundError:
            return []
        except Exception as error:  # see read
            raise _unreadable(self.where(key), error) from error
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
            info = ask(lambda: _info(self.fs, path))
        except (FileNotFoundError, NotADirectoryError, KeyError, ValueError):
            return None
        except Exception as error:  # see read
            if is_refused_as_missing(error):
                return None
            raise _unreadable(self.where(key), error) from error
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
        with target_errors(self.where(key)):
            ask(lambda: self.fs.pipe_file(path, content))

    def create(self, key: str, content: bytes) -> bool:
        """Write a key only if there is none, and say whether it was written.

        Of two writers at the same moment one succeeds where the store knows conditional writes (S3 itself,
        MinIO); elsewhere the last one does, and the others find that out by reading it back.
        """
        if self.stat(key) is not None:
            return False
        path = self._path(key)
        with target_errors(self.where(key)), suppress(FileExistsError):
            ask(lambda: self.fs.pipe_file(path, content, mode="create"))
        return self.read(key) == content  # also where an attempt whose answer was lost has written it

    def delete(self, key: str) -> None:
        """Delete a key; nothing happens where there is none."""
        path = self._path(key)
        with target_errors(self.where(key)):
            try:
                ask(lambda: self.fs.rm_file(path))
            except FileNotFoundError:
                return

    def delete_tree(self, key: str) -> None:
        """Delete everything below a key."""
        path = self._path(key)
        with target_errors(self.where(key)):
            try:
                self.fs.invalidate_cache()
                ask(lambda: self.fs.rm(path, recursive=True))
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

        from autodip_zarr.stores.access.local_stores import ArchiveStore  # noqa: PLC0415 - imports zarr
        from autodip_zarr.stores.access.retrying_store import PatientStore  # noqa: PLC0415 - imports zarr

        if not self.is_archive:
            fs, root = open_file_system(self.uri, asynchronous=True)
            yield PatientStore(FsspecStore(fs, read_only=read_only, path=root), replaces=replaces)
        elif is_remote(self.uri):
            fs = AsyncFileSystemWrapper(self.fs, asynchronous=True)
            yield PatientStore(FsspecStore(fs, read_only=read_only, path=""))
        else:
            archive = ArchiveStore(self.uri, mode="r", read_only=True)
            try:
                yield archive
            finally:
                archive.close()


Place = LocalPlace | RemotePlace
"""Anywhere bytes can live."""


def refuse_link_on_the_way(folder: str, key: str) -> None:
    """Refuse to change a key of a folder if one of the folders between them is a link that leads elsewhere.

    A folder that this program makes in every result counts itself, too, when it is the folder.

    Raises
    ------
    TargetError
        There is such a link.
    """
    if Path(folder).name == RESULT_ATTRIBUTE:
        refuse_link(folder)
    for part in key.split("/")[:-1]:
        folder = f"{folder}/{part}"
        refuse_link(folder)


def refuse_link(path: str) -> None:
    """Refuse to write to, or to delete, what is a link: that would be somewhere else.

    Raises
    ------
    TargetError
        It is a link.
    """
    if os.path.islink(path):  # noqa: PTH114 - asked for each object that is written
        hint = "somebody has put it there: remove it, or choose another place for the result"
        raise TargetError(path, "is a link", "a folder of the result", hint)


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
        raise _unreadable(public_uri(uri), error) from error
    return RemotePlace(uri, fs, root, listable=not uri.startswith(("http://", "https://")))


def _info(fs: Any, path: str) -> dict[str, Any]:  # noqa: ANN401
    """Return what is known of a key; one request where s3fs makes a second one, in case it is a folder."""
    if "s3" not in fs.protocol:
        info: dict[str, Any] = fs.info(path)
        return info
    bucket, key, _ = fs.split_path(path)
    head: dict[str, Any] = fs.call_s3("head_object", Bucket=bucket, Key=key)
    return {**head, "size": head["ContentLength"]}


def _open_zip(path: str) -> RemotePlace:
    """Return the inside of an archive; one that is known, and has not changed, is not opened again."""
    parent, name = split_uri(path)
    stamp = open_place(parent or "/").stat(name)
    is_told = stamp is not None and (stamp.modified is not None or stamp.etag is not None)
    archive = _known_archive(path, stamp) if is_told else _archive(path, stamp)
    return RemotePlace(path, archive, "", listable=True, is_archive=True)


def _archive(path: str, stamp: Fingerprint | None) -> Any:  # noqa: ANN401
    from zipfile import BadZipFile  # noqa: PLC0415

    from autodip_zarr.stores.access.archive import ArchiveFileSystem  # noqa: PLC0415

    size = None if stamp is None else stamp.size_bytes
    content = open_remote_file(path, _ARCHIVE_BLOCK_BYTES, size) if is_remote(path) else path
    try:
        return ArchiveFileSystem(content)
    except FileNotFoundError:
        raise
    except (OSError, BadZipFile, ValueError) as error:
        found = f"is no zip archive: {words(error)}"
        raise SourceError(public_uri(path), found, "a zipped Zarr store") from error


_known_archive = lru_cache(maxsize=4)(_archive)


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


@contextmanager
def target_errors(where: str) -> Iterator[None]:
    """Turn what can go wrong when writing into a `TargetError` that says what to do."""
    try:
        yield
    except AutodipError:
        raise
    except MemoryError:
        raise
    except OSError as error:
        raise TargetError(where, f"cannot be written: {words(error)}", hint=_hint(error)) from error
    except Exception as error:  # zarr, its codecs and remote file systems have errors of their own
        raise TargetError(where, f"cannot be written: {words(error)}") from error


def _hint(error: OSError) -> str:
    if error.errno in _FULL:
        return "free some space or choose another target, then run the same command again: it continues"
    if error.errno in _FORBIDDEN or isinstance(error, PermissionError):
        return "ask for permission to write there, or choose another target"
    if error.errno in _OBSTRUCTED:
        return "a file or a link to nowhere lies where a folder is needed: remove it or choose another target"
    return "run the same command again: it continues"


def _unreadable(where: str, error: Exception) -> SourceError:
    hint = "check the address, the network and the credentials in the environment"
    return SourceError(where, f"cannot be read: {words(error)}", hint=hint)


def _bounded(where: str, content: bytes, limit: int) -> bytes:
    if len(content) > limit:
        raise HeaderError(where, f"is larger than {limit:,} bytes", "a metadata document of honest size")
    return content
