"""The ledger and quality record of a result: one row of numbers for each plane, one chunk for each block."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Block, TargetSpec
from autodip_zarr.errors import TargetError
from autodip_zarr.stores.access.errors import target_read_errors, target_write_errors
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE
from autodip_zarr.stores.result.keys import FAILURES, RECORD
from autodip_zarr.stores.zarr.checksums import CHECKSUMS, Objects, block_name, checksum, manifest
from autodip_zarr.stores.zarr.documents import array_documents, group_documents, write_documents
from autodip_zarr.stores.zarr.limits import MAX_PLANES
from autodip_zarr.stores.zarr.nodes import read_node

RECORD_FIELDS = (
    "status",
    "iterations",
    "loss",
    "seconds",
    "noise_before",
    "noise_after",
    "minimum",
    "maximum",
    "residual_mean",
    "residual_std",
    "residual_lag1",
    "hot_pixels",
    "missing_pixels",
    "collapses",
    "restarts",
    "rounding_std",
    "overshoot",
    "stop",
    "prior_share",
    "saturated_share",
    "repeated_share",
)
"""Columns of the record; NaN where a value does not apply, and in all of them where a plane is not done."""

_EARLIER_WIDTHS = (17, 19)
"""Numbers of columns of earlier results; what was added later reads as NaN in them."""

STATUS_FAILED = 0
"""Value of ``status``: the plane could not be read or denoised."""

STATUS_DENOISED = 1
"""Value of ``status``: the plane was denoised."""

STATUS_COPIED = 2
"""Value of ``status``: the plane was copied unchanged."""

STATUS_EMPTY = 3
"""Value of ``status``: the source holds nothing there, since it was never acquired; it is left empty."""

_AXES = ("t", "c", "z", "field")


def record_documents(spec: TargetSpec) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return the documents of the empty record of a new result, by key: those around it, and its own.

    ``xarray.open_zarr`` opens the group in Zarr 2 and 3, with `RECORD_FIELDS` as the coordinate ``field``.
    """
    shape = (*(spec.size(axis) for axis in "tcz"), len(RECORD_FIELDS))
    chunk = (min(spec.block_t, shape[0]), 1, min(spec.block_z, shape[2]), len(RECORD_FIELDS))
    around = group_documents(RESULT_ATTRIBUTE, spec.zarr_format, {})
    around |= group_documents(FAILURES, spec.zarr_format, {})
    if spec.checksums:
        around |= group_documents(CHECKSUMS, spec.zarr_format, {})
    around |= array_documents(
        f"{RESULT_ATTRIBUTE}/field",
        np.array(RECORD_FIELDS),
        shape=(len(RECORD_FIELDS),),
        chunks=(len(RECORD_FIELDS),),
        dtype="<U16" if spec.zarr_format == 2 else "string",
        **_dimensions(spec, ("field",)),
    )
    own = array_documents(
        RECORD,
        shape=shape,
        chunks=chunk,
        dtype="float64",
        fill_value=float("nan"),
        **_dimensions(spec, _AXES),
    )
    return around, own


