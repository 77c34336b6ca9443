"""Arrays as their metadata documents describe them: shape, pixel type and chunk, without zarr."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from autodip_zarr.errors import HeaderError
from autodip_zarr.stores.zarr.limits import check_chunk
from autodip_zarr.stores.zarr.nodes import Node, as_object

_LARGEST = 2**53
"""Integers up to here are floats without rounding."""

_NUMBER_TYPE = re.compile(r"[<>|=]?[buifc]\d{1,2}|bool|u?int\d{1,2}|(float|complex)\d{2,3}")


@dataclass(frozen=True)
class ArrayInfo:
    """What the metadata document of an array says."""

    shape: tuple[int, ...]
    """Size along each dimension."""
    dtype: str
    """Numpy name of the pixel type in native byte order."""
    chunk: tuple[int, ...]
    """Unit that is read at once: the chunk inside the shard, where there are shards."""
    fill_value: float | None
    """Value of pixels that were never written; ``None`` where it is no plain number."""


def array_info(node: Node, where: str) -> ArrayInfo:
    """Return shape, pixel type and chunk of an array.

    Raises
    ------
    HeaderError
        The document is broken, or the pixels are no numbers.
    """
    shape = _sizes(node.document.get("shape"), f"{where}: shape", least=0)
    if node.zarr_format == 2:
        chunk, kind = node.document.get("chunks"), node.document.get("dtype")
    else:
        grid = as_object(node.document.get("chunk_grid"), f"{where}: chunk_grid")
        chunk = as_object(grid.get("configuration"), f"{where}: chunk_grid.configuration").get("chunk_shape")
        kind = node.document.get("data_type")
        codecs = node.document.get("codecs")
        for codec in codecs if isinstance(codecs, list) else []:
            if isinstance(codec, dict) and codec.get("name") == "sharding_indexed":
                inner = as_object(
                    codec.get("configuration"), f"{where}: codecs.sharding_indexed.configuration"
                )
                chunk = inner.get("chunk_shape")
    chunks = _sizes(chunk, f"{where}: chunk shape", least=1)
    if len(chunks) != len(shape):
        raise HeaderError(f"{where}: chunk shape", f"found {list(chunks)}", f"{len(shape)} numbers")
    dtype = _dtype(kind, where)
    check_chunk(chunks, dtype, f"{where}: chunk shape")
    chunks = tuple(min(c, max(s, 1)) for c, s in zip(chunks, shape, strict=True))
    return ArrayInfo(shape, dtype, chunks, _fill_value(node.document.get("fill_value")))


def _fill_value(value: object) -> float | None:
    """Return what stands for pixels that were never written; zeros where nothing is said."""
    if value is None:
        return 0.0
    if value == "NaN":
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST:
        return None
    return float(value)


def _sizes(value: object, where: str, least: int) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(item) is int and item >= least for item in value):
        raise HeaderError(where, f"found {value!r:.100}", f"a list of integers of at least {least}")
    return tuple(value)


def _dtype(kind: object, where: str) -> str:
    try:
        dtype = np.dtype(kind) if isinstance(kind, str) and _NUMBER_TYPE.fullmatch(kind) else None
    except (TypeError, ValueError):
        dtype = None
    if dtype is None:
        raise HeaderError(f"{where}: data type", f"found {kind!r:.100}", "a number type")
    return dtype.newbyteorder("=").name
