"""The errors that a user can meet, drawn once.

::

    AutodipError
    +-- SourceError         a source cannot be found, opened, read or understood
    |   +-- HeaderError     its metadata is broken or hostile
    |   +-- PixelError      its pixels cannot be read
    |       +-- AbsentPlaneError   its header says that there are none
    +-- TargetError         a result cannot be created, written or verified
    +-- TableError          a calibration table or vocabulary file is not valid
    +-- OptionError         arguments that contradict each other or make no sense
    +-- FitError            the prior diverged, or the plane cannot be fitted
    +-- WorkerError         a worker process died or hung
    +-- OutputError         what a command found out cannot be written

"Nothing matched" is a result (the ``global`` tier), never an error.
"""

from __future__ import annotations

__all__ = [
    "AbsentPlaneError",
    "AutodipError",
    "FitError",
    "HeaderError",
    "OptionError",
    "OutputError",
    "PixelError",
    "SourceError",
    "TableError",
    "TargetError",
    "WorkerError",
]


class AutodipError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    where : str
        File, URI or option at fault, with the field inside it where there is one.
    found : str
        What was found there.
    expected : str
        What should have been there; empty where that is obvious.
    hint : str
        What to do about it; empty where nothing can be said.
    """

    def __init__(self, where: str, found: str, expected: str = "", hint: str = "") -> None:
        super().__init__(where, found, expected, hint)
        self.where = where
        self.found = found
        self.expected = expected
        self.hint = hint

    def __str__(self) -> str:
        """Return one line: where, found, expected, what to do."""
        parts = [f"{self.where}: {self.found}"]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.hint:
            parts.append(self.hint)
        return "; ".join(parts)


class SourceError(AutodipError):
    """A source cannot be found, opened, read or understood."""


class HeaderError(SourceError):
    """The metadata of a source is broken or hostile."""


class PixelError(SourceError):
    """The pixels of a source cannot be read."""


class AbsentPlaneError(PixelError):
    """A plane was never acquired, as the header of its source says."""


class TargetError(AutodipError):
    """A result cannot be created, written or verified."""


class TableError(AutodipError):
    """A calibration table or a vocabulary file is not valid."""


class OptionError(AutodipError):
    """Arguments contradict each other or make no sense."""


class FitError(AutodipError):
    """A plane cannot be fitted."""


class WorkerError(AutodipError):
    """A worker process died, did not answer in time, or ran out of memory."""


class OutputError(AutodipError):
    """What a command found out cannot be written to standard output."""
