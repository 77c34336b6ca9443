"""Create results: their layout, the documents of their arrays, and the empty record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from autodip_zarr.domain import Level, TargetSpec
from autodip_zarr.errors import TargetError
from autodip_zarr.stores.access.errors import target_write_errors
from autodip_zarr.stores.access.place import open_place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE
from autodip_zarr.stores.result.keys import UNCERTAINTY
from autodip_zarr.stores.result.ome_attributes import multiscales, omero
from autodip_zarr.stores.result.ownership import delete_result, own_attributes, target_exists
from autodip_zarr.stores.result.record import record_documents
from autodip_zarr.stores.zarr.checksums import LAYOUT, checksum, manifest
from autodip_zarr.stores.zarr.documents import array_documents, group_documents, with_ome, write_documents
from autodip_zarr.stores.zarr.layout import plan_layout

_LEVEL_BYTES = 16 * 1024 * 1024


def create_target(spec: TargetSpec, attributes: Mapping[str, object]) -> None:
    """Create a result: metadata, empty levels, and the empty record.

    OME-Zarr 0.5 (Zarr 3, sharded, zstd) or 0.4 (Zarr 2, blosc with zstd), as ``spec.zarr_format`` says.
    What an interrupted attempt left behind is replaced.

    Parameters
    ----------
    spec : TargetSpec
        Layout.
    attributes : mapping
        Attribute ``autodip`` of the image group, JSON.

    Raises
    ------
    TargetError
        Something else is there, the layout makes no sense, or it cannot be written.
    """
    _check_spec(spec)
    place = open_place(spec.uri)
    if own_attributes(spec.uri) is not None:
        if target_exists(spec.uri):
            raise TargetError(spec.uri, "holds a result already", hint="continue it, or overwrite it")
        delete_result(place)
    with target_write_errors(spec.uri):
        write_documents(place, target_documents(spec, attributes))


def target_documents(spec: TargetSpec, attributes: Mapping[str, object]) -> dict[str, bytes]:
    """Return all documents of a new result by key, in the order of writing, with their checksums.

    The record comes last, so that a layout is known to be whole.
    """
    ome = {"multiscales": [multiscales(spec)], "omero": omero(spec, {})}
    user = {**with_ome(spec.zarr_format, ome), RESULT_ATTRIBUTE: dict(attributes)}
    documents = group_documents("", spec.zarr_format, user)
    for index, level in enumerate(spec.levels):
        documents |= _level_documents(spec, index, level)
    if spec.uncertainty:
        like = replace(spec.levels[0], path=UNCERTAINTY)
        documents |= _level_documents(replace(spec, dtype="float32"), 0, like)
    around, record = record_documents(spec)
    documents |= around
    if spec.checksums:
        objects = {key: checksum(one, keep=True) for key, one in {**documents, **record}.items()}
        documents |= manifest(LAYOUT, objects)
    return documents | record


def lower_level_documents(spec: TargetSpec) -> dict[str, bytes]:
    """Return the documents of the levels below full resolution, by key; finishing fills them."""
    documents: dict[str, bytes] = {}
    for index, level in enumerate(spec.levels[1:], 1):
        documents |= _level_documents(spec, index, level)
    return documents


def _check_spec(spec: TargetSpec) -> None:
    """Refuse a layout that cannot be written.

    Raises
    ------
    TargetError
        A level is larger than the one above, or shapes do not fit the axes.
    """
    names = [axis.name for axis in spec.axes]
    if len(set(names)) != len(names) or not {"y", "x"} <= set(names) or not spec.levels:
        raise TargetError(
            spec.uri, f"found the axes {names} and {len(spec.levels)} levels", "y, x and a level"
        )
    for above, level in zip(spec.levels[:1] + spec.levels, spec.levels, strict=False):
        fits = len(level.shape) == len(names) == len(level.scale)
        if not fits or any(
            not 0 < size <= most for size, most in zip(level.shape, above.shape, strict=False)
        ):
            where, found = f"{spec.uri}: level {level.path}", f"found the shape {level.shape}"
            raise TargetError(where, found, f"{len(names)} sizes, none above {above.shape}")


def _level_layout(spec: TargetSpec, index: int) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Return chunk and shard of a level; below full resolution one process writes all of it."""
    if index == 0:
        return spec.chunk, spec.shard
    shape = spec.levels[index].shape
    names = [axis.name for axis in spec.axes]
    depth = shape[names.index("z")] if "z" in names else 1
    chunk, _ = plan_layout(names, shape, spec.dtype, (1, depth), 2)
    planes = _LEVEL_BYTES // (math.prod(chunk) * np.dtype(spec.dtype).itemsize)
    chunk, shard = plan_layout(names, shape, spec.dtype, (1, min(max(planes, 1), depth)), spec.zarr_format)
    return chunk, shard


def _level_documents(spec: TargetSpec, index: int, level: Level) -> dict[str, bytes]:
    from zarr.codecs import Crc32cCodec, ZstdCodec  # noqa: PLC0415

    chunk, shard = _level_layout(spec, index)
    names = [axis.name for axis in spec.axes]
    shared: dict[str, Any] = {
        "shape": level.shape,
        "dtype": spec.dtype,
        "chunks": chunk,
        "fill_value": float("nan") if level.path == UNCERTAINTY else 0,
    }
    if spec.zarr_format == 3:
        codecs = (ZstdCodec(level=3), Crc32cCodec())  # so that any reader meets damage as an error
        return array_documents(
            level.path, **shared, shards=shard, compressors=codecs, dimension_names=names, zarr_format=3
        )
    blosc: dict[str, Any] = {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 1, "blocksize": 0}
    return array_documents(
        level.path,
        **shared,
        compressors=blosc,
        chunk_key_encoding={"name": "v2", "separator": "/"},
        attributes={"_ARRAY_DIMENSIONS": names},
        zarr_format=2,
    )
