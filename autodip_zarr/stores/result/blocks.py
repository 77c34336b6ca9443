"""Pixels of a result, block by block: each block is whole shards, so that no two of them touch an object."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Block, TargetSpec
from autodip_zarr.errors import PixelError, TargetError
from autodip_zarr.stores.access.errors import target_write_errors
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.result.keys import UNCERTAINTY
from autodip_zarr.stores.zarr.checksums import Checksum


def write_block(spec: TargetSpec, block: Block, planes: NDArray[Any]) -> dict[str, Checksum | None]:
    """Write the pixels of a block: whole shards, so that no other block touches them.

    Parameters
    ----------
    spec : TargetSpec
        The result.
    block : Block
        The planes.
    planes : (N, Y, X)
        One for each of ``block.positions``, in the pixel type of the result; see `converted`.

    Returns
    -------
    dict
        Checksums of the objects that were written, by key, for `write_record`.

    Raises
    ------
    TargetError
        The planes are of another shape or type, or cannot be written.
    """
    expected = (len(block.positions), spec.size("y"), spec.size("x"))
    if planes.shape != expected or planes.dtype != np.dtype(spec.dtype):
        found = f"found planes of shape {planes.shape} and type {planes.dtype}"
        raise TargetError(spec.uri, found, f"{expected} and {spec.dtype}")
    return _write_planes(spec, spec.levels[0].path, block, planes)


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

    from autodip_zarr.stores.zarr.checksumming_store import ChecksummingStore  # noqa: PLC0415 - imports zarr

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
    with target_write_errors(spec.uri), place.zarr_store(read_only=False, replaces=True) as store:
        checksumming = ChecksummingStore(store)
        array = zarr.open_array(checksumming, path=path, mode="r+", zarr_format=spec.zarr_format)
        replace_region(place, array, region, pixels.reshape(shape))
        keys = list(_written(array, region))
        for key in keys:  # a block is recorded as done only once its pixels are safe
            place.sync(key)
    return {key: checksumming.written.get(key) for key in keys}


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
        raise PixelError(where, f"cannot be read: {error_message(error)}") from error
    present = [name for name in "tzyx" if name in names]
    others = [name for name in names if name not in present]
    pixels = np.transpose(pixels, [names.index(name) for name in [*others, *present]])
    return pixels.reshape(len(block.positions), spec.size("y"), spec.size("x"))
