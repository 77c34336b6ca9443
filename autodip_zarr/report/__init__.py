"""Plans, metadata and results, as tables, documents and pictures; called, it writes a page about results.

``autodip_zarr.report`` is a function of the public interface, as the command of that name, and this package
has the name, too: whoever imports from it would hide the function. So the package itself can be called.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autodip_zarr.report.results import WrittenReport


class _Callable(ModuleType):
    """A package that can be called."""

    def __call__(
        self, target: str | os.PathLike[str], output: str | os.PathLike[str], *, remote_sources: bool = False
    ) -> WrittenReport:
        """Write a page about results; see :func:`autodip_zarr.report.results.write_report`."""
        from autodip_zarr.report.results import write_report  # noqa: PLC0415 - not for every import

        return write_report(target, output, remote_sources=remote_sources)


sys.modules[__name__].__class__ = _Callable
