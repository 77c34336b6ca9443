"""What was measured so far: a line of JSON for each pair, network and seed, on disk before it counts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from autodip_zarr.errors import SourceError, TargetError
from autodip_zarr.run.calibrating.measure import Record


class Journal:
    """Records of one calibration, by key; written by one run at a time.

    Parameters
    ----------
    path : Path
        File; a line that a kill has cut is dropped, and its work is done again.
    """

    def __init__(self, path: Path, file: TextIO | None) -> None:
        self.path = path
        self.records: dict[str, Record] = {record["key"]: record for record in _lines(path)}
        self._file = file

    def add(self, record: Record) -> None:
        """Write a record, and return once it is on disk.

        Raises
        ------
        TargetError
            It cannot be written.
        """
        if self._file is None:
            raise TargetError(str(self.path), "is open to read alone")
        try:
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise TargetError(str(self.path), f"cannot be written: {error.strerror}") from error
        self.records[record["key"]] = record


def read_journal(path: Path) -> Journal:
    """Return what a journal holds, an empty one where there is none; a torn line at its end is passed over.

    Raises
    ------
    SourceError
        A line before the last is none of this program, or it cannot be read.
    """
    return Journal(path, None)


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """Open a journal to go on with, or begin one.

    Raises
    ------
    TargetError
        It cannot be written, or another run is at work on it.
    SourceError
        A line before the last is none of this program.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_torn_line(path)
        with path.open("a", encoding="utf-8") as file:
            _lock(file, path)
            yield Journal(path, file)
    except OSError as error:
        raise TargetError(str(path), f"cannot be written: {error.strerror}") from error


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def _lock(file: TextIO, path: Path) -> None:
    """Keep other runs away, until this process ends in whatever way; where the system has such locks."""
    with suppress(ImportError):  # Windows
        import fcntl  # noqa: PLC0415 - see above

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            hint = "wait until it is done, or name another --output"
            raise TargetError(str(path), "another run is at work on it", "", hint) from error


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise SourceError(str(path), f"cannot be read: {error.strerror}") from error
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            record = json.loads(line)
            if not isinstance(record["key"], str) or not isinstance(record["stops"], list):
                raise TypeError
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            expected = "a line that `autodip-zarr calibrate` wrote"
            hint = "remove the line: what it held is measured again"
            raise SourceError(f"{path}, line {number}", "no record", expected, hint) from error
        yield record
