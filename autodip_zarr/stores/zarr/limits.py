"""Sizes above which a header is taken for broken or hostile, so that no later step drowns in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from autodip_zarr.domain import MAX_CHANNELS
from autodip_zarr.errors import HeaderError

MAX_PLANES = 10_000_000
"""Planes of an image: its record has a row for each."""

_MAX_PLANE_PIXELS = 2**34
"""Pixels of a plane: 131,072 squared."""

_MAX_CHUNK_BYTES = 2**32
"""Uncompressed bytes that are read at once."""

_STORED_FACTOR = 2
"""Bytes that a stored chunk may have for each of its decoded ones: compression of noise adds little, but some
filters store wider numbers."""

_STORED_SLACK = 64 * 1024
"""Bytes that any object may have beyond that."""

_STORED_A_CHUNK = 64
"""Bytes that each chunk of a shard may have beyond that: its entry in the index, and headers of codecs."""


def most_stored_bytes(decoded: int, chunks: int = 1) -> int:
    """Return the size above which a stored object cannot honestly be what it should decode to.

    Parameters
    ----------
    decoded : int
        Bytes of its pixels.
    chunks : int
        Chunks that it holds.

    Examples
    --------
    >>> most_stored_bytes(512 * 512 * 2)
    1114176
    """
    return _STORED_FACTOR * decoded + _STORED_SLACK + _STORED_A_CHUNK * chunks


def check_sizes(sizes: Mapping[str, int], where: str) -> None:
    """Refuse an image that is larger than any honest one.

    Parameters
    ----------
    sizes : mapping of str to int
        Size along each named axis.
    where : str
        Header, for messages.

    Raises
    ------
    HeaderError
        It has more channels, planes or pixels in a plane than the limits above.
    """
    size = {axis: sizes.get(axis, 1) for axis in "tczyx"}
    counts = (
        ("channels", size["c"], MAX_CHANNELS),
        ("planes", size["t"] * size["c"] * size["z"], MAX_PLANES),
        ("pixels in a plane", size["y"] * size["x"], _MAX_PLANE_PIXELS),
    )
    for what, count, most in counts:
        if count > most:
            raise HeaderError(where, f"found {_shown(count)} {what}", f"at most {most:,}")


def check_chunk(chunk: Sequence[int], dtype: str, where: str) -> None:
    """Refuse chunks that are larger than any honest ones.

    Raises
    ------
    HeaderError
        One holds more than 4 GiB.
    """
    size = math.prod(chunk) * np.dtype(dtype).itemsize
    if size > _MAX_CHUNK_BYTES:
        raise HeaderError(where, f"found chunks of {_shown(size)} bytes", f"at most {_MAX_CHUNK_BYTES:,}")


def _shown(number: int) -> str:
    return f"{number:.3g}" if number < 10**300 else "more than 1e300"
