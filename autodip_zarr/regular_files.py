"""Local files that somebody else made: read only where that cannot wait, and only as far as is honest."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

LARGEST = 64 * 1024 * 1024
"""Bytes above which a document or a file of settings is refused: an honest one is far smaller."""


def open_regular(path: str | Path) -> BufferedReader:
    """Open a file to read; never one that would be waited for, such as a pipe or a device.

    Raises
    ------
    OSError
        It cannot be opened, or it is no regular file.
    """
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "a pipe, a socket or a device, and no regular file")
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_regular(path: str | Path, limit: int = LARGEST) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    OSError
        It cannot be opened, is no regular file, or is larger than `limit`.
    """
    with open_regular(path) as file:
        content = file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit:,} bytes")
    return content
