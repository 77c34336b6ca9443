"""The ledger and quality record of a result: one row of numbers for each plane, one chunk for each block."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Block, TargetSpec
from autodip_zarr.errors import HeaderError, SourceError, TargetError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.messages import words
from autodip_zarr.stores.access.place import Place, open_place, target_errors
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE
from autodip_zarr.stores.zarr.checksums import CHECKSUMS, Objects, block_name, checksum, manifest
from autodip_zarr.stores.zarr.documents import array_documents, dump_json, group_documents, write_documents
from autodip_zarr.stores.zarr.limits import MAX_PLANES
from autodip_zarr.stores.zarr.nodes import Json, Node, as_objects, parse_json, read_node

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
)
"""Columns of the record; NaN where a value does not apply, and in all of them where a plane is not done."""

STATUS_FAILED = 0
"""Value of ``status``: the plane could not be read or denoised."""
STATUS_DENOISED = 1
"""Value of ``status``: the plane was denoised."""
STATUS_COPIED = 2
"""Value of ``status``: the plane was copied unchanged."""

RECORD = f"{RESULT_ATTRIBUTE}/record"
"""Array of the record, below the image group."""

FAILURES = f"{RESULT_ATTRIBUTE}/failures"
"""Group with the reasons of failures, below the image group."""

_AXES = ("t", "c", "z", "field")


@dataclass(frozen=True, order=True)
class Failure:
    """Why a plane failed."""

    c: int
    """Channel."""
    t: int
    """Time point."""
    z: int
    """Depth."""
    reason: str
    """Why, in words."""

    def __str__(self) -> str:
        """Return one line: which plane, and why."""
        return f"plane t={self.t} c={self.c} z={self.z}: {self.reason}"


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
    with target_errors(place.where(RECORD)):
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

    from autodip_zarr.stores.zarr.guarded_store import HoldingStore  # noqa: PLC0415 - imports zarr

    with place.zarr_store(read_only=False, replaces=True) as store:
        holding = HoldingStore(store)
        array = zarr.open_array(holding, path=RECORD, mode="r+", zarr_format=spec.zarr_format)
        region = (_span(block.t), block.c, _span(block.z))
        array[region] = rows.reshape(len(block.t), len(block.z), -1).astype(np.float64)
    return {key: content for key, content in holding.held.items() if content is not None}


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
    try:
        node = read_node(place, RECORD)
    except SourceError as error:
        raise TargetError(error.where, error.found, error.expected, error.hint) from error
    if node is None:
        raise TargetError(place.where(RECORD), "is missing", "the record of a result of this program")
    try:
        with place.zarr_store(read_only=True) as store:
            array = zarr.open_array(store, path=RECORD, mode="r", zarr_format=node.zarr_format)
            check_record_shape(array.shape, place.where(RECORD))
            return _rows(array)
    except (MemoryError, TargetError):
        raise
    except Exception as error:  # zarr and its codecs have errors of their own
        raise TargetError(place.where(RECORD), f"cannot be read: {words(error)}") from error


def check_record_shape(shape: Sequence[int], where: str) -> None:
    """Refuse what is no record, and one of more planes than any honest image has, unread."""
    if len(shape) != len(_AXES) or shape[-1] != len(RECORD_FIELDS) or math.prod(shape[:-1]) > MAX_PLANES:
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
    with target_errors(place.where(RECORD)), place.zarr_store(read_only=True) as store:
        array = zarr.open_array(store, path=RECORD, mode="r", zarr_format=spec.zarr_format)
        rows = np.asarray(array[_span(block.t), block.c, _span(block.z)], dtype=np.float64)
    return rows.reshape(len(block.positions), -1)


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


def write_failures(spec: TargetSpec, block: Block, reasons: Mapping[tuple[int, int], str]) -> None:
    """Write down why planes of a block failed, in place of what an earlier attempt left.

    Parameters
    ----------
    spec : TargetSpec
        The result.
    block : Block
        The planes that were worked on together.
    reasons : mapping
        Why, in words, for each (t, z) that failed.

    Raises
    ------
    TargetError
        It cannot be written.
    """
    planes = [{"t": t, "c": block.c, "z": z, "reason": reason} for (t, z), reason in reasons.items()]
    open_place(spec.uri).write(_failure_key(block), dump_json({"planes": planes}))


def forget_failures(place: Place, record: NDArray[np.float64]) -> dict[str, bytes]:
    """Delete the reasons of planes that were done after all, by a later attempt; return the other files.

    Parameters
    ----------
    place : LocalPlace or RemotePlace
        The image group.
    record : (T, C, Z, F) float64
        What became of each plane.

    Raises
    ------
    TargetError
        The reasons cannot be read or deleted.
    """
    failed = {tuple(at) for at in np.argwhere(record[..., RECORD_FIELDS.index("status")] == STATUS_FAILED)}
    kept: dict[str, bytes] = {}
    for key, content in _failure_files(place):
        if any((one.t, one.c, one.z) in failed for one in _in_file(place, key, content)):
            kept[key] = content
        else:
            place.delete(key)
    return kept


def read_failures(uri: str) -> tuple[Failure, ...]:
    """Return why planes of a result failed, as far as written down, in the order of c, t and z.

    Raises
    ------
    TargetError
        The reasons cannot be read.
    """
    place = open_place(uri)
    files = _failure_files(place)
    return tuple(sorted(one for key, content in files for one in _in_file(place, key, content)))


def _failure_files(place: Place) -> list[tuple[str, bytes]]:
    """Return the files with reasons of failures, by key."""
    try:
        names = [name for name, is_folder in place.entries(FAILURES) if not is_folder]
        keys = [f"{FAILURES}/{name}" for name in names if name.endswith(".json") and name[0].isdigit()]
        contents = zip(keys, place.read_many(keys), strict=True)
        return [(key, content) for key, content in contents if content is not None]
    except SourceError as error:
        raise TargetError(error.where, error.found, error.expected, error.hint) from error


def _in_file(place: Place, key: str, content: bytes) -> list[Failure]:
    """Return why planes failed, as one file says."""
    try:
        planes = _planes(content, place.where(key))
        return [_failure(plane, f"{place.where(key)}: planes[{n}]") for n, plane in enumerate(planes)]
    except SourceError as error:
        raise TargetError(error.where, error.found, error.expected, error.hint) from error


def _planes(content: bytes, where: str) -> list[Json]:
    return as_objects(parse_json(content, where).get("planes"), f"{where}: planes")


def _failure(plane: Json, where: str) -> Failure:
    c, t, z = (plane.get(axis) for axis in "ctz")
    if not (isinstance(c, int) and isinstance(t, int) and isinstance(z, int)):
        raise HeaderError(where, f"found {plane!r:.100}", "the indices c, t and z of a plane")
    return Failure(c, t, z, str(plane.get("reason", "")))


def _failure_key(block: Block) -> str:
    return f"{FAILURES}/{block.c}-{block.t.start}-{block.z.start}.json"


def _span(indices: range) -> slice:
    return slice(indices.start, indices.stop)


def read_attributes(uri: str) -> dict[str, Any] | None:
    """Return the ``autodip`` attribute of a group, ``None`` where there is no such group or attribute.

    A result has its provenance there, a group around results ``{"layout": ...}`` alone.

    Raises
    ------
    TargetError
        The metadata of the group cannot be read.
    """
    try:
        node = read_node(open_place(uri), "")
    except SourceError as error:
        raise damaged_document(error) from error
    return None if node is None or not node.is_result else result_attribute(node, uri)


def damaged_document(error: SourceError) -> TargetError:
    """Return what is wrong with the document of a result, with what to do about it."""
    hint = error.hint or "denoise --repair puts back the documents of a result, where its checksums are left"
    return TargetError(error.where, error.found, error.expected, hint)


def result_attribute(node: Node, uri: str) -> dict[str, Any]:
    """Return the ``autodip`` attribute of the group of a result.

    Raises
    ------
    TargetError
        It is no JSON object.
    """
    value = node.attributes[RESULT_ATTRIBUTE]
    if not isinstance(value, dict):
        raise TargetError(f"{public_uri(uri)}: autodip", f"found {value!r:.100}", "a JSON object")
    return value
