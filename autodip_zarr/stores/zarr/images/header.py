"""Headers of OME-Zarr images of any version, from their metadata documents alone."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace

from autodip_zarr.domain import Axis, ChannelDisplay, Fingerprint, Header, ImageRef, Level
from autodip_zarr.errors import HeaderError, SourceError
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.uris import safe_key
from autodip_zarr.stores.zarr.axes import AXIS_TYPES
from autodip_zarr.stores.zarr.images.arrays import ArrayInfo, array_info
from autodip_zarr.stores.zarr.images.texts import metadata_texts
from autodip_zarr.stores.zarr.limits import check_sizes
from autodip_zarr.stores.zarr.nodes import Json, Node, as_object, as_objects, join, read_node, read_nodes

_BY_TYPE = {"time": "t", "channel": "c"}

_LEVELS = 64


@dataclass(frozen=True)
class _Transform:
    """Scale, then translation."""

    scale: tuple[float | None, ...]
    """Factor along each axis; ``None`` where none is given that makes sense."""
    translation: tuple[float, ...] | None
    """Offset along each axis; ``None`` for no offset."""


def read_zarr_header(ref: ImageRef) -> Header:
    """Return the header of an OME-Zarr image.

    Raises
    ------
    HeaderError
        The metadata is broken, hostile, or not that of an image.
    SourceError
        The store cannot be read.
    """
    place = open_place(ref.uri)
    node = read_node(place, ref.group)
    where = place.where(ref.group)
    if node is None or node.is_array:
        raise SourceError(where, "is no Zarr group", "an OME-Zarr image")
    warnings: list[str] = []
    multiscales = as_objects(node.ome.get("multiscales"), f"{where}: multiscales")
    if not multiscales:
        raise HeaderError(f"{where}: multiscales", "is empty", "one image")
    if len(multiscales) > 1:
        warnings.append(f"{where}: only the first of {len(multiscales)} multiscales is used")
    image = multiscales[0]
    paths, datasets = _datasets(image, f"{where}: multiscales[0]")
    arrays = _arrays(place, node, paths)
    axes = _axes(image, len(arrays[0].shape), f"{where}: multiscales[0].axes", warnings)
    _check_arrays(arrays, axes, f"{where}: multiscales[0]")
    check_sizes(dict(zip((axis.name for axis in axes), arrays[0].shape, strict=True)), where)
    outer = _transform(image.get("coordinateTransformations"), len(axes), where, warnings)
    names = [axis.name for axis in axes]
    levels: list[Level] = []
    full = _Transform((1.0,) * len(axes), None)
    for path, dataset, array in zip(paths, datasets, arrays, strict=True):
        raw, at = dataset.get("coordinateTransformations"), f"{where}/{path}"
        inner = _transform(raw, len(axes), at, warnings)
        ratio = tuple(large / small for large, small in zip(arrays[0].shape, array.shape, strict=True))
        whole = _completed(inner, full, ratio)
        if raw is not None and None in inner.scale:  # before version 0.4 the shapes alone tell
            missing = ", ".join(name for name, size in zip(names, inner.scale, strict=True) if size is None)
            taken = "follows from the shapes" if levels else "is taken for 1"
            warnings.append(f"{at}: the scale along {missing} {taken}")
        full = full if levels else whole
        total = _compose(whole, outer)
        levels.append(Level(path, array.shape, _numbers_of(total.scale), total.translation))
    texts, more = metadata_texts(place, node, ref)
    name = image.get("name")
    version = image.get("version") or node.ome.get("version")
    header = Header(
        ref=ref,
        name=name if isinstance(name, str) and name else None,
        axes=axes,
        levels=tuple(levels),
        dtype=arrays[0].dtype,
        chunk=arrays[0].chunk,
        channels=(),
        zarr_format=node.zarr_format,
        ome_version=version if isinstance(version, str) else None,
        texts=texts,
        fingerprint=_fingerprint(place, node),
        warnings=(*warnings, *more),
        fill_value=arrays[0].fill_value,
    )
    return replace(header, channels=_channels(node.ome.get("omero"), header.size("c")))


def _datasets(image: Json, where: str) -> tuple[list[str], list[Json]]:
    datasets = as_objects(image.get("datasets"), f"{where}.datasets")
    if not 0 < len(datasets) <= _LEVELS:
        raise HeaderError(f"{where}.datasets", f"found {len(datasets)} levels", f"1 to {_LEVELS}")
    return [safe_key(d.get("path"), f"{where}.datasets[{i}].path") for i, d in enumerate(datasets)], datasets


def _arrays(place: Place, node: Node, paths: list[str]) -> list[ArrayInfo]:
    keys = [join(node.key, path) for path in paths]
    arrays: list[ArrayInfo] = []
    for key, found in zip(keys, read_nodes(place, keys, node.zarr_format), strict=True):
        if isinstance(found, SourceError):
            raise found
        if found is None or not found.is_array:
            raise HeaderError(place.where(key), "is missing", "the array that the multiscales name")
        arrays.append(array_info(found, place.where(key)))
    return arrays


def _check_arrays(arrays: list[ArrayInfo], axes: tuple[Axis, ...], where: str) -> None:
    first = arrays[0]
    if 0 in first.shape:
        raise HeaderError(
            f"{where}.datasets[0]", f"found the empty shape {list(first.shape)}", "at least one pixel"
        )
    for index, array in enumerate(arrays):
        if len(array.shape) != len(axes):
            found = f"found {len(array.shape)} dimensions"
            raise HeaderError(f"{where}.datasets[{index}]", found, f"{len(axes)}, one for each axis")
        if any(not 0 < small <= large for small, large in zip(array.shape, first.shape, strict=True)):
            found, most = f"found the shape {list(array.shape)}", list(first.shape)
            raise HeaderError(f"{where}.datasets[{index}]", found, f"no more than the full resolution {most}")
    for axis, size in zip(axes, first.shape, strict=True):
        if axis.name not in AXIS_TYPES and size > 1:
            found = f"found the axis {axis.name!r:.50} of size {size}"
            raise HeaderError(f"{where}.axes", found, "t, c, z, y and x, or size 1")


def _axes(image: Json, ndim: int, where: str, warnings: list[str]) -> tuple[Axis, ...]:
    """Return the axes, by whatever means the version of the specification names them."""
    raw = image.get("axes")
    systems = image.get("coordinateSystems")
    if raw is None and isinstance(systems, list) and systems:
        raw = as_object(systems[0], where).get("axes")
    if raw is None:
        if ndim != 5:
            raise HeaderError(where, f"is missing for {ndim} dimensions", "a name for each")
        raw = ["t", "c", "z", "y", "x"]
    if not isinstance(raw, list):
        raise HeaderError(where, f"found {raw!r:.100}", "a list of axes")
    axes: list[Axis] = []
    for index, item in enumerate(raw):
        entry: Json = {"name": item} if isinstance(item, str) else as_object(item, f"{where}[{index}]")
        name, kind, unit = entry.get("name"), entry.get("type"), entry.get("unit")
        if not isinstance(name, str) or not name:
            raise HeaderError(f"{where}[{index}].name", f"found {name!r:.50}", "a name")
        usual = _usual_name(name, kind, axes)
        if usual != name:
            warnings.append(f"{where}[{index}]: axis {name!r:.50} is taken as {usual!r}")
        kind = kind if isinstance(kind, str) else AXIS_TYPES.get(usual)
        axes.append(Axis(usual, kind, unit if isinstance(unit, str) and unit else None))
    names = [axis.name for axis in axes]
    if len(names) != ndim or len(set(names)) != len(names) or not {"y", "x"} <= set(names):
        raise HeaderError(
            where, f"found {names!r:.200} for {ndim} dimensions", "one name for each, with y and x"
        )
    return tuple(axes)


def _usual_name(name: str, kind: object, before: list[Axis]) -> str:
    if name.lower() in AXIS_TYPES:
        return name.lower()
    usual = _BY_TYPE.get(kind) if isinstance(kind, str) else None
    return usual if usual is not None and usual not in [axis.name for axis in before] else name


def _transform(raw: object, ndim: int, where: str, warnings: list[str]) -> _Transform:
    """Return one list of coordinate transformations; without a scale where no step has one."""
    none, total = (None,) * ndim, _Transform((1.0,) * ndim, None)
    if raw is None:
        return _Transform(none, None)
    is_scaled = False
    steps = list(raw) if isinstance(raw, list) else [raw]
    while steps:
        step = steps.pop(0)
        kind = step.get("type") if isinstance(step, dict) else None
        values = _numbers(step.get(kind), ndim) if isinstance(kind, str) and isinstance(step, dict) else None
        broken = values is not None and any(not _makes_sense(kind, value) for value in values)
        if broken:
            found = f"{where}: the coordinate transformation {step!r:.100} makes no sense along every axis"
            warnings.append(f"{found}; the others are kept")
        if kind == "sequence" and isinstance(step, dict) and isinstance(step.get("transformations"), list):
            steps = [*step["transformations"], *steps]
        elif kind == "scale" and values is not None:
            factors = tuple(value if _makes_sense(kind, value) else None for value in values)
            total, is_scaled = _scaled(total, factors), True
        elif kind == "translation" and values is not None:
            offsets = tuple(value if value is not None else 0.0 for value in values)
            total = _compose(total, _Transform((1.0,) * ndim, offsets))
        elif kind != "identity":
            warnings.append(f"{where}: the coordinate transformation {step!r:.100} is not understood")
    return total if is_scaled else replace(total, scale=none)


def _scaled(total: _Transform, factors: tuple[float | None, ...]) -> _Transform:
    """Return a transform followed by a scale; along an axis without a factor there is none any more."""
    scaled = _compose(total, _Transform(factors, None))
    kept = zip(scaled.scale, factors, strict=True)
    return replace(scaled, scale=tuple(None if factor is None else one for one, factor in kept))


def _makes_sense(kind: object, value: float | None) -> bool:
    return value is not None and (kind != "scale" or value > 0)


def _numbers(value: object, ndim: int) -> tuple[float | None, ...] | None:
    """Return one number an axis, ``None`` for those that are none; ``None`` for a list of another length."""
    if not isinstance(value, list) or len(value) != ndim:
        return None
    return tuple(_number(item) for item in value)


def _number(item: object) -> float | None:
    if not isinstance(item, int | float) or isinstance(item, bool):
        return None
    try:
        number = float(item)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _completed(level: _Transform, full: _Transform, ratio: tuple[float, ...]) -> _Transform:
    """Return a level whose missing factors follow from those of the full resolution and the shapes.

    At full resolution itself they are 1.
    """
    scale = tuple(
        one if one is not None else (large or 1.0) * step
        for one, large, step in zip(level.scale, full.scale, ratio, strict=True)
    )
    return _Transform(scale, level.translation)


def _numbers_of(scale: tuple[float | None, ...]) -> tuple[float, ...]:
    return tuple(1.0 if one is None else one for one in scale)


def _compose(inner: _Transform, outer: _Transform) -> _Transform:
    factors = _numbers_of(outer.scale)
    scale = tuple(a if a is None else a * b for a, b in zip(inner.scale, factors, strict=True))
    if inner.translation is None and outer.translation is None:
        return _Transform(scale, None)
    zero = (0.0,) * len(scale)
    moved = zip(inner.translation or zero, factors, outer.translation or zero, strict=True)
    return _Transform(scale, tuple(t * s + u for t, s, u in moved))


def _channels(omero: object, count: int) -> tuple[ChannelDisplay, ...]:
    raw = omero.get("channels") if isinstance(omero, dict) else None
    entries: list[object] = raw[:count] if isinstance(raw, list) else []
    entries += [None] * (count - len(entries))
    return tuple(_channel(entry if isinstance(entry, dict) else {}) for entry in entries)


def _channel(entry: Json) -> ChannelDisplay:
    label, color, active = entry.get("label"), entry.get("color"), entry.get("active")
    digits = color.removeprefix("#").upper() if isinstance(color, str) else ""
    ok = len(digits) == 6 and all(digit in "0123456789ABCDEF" for digit in digits)
    return ChannelDisplay(
        label=str(label) if isinstance(label, str | int) and str(label) else None,
        color=digits if ok else None,
        active=active if isinstance(active, bool) else None,
    )


def _fingerprint(place: Place, node: Node) -> Fingerprint:
    """Return the state of the metadata document of an image.

    Consolidated metadata inside the document tells of other groups, such as a result that is entered there
    later: it is left out, and size, time and tag of the whole document say nothing.
    """
    if "consolidated_metadata" in node.document:
        own = {name: value for name, value in node.document.items() if name != "consolidated_metadata"}
        content = json.dumps(own, sort_keys=True).encode()
        return Fingerprint(len(content), None, None, _checksum(content))
    content = node.content
    fingerprint = place.stat(node.document_key)
    if fingerprint is None:
        return Fingerprint(len(content), None, None, _checksum(content))
    return replace(fingerprint, size_bytes=len(content), checksum=_checksum(content))


def _checksum(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
