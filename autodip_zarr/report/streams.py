"""Streams that may be lost (a closed terminal, a reader that has seen enough), and files to write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from autodip_zarr.errors import OptionError


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


def write_named_file(option: str, path: str, text: str) -> None:
    """Write the file that an option named; raise OptionError if it cannot be written.

    Who reads it meanwhile, as a browser that follows a run, gets the earlier one or the new one whole.
    """
    target = Path(path).resolve()
    is_special = target.exists() and not target.is_file()
    partial = target if is_special else target.with_name(f".{target.name}.partial")
    try:
        if not is_special and not os.access(target.parent, os.W_OK):  # of a file that may be written itself
            partial = target
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
        partial.replace(target)
    except OSError as error:
        if partial != target:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        raise OptionError(option, f"{path} cannot be written ({error.strerror})", "a file") from error
