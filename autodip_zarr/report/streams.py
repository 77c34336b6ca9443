"""Streams that may be lost: a closed terminal, a full disk, a reader that has seen enough."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


@contextmanager
def losing(stream: TextIO) -> Iterator[None]:
    """Write to a stream whose loss must not end the work: from then on, what goes there is dropped."""
    try:
        yield
    except OSError:
        drop(stream)


def drop(stream: TextIO) -> None:
    """Let everything that is written to a stream from now on vanish, what it still holds included."""
    with suppress(OSError, ValueError):  # it may be closed, or no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
