"""Create results, fill them block by block, and delete them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Axis, Block, ChannelDisplay, Level, TargetSpec
from autodip_zarr.errors import PixelError, SourceError, TargetError
from autodip_zarr.stores.access.messages import words
from autodip_zarr.stores.access.place import Place, open_place, target_errors
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE
from autodip_zarr.stores.result.record import (
    RECORD,
    damaged_document,
    read_attributes,
    record_documents,
    result_attribute,
)
from autodip_zarr.stores.zarr.checksums import LAYOUT, Checksum, checksum, manifest
from autodip_zarr.stores.zarr.documents import (
    array_documents,
    group_documents,
    with_attributes,
    with_ome,
    write_documents,
)
from autodip_zarr.stores.zarr.files import is_empty
from autodip_zarr.stores.zarr.layout import plan_layout
from autodip_zarr.stores.zarr.nodes import Json, Node, read_node

PRISTINE = f"{RESULT_ATTRIBUTE}/pristine"
"""Group that keeps the original bytes of documents changed when a result was written back."""

UNCERTAINTY = f"{RESULT_ATTRIBUTE}/uncertainty"
"""Array of the spread over the starts, laid out like level 0."""

_IDENTITY = ("zarr.json", ".zattrs")
_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
_STRIP_PX = 4 * 1024 * 1024
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
    check_spec(spec)
    place = open_place(spec.uri)
    if own_attributes(spec.uri) is not None:
        if target_exists(spec.uri):
            raise TargetError(spec.uri, "holds a result already", hint="continue it, or overwrite it")
        delete_result(place)
    with target_errors(spec.uri):
        write_documents(place, target_documents(spec, attributes))


def target_documents(spec: TargetSpec, attributes: Mapping[str, object]) -> dict[str, bytes]:
    """Return all documents of a new result by key, in the order of writing, with their checksums.

    The record comes last, so that a layout is known to be whole.
    """
    ome = {"multiscales": [_multiscales(spec)], "omero": omero(spec, {})}
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
    """Return the documents of the levels below full resolution, by key: finishing fills them anew."""
    documents: dict[str, bytes] = {}
    for index, level in enumerate(spec.levels[1:], 1):
        documents |= _level_documents(spec, index, level)
    return documents


def renew_missing(spec: TargetSpec) -> tuple[str, ...]:
    """Write documents of a result again that are missing, and return their keys.

    Pixels that an earlier version stored in another way cannot be decoded then, and count as damaged.

    Raises
    ------
    TargetError
        They cannot be read or written.
    """
    place = open_place(spec.uri)
    documents = target_documents(spec, {})
    missing = {key: documents[key] for key in documents if key not in _IDENTITY and place.read(key) is None}
    write_documents(place, missing)
    return tuple(missing)


def renew_lower_levels(spec: TargetSpec) -> None:
    """Write the documents of the levels below full resolution again, before the levels are.

    Raises
    ------
    TargetError
        They cannot be written.
    """
    write_documents(open_place(spec.uri), lower_level_documents(spec))


def delete_result(place: Place) -> None:
    """Delete a result, the document that says whose it is last: what is left of it is known as ours.

    Raises
    ------
    TargetError
        It cannot be deleted.
    """
    try:
        entries = place.entries("")
    except SourceError as error:
        raise TargetError(error.where, error.found, error.expected, error.hint) from error
    for name in sorted((name for name, is_folder in entries if is_folder), key=_is_own_folder):
        place.delete_tree(name)
    for name in sorted(name for name, is_folder in entries if not is_folder and name not in _IDENTITY):
        place.delete(name)
    place.delete_tree("")


def _is_own_folder(name: str) -> bool:
    return name == RESULT_ATTRIBUTE


def own_attributes(uri: str) -> dict[str, Any] | None:
    """Return the ``autodip`` attribute of what lies at a place, ``None`` where nothing does.

    Raises
    ------
    TargetError
        A group or array lies there which this program did not write, or its metadata cannot be read.
    """
    existing = _existing(open_place(uri))
    if existing is None:
        return None
    if not existing.is_result:
        hint = "choose another target; only what this program wrote is ever replaced"
        raise TargetError(uri, "holds something else already", "nothing there", hint)
    return result_attribute(existing, uri)


def holds_more_than_lock(uri: str) -> bool:
    """Return whether anything but the lock of a run lies at a place; hidden files do not count.

    Raises
    ------
    SourceError
        It cannot be listed.
    """
    if is_empty(uri):
        return False
    place = open_place(uri)
    names = {name for name, _ in place.entries("") if not name.startswith(".")}
    if names != {RESULT_ATTRIBUTE}:
        return bool(names)
    inner = [name for name, _ in place.entries(RESULT_ATTRIBUTE)]
    return not all(name.startswith(("lock.json", ".")) for name in inner)


def check_spec(spec: TargetSpec) -> None:
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


def level_layout(spec: TargetSpec, index: int) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
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

    chunk, shard = level_layout(spec, index)
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


def _multiscales(spec: TargetSpec) -> Json:
    datasets: list[Json] = []
    for level in spec.levels:
        steps: list[Json] = [{"type": "scale", "scale": [float(value) for value in level.scale]}]
        if level.translation is not None:
            steps.append(
                {"type": "translation", "translation": [float(value) for value in level.translation]}
            )
        datasets.append({"path": level.path, "coordinateTransformations": steps})
    image: Json = {"name": spec.name, "axes": [_axis(axis) for axis in spec.axes], "datasets": datasets}
    if len(spec.levels) > 1:
        image["type"] = "mean"
        image["metadata"] = {
            "description": "each pixel is the mean of the pixels that it covers on the level above",
            "method": "autodip_zarr.stores.finish_target",
        }
    return image if spec.zarr_format == 3 else {"version": "0.4", **image}


def _axis(axis: Axis) -> Json:
    entry: Json = {"name": axis.name}
    kind = axis.type or _TYPES.get(axis.name)
    if kind is not None:
        entry["type"] = kind
    if axis.unit is not None:
        entry["unit"] = axis.unit
    return entry


def omero(spec: TargetSpec, windows: Mapping[int, tuple[float, float, float, float]]) -> Json:
    """Return the rendering settings.

    Parameters
    ----------
    spec : TargetSpec
        The result.
    windows : mapping of int to (float, float, float, float)
        Minimum, maximum, start and end of the rendering window, by channel; the range of the pixel type
        where a channel is missing.
    """
    dtype = np.dtype(spec.dtype)
    whole = (0.0, 1.0)
    if dtype.kind in "ui":
        whole = (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
    count = spec.size("c")
    displays = [*spec.channels[:count]]
    displays += [ChannelDisplay(None, None, None)] * (count - len(displays))
    channels: list[Json] = []
    for index, display in enumerate(displays):
        low, high, start, end = windows.get(index, (*whole, *whole))
        channels.append(
            {
                "label": display.label or f"Channel {index}",
                "color": display.color or "FFFFFF",
                "active": True if display.active is None else display.active,
                "coefficient": 1.0,
                "family": "linear",
                "inverted": False,
                "window": {"min": low, "max": high, "start": start, "end": end},
            }
        )
    model = "color" if count > 1 or any(display.color for display in displays) else "greyscale"
    rdefs: Json = {"defaultT": 0, "defaultZ": spec.size("z") // 2, "model": model}
    version: Json = {} if spec.zarr_format == 3 else {"version": "0.4"}
    return {**version, "name": spec.name, "channels": channels, "rdefs": rdefs}


def write_block(spec: TargetSpec, block: Block, planes: NDArray[Any]) -> dict[str, Checksum | None]:
    """Write the pixels of a block: whole shards, so that no other block touches them.

    Parameters
    ----------
    spec : TargetSpec
        The result.
    block : Block
        The planes.
    planes : (N, Y, X)
        One for each of ``block.positions``; rounded and clipped where the result holds integers.

    Returns
    -------
    dict
        Checksums of the objects that were written, by key, for `write_record`.

    Raises
    ------
    TargetError
        It cannot be written.
    """
    expected = (len(block.positions), spec.size("y"), spec.size("x"))
    if planes.shape != expected:
        raise TargetError(spec.uri, f"found planes of shape {planes.shape}", f"{expected}")
    pixels = converted(planes, spec.dtype, f"{spec.uri}: c={block.c} t={block.t.start} z={block.z.start}")
    return _write_planes(spec, spec.levels[0].path, block, pixels)


def write_uncertainty(
    spec: TargetSpec, block: Block, spreads: NDArray[np.float32]
) -> dict[str, Checksum | None]:
    """Write the spread over the starts for the planes of a block.

    Parameters
    ----------
    spec : TargetSpec
        The result, with ``uncertainty``.
    block : Block
        The planes.
    spreads : (N, Y, X)
        float32, in detector counts, NaN where nothing was fitted.

    Returns
    -------
    dict
        Checksums of the objects that were written, by key, for `write_record`.

    Raises
    ------
    TargetError
        It cannot be written.
    """
    return _write_planes(spec, UNCERTAINTY, block, spreads)


def _write_planes(
    spec: TargetSpec, path: str, block: Block, pixels: NDArray[Any]
) -> dict[str, Checksum | None]:
    """Write the planes of a block into an array that is laid out like level 0."""
    import zarr  # noqa: PLC0415

    from autodip_zarr.stores.zarr.guarded_store import NotingStore  # noqa: PLC0415 - imports zarr

    names = [axis.name for axis in spec.axes]
    region = _region(spec, block)
    pixels = pixels.reshape(len(block.t), len(block.z), *pixels.shape[1:])  # t, z, y, x
    present = [name for name in "tzyx" if name in names]
    pixels = pixels.reshape(
        [size for name, size in zip("tzyx", pixels.shape, strict=True) if name in present]
    )
    pixels = np.transpose(pixels, [present.index(name) for name in names if name in present])
    shape = [pixels.shape[[n for n in names if n in present].index(n)] if n in present else 1 for n in names]
    place = open_place(spec.uri)
    with target_errors(spec.uri), place.zarr_store(read_only=False, replaces=True) as store:
        noting = NotingStore(store)
        array = zarr.open_array(noting, path=path, mode="r+", zarr_format=spec.zarr_format)
        replace_region(place, array, region, pixels.reshape(shape))
        keys = list(_written(array, region))
        for key in keys:  # a block is recorded as done only once its pixels are safe
            place.sync(key)
    return {key: noting.written.get(key) for key in keys}


def replace_region(place: Place, array: Any, region: tuple[slice, ...], pixels: NDArray[Any]) -> None:  # noqa: ANN401
    """Write whole shards of an array of a place, whatever was there before.

    zarr reads the index of a shard that it replaces, and fails where that was cut off.
    """
    try:
        array[region] = pixels
    except (ValueError, RuntimeError):  # of codecs
        for key in _written(array, region):
            place.delete(key)
        array[region] = pixels


def _region(spec: TargetSpec, block: Block) -> tuple[slice, ...]:
    """Return the part of the full-resolution array that is a block."""
    spans = {
        "t": block.t,
        "c": range(block.c, block.c + 1),
        "z": block.z,
        "y": range(spec.size("y")),
        "x": range(spec.size("x")),
    }
    named = [spans.get(axis.name, range(1)) for axis in spec.axes]
    return tuple(slice(span.start, span.stop) for span in named)


def _written(array: Any, region: tuple[slice, ...]) -> Iterator[str]:  # noqa: ANN401
    """Yield the keys of the shards, or chunks, of a region."""
    step = array.shards or array.chunks
    spans = [range(cut.start // n, -(-cut.stop // n)) for cut, n in zip(region, step, strict=True)]
    for place in itertools.product(*spans):
        yield f"{array.path}/{array.metadata.encode_chunk_key(place)}"


def read_block(spec: TargetSpec, block: Block) -> NDArray[Any]:
    """Return the pixels of a block as they were written.

    Returns
    -------
    planes : (N, Y, X)
        One for each of ``block.positions``; zeros where there is no chunk.

    Raises
    ------
    PixelError
        A chunk or shard cannot be decoded.
    """
    import zarr  # noqa: PLC0415

    names = [axis.name for axis in spec.axes]
    place = open_place(spec.uri)
    try:
        with place.zarr_store(read_only=True) as store:
            path = spec.levels[0].path
            array = zarr.open_array(store, path=path, mode="r", zarr_format=spec.zarr_format)
            pixels = np.asarray(array[_region(spec, block)])
    except MemoryError:
        raise
    except Exception as error:  # zarr and its codecs have errors of their own
        where = f"{place.where('')}: c={block.c} t={block.t.start} z={block.z.start}"
        raise PixelError(where, f"cannot be read: {words(error)}") from error
    present = [name for name in "tzyx" if name in names]
    others = [name for name in names if name not in present]
    pixels = np.transpose(pixels, [names.index(name) for name in [*others, *present]])
    return pixels.reshape(len(block.positions), spec.size("y"), spec.size("x"))


def remove_partial(uri: str) -> None:
    """Delete the temporary files that killed writers left in a result.

    Only ever done by who holds its lock: those of a writer at work look the same.

    Raises
    ------
    TargetError
        They cannot be deleted.
    """
    open_place(uri).remove_partial()


def converted(pixels: NDArray[Any], dtype: str, where: str) -> NDArray[Any]:
    """Return pixels in another type, rounded to the nearest and clipped where it holds integers.

    Raises
    ------
    TargetError
        A pixel is not a number, and integers have no such value.
    """
    target = np.dtype(dtype)
    if pixels.dtype == target or target.kind not in "ui":
        return pixels.astype(target, copy=False)
    limits = np.iinfo(target)
    if pixels.dtype.kind == "f":
        # float32(2**32 - 1) is 2**32, which does not fit: clip in float64, and below the limit in 64 bits
        high = np.nextafter(np.float64(limits.max), 0) if target.itemsize == 8 else np.float64(limits.max)
        rounded = np.empty(pixels.shape, target)
        rows, rounded_rows = pixels.reshape(-1, pixels.shape[-1]), rounded.reshape(-1, pixels.shape[-1])
        step = max(_STRIP_PX // pixels.shape[-1], 1)  # float64 costs memory of a strip alone
        for strip in (slice(top, top + step) for top in range(0, len(rows), step)):
            values = rows[strip].astype(np.float64)
            if not np.isfinite(values).all():
                raise TargetError(where, "found a pixel that is no number", f"finite values for {dtype}")
            rounded_rows[strip] = np.clip(np.rint(values), np.float64(limits.min), high)
        return rounded
    if pixels.dtype.kind == "b":
        return pixels.astype(target)
    own = np.iinfo(pixels.dtype)
    low, top = max(limits.min, own.min), min(limits.max, own.max)  # both types hold these
    clipped: NDArray[Any] = np.clip(pixels, low, top).astype(target)
    return clipped


def replace_attributes(uri: str, attributes: Mapping[str, object]) -> None:
    """Replace the ``autodip`` attribute of a result.

    Raises
    ------
    TargetError
        There is no result, or it cannot be written.
    """
    place = open_place(uri)
    node = result_node(place)
    changed = {**node.attributes, RESULT_ATTRIBUTE: dict(attributes)}
    write_documents(place, with_attributes(node, changed))


def target_exists(uri: str) -> bool:
    """Return whether a whole layout of a result is there, finished or not.

    Raises
    ------
    TargetError
        The metadata of the group cannot be read.
    """
    if read_attributes(uri) is None:
        return False
    try:
        record = read_node(open_place(uri), RECORD)
    except SourceError as error:
        raise TargetError(error.where, error.found, error.expected, error.hint) from error
    # the two documents of an array of Zarr 2 are not written in one step
    return record is not None and record.is_array and (record.zarr_format == 3 or bool(record.attributes))


def delete_target(uri: str) -> None:
    """Delete a result; nothing but a group that carries our attribute is ever deleted.

    Raises
    ------
    TargetError
        It is no result, is registered in a source store (see ``remove_target``), or cannot be deleted.
    """
    place = open_place(uri)
    result_node(place)
    try:
        registered = read_node(place, PRISTINE) is not None
    except SourceError as error:
        raise TargetError(error.where, error.found, error.expected, error.hint) from error
    if registered:
        hint = "remove it, which also takes it out of the metadata of its source"
        raise TargetError(uri, "is registered in its source store", hint=hint)
    delete_result(place)


def result_node(place: Place) -> Node:
    """Return the group of a result.

    Raises
    ------
    TargetError
        There is none.
    """
    node = _existing(place)
    if node is None or not node.is_result:
        raise TargetError(
            place.where(""), "is no result of this program", "a group with the attribute autodip"
        )
    return node


def _existing(place: Place) -> Node | None:
    try:
        return read_node(place, "")
    except SourceError as error:
        raise damaged_document(error) from error
