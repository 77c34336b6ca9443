"""What goes wrong in a store, as errors that say where, what was found, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from autodip_zarr.errors import AutodipError, HeaderError, SourceError, TargetError
from autodip_zarr.regular_files import LARGEST
from autodip_zarr.stores.access.messages import error_message

METADATA_LIMIT = LARGEST
"""Bytes above which a metadata document is refused: an honest one is far smaller."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_OBSTRUCTED = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}

_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def target_write_errors(where: str) -> Iterator[None]:
    """Turn what can go wrong when writing into a `TargetError` that says what to do."""
    try:
        yield
    except (AutodipError, MemoryError):
        raise
    except OSError as error:
        raise TargetError(where, f"cannot be written: {error_message(error)}", hint=_hint(error)) from error
    except Exception as error:  # zarr, its codecs and remote file systems have errors of their own
        raise TargetError(where, f"cannot be written: {error_message(error)}") from error


@contextmanager
def target_read_errors(hint: str = "") -> Iterator[None]:
    """Turn what cannot be read of a result into a `TargetError`.

    Parameters
    ----------
    hint : str
        What to do, where the error itself does not say it.
    """
    try:
        yield
    except SourceError as error:
        raise TargetError(error.where, error.found, error.expected, error.hint or hint) from error


def _hint(error: OSError) -> str:
    if error.errno in _FULL:
        return "free some space or choose another target, then run the same command again: it continues"
    if error.errno in _FORBIDDEN or isinstance(error, PermissionError):
        return "ask for permission to write there, or choose another target"
    if error.errno in _OBSTRUCTED:
        return "a file or a link to nowhere lies where a folder is needed: remove it or choose another target"
    return "run the same command again: it continues"


def unreadable(where: str, error: Exception) -> SourceError:
    """Return that a place cannot be read, with what to look at first."""
    hint = "check the address, the network and the credentials in the environment"
    return SourceError(where, f"cannot be read: {error_message(error)}", hint=hint)


def checked_size(where: str, content: bytes, limit: int) -> bytes:
    """Return the bytes of a document, of which one more than `limit` was asked for.

    Raises
    ------
    HeaderError
        There are more than `limit`.
    """
    if len(content) > limit:
        raise HeaderError(where, f"is larger than {limit:,} bytes", "a metadata document of honest size")
    return content
