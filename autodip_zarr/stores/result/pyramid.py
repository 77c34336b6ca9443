"""Finish a result: the levels below full resolution, the rendering windows, and its final state."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.activity import ACTIVITY
from autodip_zarr.domain import TargetSpec
from autodip_zarr.stores.access.errors import target_write_errors
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE
from autodip_zarr.stores.result.blocks import replace_region
from autodip_zarr.stores.result.failures import forget_failures
from autodip_zarr.stores.result.ome_attributes import omero
from autodip_zarr.stores.result.ownership import result_node
from autodip_zarr.stores.result.record import RECORD_FIELDS, read_record
from autodip_zarr.stores.zarr.checksums import (
    OBJECTS_IN_A_PART,
    RESULT,
    Checksum,
    checksum,
    manifest,
)
from autodip_zarr.stores.zarr.documents import with_attributes, with_ome, write_documents

_STRIP_PX = 4 * 1024 * 1024
_SAMPLE_TILES = 24
_PERCENTILES = (0.1, 99.9)

Window = tuple[float, float, float, float]
"""Minimum, maximum, start and end."""


def _always() -> None:
    """Let everything be written."""


def finish_target(
    spec: TargetSpec,
    attributes: Mapping[str, object],
    may_write: Callable[[], None] = _always,
    beside: Mapping[str, bytes] | None = None,
) -> None:
    """Build the pyramid, set the rendering windows, and replace the ``autodip`` attribute, in this order.

    Doing it again is harmless. Memory is bounded by a shard and a strip of rows, whatever the image.

    Parameters
    ----------
    spec : TargetSpec
        The result, all blocks written.
    attributes : mapping
        New ``autodip`` attribute, JSON.
    may_write : callable
        Called before each write; what it raises ends the work.
    beside : mapping, optional
        Documents that are written beside those of Zarr, by key.

    Raises
    ------
    TargetError
        There is no result, or it cannot be written.
    """
    place = open_place(spec.uri)
    node = result_node(place)
    record = read_record(spec.uri)
    with target_write_errors(spec.uri):
        objects, windows = _write_levels(place, spec, record, may_write)
    kept = forget_failures(place, record)
    ome = {**node.ome, "omero": omero(spec, windows)}
    ome.pop(RESULT_ATTRIBUTE, None)
    changed = {**node.attributes, **with_ome(spec.zarr_format, ome), RESULT_ATTRIBUTE: dict(attributes)}
    document = with_attributes(node, changed)
    for level in spec.levels[1:]:
        place.sync(level.path)
    may_write()
    write_documents(place, beside or {})
    if spec.checksums:
        documents = {**kept, **(beside or {}), **document}
        objects |= {key: checksum(content, keep=True) for key, content in documents.items()}
        write_documents(place, manifest(RESULT, objects))
    may_write()
    write_documents(place, document)  # last: it says that all is done


def _write_levels(
    place: Place, spec: TargetSpec, record: NDArray[np.float64], may_write: Callable[[], None]
) -> tuple[dict[str, Checksum | None], dict[int, Window]]:
    """Write the levels below full resolution; return their checksums and the rendering windows.

    Of huge images the checksums are written in parts on the way, and those of the parts returned.
    """
    import zarr  # noqa: PLC0415

    from autodip_zarr.stores.zarr.checksumming_store import ChecksummingStore  # noqa: PLC0415 - imports zarr

    names = [axis.name for axis in spec.axes]
    parts: dict[str, Checksum | None] = {}
    with (
        place.zarr_store(read_only=True) as source,
        place.zarr_store(read_only=False, replaces=True) as target,
    ):
        checksumming = ChecksummingStore(target)
        paths = [level.path for level in spec.levels]
        arrays = [zarr.open_array(source, path=p, mode="r", zarr_format=spec.zarr_format) for p in paths]
        for fine, path in zip(arrays[:-1], paths[1:], strict=True):
            coarse = zarr.open_array(checksumming, path=path, mode="r+", zarr_format=spec.zarr_format)
            for region, means in downscaled(fine, coarse, names):
                may_write()
                replace_region(place, coarse, region, means)
                if spec.checksums and len(checksumming.written) >= OBJECTS_IN_A_PART:
                    part = manifest(f"levels-{len(parts)}", checksumming.written)
                    write_documents(place, part)
                    parts |= {key: checksum(content) for key, content in part.items()}
                    checksumming.written.clear()
        return {**parts, **checksumming.written}, _windows(arrays[-1], names, record)


def are_levels_right(spec: TargetSpec) -> bool:
    """Return whether every level below full resolution has the means of the one above.

    Reads all pixels; for results that have no checksums.
    """
    import zarr  # noqa: PLC0415

    from autodip_zarr.stores.zarr.guarded_store import GuardedStore  # noqa: PLC0415 - imports zarr

    names = [axis.name for axis in spec.axes]
    paths = [level.path for level in spec.levels]
    try:
        with open_place(spec.uri).zarr_store(read_only=True) as store:
            guarded = GuardedStore(store)
            arrays = [zarr.open_array(guarded, path=p, mode="r", zarr_format=spec.zarr_format) for p in paths]
            for array in arrays:
                guarded.expect(array)
            return all(
                np.array_equal(coarse[region], means, equal_nan=means.dtype.kind == "f")
                for fine, coarse in itertools.pairwise(arrays)
                for region, means in downscaled(fine, coarse, names)
            )
    except (ValueError, RuntimeError, FileNotFoundError, KeyError):  # of codecs, and of documents
        return False


def downscaled(
    fine: Any,  # noqa: ANN401
    coarse: Any,  # noqa: ANN401
    names: list[str],
) -> Iterator[tuple[tuple[slice, ...], NDArray[Any]]]:
    """Yield the regions of one level with their means of the level above.

    Parameters
    ----------
    fine, coarse : zarr.Array
        Neighbouring levels; `coarse` is no larger along any axis.
    names : list of str
        Axes of both.

    Yields
    ------
    region : tuple of slice
        A whole shard of `coarse`, or a chunk where it has no shards.
    means : ndarray
        Its pixels.
    """
    for region in _regions(coarse):
        yield region, _means(fine, coarse, region, names)


def _regions(array: Any) -> Iterator[tuple[slice, ...]]:  # noqa: ANN401
    """Yield the regions of an array that are written whole: its shards, or chunks where there are none."""
    step = array.shards or array.chunks
    starts = [range(0, size, part) for size, part in zip(array.shape, step, strict=True)]
    for corner in itertools.product(*starts):
        ends = [min(start + part, size) for start, part, size in zip(corner, step, array.shape, strict=True)]
        yield tuple(slice(start, end) for start, end in zip(corner, ends, strict=True))


def bins(fine: int, coarse: int) -> NDArray[np.int64]:
    """Return the edges of the bins of `fine` pixels that become `coarse` ones: as even as can be.

    Examples
    --------
    >>> bins(7, 3).tolist()
    [0, 2, 4, 7]
    """
    return np.arange(coarse + 1, dtype=np.int64) * fine // coarse


def _means(fine: Any, coarse: Any, region: tuple[slice, ...], names: list[str]) -> NDArray[Any]:  # noqa: ANN401
    """Return the pixels of one region of a level, as means over the level above."""
    edges = [bins(large, small) for large, small in zip(fine.shape, coarse.shape, strict=True)]
    shape = [cut.stop - cut.start for cut in region]
    result = np.empty(shape, coarse.dtype)
    y, x = names.index("y"), names.index("x")
    others = [axis for axis in range(len(names)) if axis not in (y, x)]
    xs = edges[x][region[x].start : region[x].stop + 1]
    rows = max(_STRIP_PX * coarse.shape[y] // (int(xs[-1] - xs[0]) * fine.shape[y]), 1)
    for index in itertools.product(*(range(region[axis].start, region[axis].stop) for axis in others)):
        planes = [range(*edges[axis][i : i + 2].tolist()) for axis, i in zip(others, index, strict=True)]
        for top in range(region[y].start, region[y].stop, rows):
            ACTIVITY.goes_on()
            bottom = min(top + rows, region[y].stop)
            ys = edges[y][top : bottom + 1]
            total = np.zeros((bottom - top, len(xs) - 1))
            for position in itertools.product(*planes):
                cut: list[Any] = [slice(None)] * len(names)
                cut[y], cut[x] = slice(int(ys[0]), int(ys[-1])), slice(int(xs[0]), int(xs[-1]))
                for axis, i in zip(others, position, strict=True):
                    cut[axis] = i
                strip = np.asarray(fine[tuple(cut)], np.float64)
                strip = strip if y < x else strip.T
                strip = np.add.reduceat(strip, ys[:-1] - ys[0], axis=0)
                total += np.add.reduceat(strip, xs[:-1] - xs[0], axis=1)
            count = np.outer(np.diff(ys), np.diff(xs)) * math.prod(len(span) for span in planes)
            mean = total / count
            mean = np.rint(mean) if coarse.dtype.kind in "ui" else mean
            out: list[Any] = [slice(None)] * len(names)
            out[y] = slice(top - region[y].start, bottom - region[y].start)
            for axis, i in zip(others, index, strict=True):
                out[axis] = i - region[axis].start
            result[tuple(out)] = mean if y < x else mean.T
    return result


def _windows(
    smallest: Any,  # noqa: ANN401
    names: list[str],
    record: NDArray[np.float64],
) -> dict[int, Window]:
    """Return the rendering window of each channel: the range recorded, percentiles of the smallest level."""
    windows: dict[int, Window] = {}
    lows = record[..., RECORD_FIELDS.index("minimum")]
    highs = record[..., RECORD_FIELDS.index("maximum")]
    for c in range(record.shape[1]):
        sample = _sample(smallest, names, c)
        sample = sample[np.isfinite(sample)]
        known = np.concatenate([sample, lows[:, c].ravel(), highs[:, c].ravel()])
        known = known[np.isfinite(known)]
        if known.size == 0:
            continue
        start, end = np.percentile(sample if sample.size else known, _PERCENTILES)
        end = end if end > start else start + 1.0
        windows[c] = (float(known.min()), float(max(known.max(), end)), float(start), float(end))
    return windows


def _sample(array: Any, names: list[str], c: int) -> NDArray[np.float64]:  # noqa: ANN401
    """Return pixels of evenly spread chunks of one channel."""
    grids = [range(-(-size // part)) for size, part in zip(array.shape, array.chunks, strict=True)]
    if "c" in names:
        grids[names.index("c")] = range(c, c + 1)
    total = math.prod(len(grid) for grid in grids)
    picks = np.unique(np.linspace(0, total - 1, min(total, _SAMPLE_TILES)).astype(np.int64))
    tiles: list[NDArray[np.float64]] = []
    for pick in picks:
        corner = np.unravel_index(int(pick), [len(grid) for grid in grids])
        cut = tuple(
            slice((grid.start + int(at)) * part, (grid.start + int(at) + 1) * part)
            for grid, at, part in zip(grids, corner, array.chunks, strict=True)
        )
        tiles.append(np.asarray(array[cut], np.float64).ravel())
    return np.concatenate(tiles)
