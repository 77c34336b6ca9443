"""The chain of pages of a TIFF file: one that comes back to an earlier page is refused."""

from __future__ import annotations

import struct
from typing import Any

from autodip_zarr.errors import HeaderError


def refuse_circle(tif: Any, where: str, last: int | None = None) -> None:  # noqa: ANN401
    """Refuse a file whose pages run in a circle; tifffile would repeat them in silence, or count for ever.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The file.
    where : str
        Its name, for messages.
    last : int or None
        Last page that is asked for; ``None`` for all.

    Raises
    ------
    HeaderError
        A page comes after itself.
    """
    file, form = tif.filehandle, tif.tiff
    offset, seen = int(tif.pages[0].offset), set[int]()
    while offset and (last is None or len(seen) <= last):
        if offset in seen:
            found = f"its pages run in a circle: after page {len(seen) - 1} comes one of those before"
            raise HeaderError(where, found, "pages one after the other")
        seen.add(offset)
        try:
            file.seek(offset)
            (tags,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
            file.seek(offset + form.tagnosize + tags * form.tagsize)
            (offset,) = struct.unpack(form.offsetformat, file.read(form.offsetsize))
        except (struct.error, OSError, ValueError):  # a chain that breaks off is met where a page is read
            return
