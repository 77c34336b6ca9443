"""Sources as they are named in Python: one or many, as text or as paths."""

from __future__ import annotations

import os
from collections.abc import Iterable

from autodip_zarr.errors import OptionError

__all__ = ["Sources", "named_sources"]

Sources = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""A file, folder or URI, or several."""


def named_sources(sources: Sources) -> tuple[str, ...]:
    """Return sources as texts; one that is given alone is one source, not the letters of its name.

    Raises
    ------
    OptionError
        Something else is among them.
    """
    if isinstance(sources, str | os.PathLike):
        return (os.fspath(sources),)
    named = []
    for one in sources:
        if not isinstance(one, str | os.PathLike):
            raise OptionError("sources", f"{one!r:.100}", "texts and paths: files, folders and URIs")
        named.append(os.fspath(one))
    return tuple(named)