def _dimensions(spec: TargetSpec, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the arguments that name the dimensions as each format wants it."""
    if spec.zarr_format == 3:
        return {"zarr_format": 3, "dimension_names": names}
    encoding = {"name": "v2", "separator": "/"}
    attributes = {"_ARRAY_DIMENSIONS": list(names)}
    return {"zarr_format": 2, "attributes": attributes, "chunk_key_encoding": encoding}


def write_record(
    spec: TargetSpec, block: Block, rows: NDArray[np.floating[Any]], stored: Objects | None = None
) -> None:
    """Record what became of a block, after its checksums; call it after its pixels are written.

    Parameters
    ----------
    spec : TargetSpec
        The result.
    block : Block
        The planes.
    rows : (N, F) float
        One row for each of ``block.positions``, one column for each of `RECORD_FIELDS`.
    stored : mapping, optional
        Checksums of what was written for the block.

    Raises
    ------
    TargetError
        It cannot be written.
    """
    expected = (len(block.positions), len(RECORD_FIELDS))
    if rows.shape != expected:
        raise TargetError(f"{spec.uri}/{RECORD}", f"found rows of shape {rows.shape}", f"{expected}")
    place = open_place(spec.uri)
    with target_write_errors(place.where(RECORD)):
        entry = _encoded(place, spec, block, rows)
        if spec.checksums:
            known = {key: checksum(content, keep=True) for key, content in entry.items()}
            write_documents(place, manifest(block_name(block), {**(stored or {}), **known}))
        write_documents(place, entry)


def _encoded(
    place: Place, spec: TargetSpec, block: Block, rows: NDArray[np.floating[Any]]
) -> dict[str, bytes]:
    """Return the chunk of the record that is a block, by its key."""
    import zarr  # noqa: PLC0415

    from autodip_zarr.stores.zarr.checksumming_store import BufferingStore  # noqa: PLC0415 - imports zarr

    with place.zarr_store(read_only=False, replaces=True) as store:
        buffering = BufferingStore(store)
        array = zarr.open_array(buffering, path=RECORD, mode="r+", zarr_format=spec.zarr_format)
        region = (_span(block.t), block.c, _span(block.z))
        kept = rows[:, : array.shape[-1]]  # a result that an earlier version began has fewer columns
        array[region] = kept.reshape(len(block.t), len(block.z), -1).astype(np.float64)
    return {key: content for key, content in buffering.buffered.items() if content is not None}


def read_record(uri: str) -> NDArray[np.float64]:
    """Return the record of a result.

    Returns
    -------
    record : (T, C, Z, F) float64
        With the columns `RECORD_FIELDS`; NaN where a plane is not done, and where the entry of a block was
        cut off, so that nobody knows whether it is.

    Raises
    ------
    TargetError
        There is none, or it cannot be read.
    """
    import zarr  # noqa: PLC0415

    place = open_place(uri)
    with target_read_errors():
        node = read_node(place, RECORD)
    if node is None:
        raise TargetError(place.where(RECORD), "is missing", "the record of a result of this program")
    try:
        with place.zarr_store(read_only=True) as store:
            array = zarr.open_array(store, path=RECORD, mode="r", zarr_format=node.zarr_format)
            check_record_shape(array.shape, place.where(RECORD))
            return _widened(_rows(array))
    except (MemoryError, TargetError):
        raise
    except Exception as error:  # zarr and its codecs have errors of their own
        raise TargetError(place.where(RECORD), f"cannot be read: {error_message(error)}") from error


def check_record_shape(shape: Sequence[int], where: str) -> None:
    """Refuse what is no record, and one of more planes than any honest image has, unread."""
    widths = (*_EARLIER_WIDTHS, len(RECORD_FIELDS))
    if len(shape) != len(_AXES) or shape[-1] not in widths or math.prod(shape[:-1]) > MAX_PLANES:
        found, most = f"found the shape {tuple(shape)}", f"at most {MAX_PLANES:,} planes"
        raise TargetError(where, found, f"(T, C, Z, {len(RECORD_FIELDS)}) and {most}")


def read_rows(spec: TargetSpec, block: Block) -> NDArray[np.float64]:
    """Return the rows of a block alone, (N, F), one for each of ``block.positions``; see `read_record`.

    Raises
    ------
    TargetError
        It cannot be read.
    """
    import zarr  # noqa: PLC0415

    place = open_place(spec.uri)
    with target_write_errors(place.where(RECORD)), place.zarr_store(read_only=True) as store:
        array = zarr.open_array(store, path=RECORD, mode="r", zarr_format=spec.zarr_format)
        rows = np.asarray(array[_span(block.t), block.c, _span(block.z)], dtype=np.float64)
    return _widened(rows.reshape(len(block.positions), -1))


def _widened(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows with all columns, those that their result does not have NaN."""
    missing = len(RECORD_FIELDS) - rows.shape[-1]
    return (
        np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, missing)], constant_values=np.nan) if missing else rows
    )


def _rows(array: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """Return all rows that can be decoded."""
    try:
        return np.asarray(array[:], dtype=np.float64)
    except (ValueError, RuntimeError):  # of codecs; a store that does not answer raises an OSError
        if len(array.shape) != len(_AXES):
            raise
    rows = np.full(array.shape, np.nan)
    starts = [range(0, size, step) for size, step in zip(array.shape, array.chunks, strict=True)]
    for corner in itertools.product(*starts):
        cut = tuple(slice(start, start + step) for start, step in zip(corner, array.chunks, strict=True))
        with suppress(ValueError, RuntimeError):
            rows[cut] = array[cut]
    return rows


def _span(indices: range) -> slice:
    return slice(indices.start, indices.stop)
