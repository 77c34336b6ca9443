"""Planes of OME-Zarr images, each rectangle of them read at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Header
from autodip_zarr.errors import PixelError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.place import open_place
from autodip_zarr.stores.access.planes import Positions, name_plane, unreadable_plane
from autodip_zarr.stores.zarr.nodes import join


def read_zarr_planes(header: Header, c: int, positions: Positions) -> NDArray[Any]:
    """Return planes of one channel at full resolution, (N, Y, X).

    Raises
    ------
    PixelError
        The array cannot be opened, or a chunk of some planes be read; the first of these is named.
    """
    from autodip_zarr.stores.zarr.guarded_store import GuardedStore  # noqa: PLC0415 - imports zarr

    stack = np.empty((len(positions), header.size("y"), header.size("x")), header.dtype)
    place = open_place(header.ref.uri)
    with place.zarr_store(read_only=True) as store:
        try:
            guarded = GuardedStore(store)
            array = _open_array(guarded, join(header.ref.group, header.levels[0].path), header.zarr_format)
            guarded.expect(array)
        except MemoryError:
            raise
        except Exception as error:  # zarr and its codecs have errors of their own
            raise PixelError(
                public_uri(header.ref.source), f"cannot be opened: {error_message(error)}"
            ) from error
        start = 0
        for run in _rectangles(positions):
            try:
                stack[start : start + len(run)] = _rectangle(array, header, c, run)
            except MemoryError:
                raise
            except Exception as error:  # see above; a corrupt chunk is met here
                raise unreadable_plane(name_plane(header, c, run[0]), error) from error
            start += len(run)
    return stack


Rows = Callable[[int, int, int, slice], NDArray[Any]]
"""Reads rows (Y, X) of a plane, given by time point, channel and depth."""


@contextmanager
def opened_levels(header: Header) -> Iterator[list[Rows]]:
    """Open all resolution levels of an image, to read them some rows at a time.

    Parameters
    ----------
    header : Header
        The image.

    Yields
    ------
    list of callable
        One a level: ``read(t, c, z, rows)`` gives (Y, X) in the pixel type of the source.

    Raises
    ------
    PixelError
        An array cannot be opened; the functions raise it where a chunk cannot be read.
    """
    from autodip_zarr.stores.zarr.guarded_store import GuardedStore  # noqa: PLC0415 - imports zarr

    names = [axis.name for axis in header.axes]
    with open_place(header.ref.uri).zarr_store(read_only=True) as store:
        readers: list[Rows] = []
        for level in header.levels:
            guarded = GuardedStore(store)
            try:
                array = _open_array(guarded, join(header.ref.group, level.path), header.zarr_format)
                guarded.expect(array)
            except MemoryError:
                raise
            except Exception as error:  # zarr and its codecs have errors of their own
                where = f"{public_uri(header.ref.source)}: level {level.path}"
                raise PixelError(where, f"cannot be opened: {error_message(error)}") from error
            readers.append(_rows_of(array, header, names))
        yield readers


def _rows_of(array: Any, header: Header, names: list[str]) -> Rows:  # noqa: ANN401
    def read(t: int, c: int, z: int, rows: slice) -> NDArray[Any]:
        at: dict[str, int | slice] = {"t": t, "c": c, "z": z, "y": rows, "x": slice(None)}
        try:
            part = np.asarray(array[tuple(at.get(name, 0) for name in names)])
        except MemoryError:
            raise
        except Exception as error:  # see above; a corrupt chunk is met here
            raise unreadable_plane(name_plane(header, c, (t, z)), error) from error
        return part if names.index("y") < names.index("x") else part.T

    return read


def _open_array(store: Any, path: str, zarr_format: Literal[2, 3] | None) -> Any:  # noqa: ANN401
    """Open an array of a store, without the remarks that zarr makes about old writers."""
    import zarr  # noqa: PLC0415
    from zarr.errors import ZarrUserWarning  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)
        return zarr.open_array(store, path=path, mode="r", zarr_format=zarr_format)


def _rectangles(positions: Positions) -> list[list[tuple[int, int]]]:
    """Split positions into lists that one slice of the array can give, in order."""
    ts, zs = sorted({t for t, _ in positions}), sorted({z for _, z in positions})
    whole = [(t, z) for t in ts for z in zs]
    if positions and list(positions) == whole and _is_range(ts) and _is_range(zs):
        return [whole]
    runs: list[list[tuple[int, int]]] = []
    for t, z in positions:
        if runs and runs[-1][-1] == (t, z - 1):
            runs[-1].append((t, z))
        else:
            runs.append([(t, z)])
    return runs


def _is_range(numbers: list[int]) -> bool:
    return numbers[-1] - numbers[0] + 1 == len(numbers)


def _rectangle(array: Any, header: Header, c: int, run: list[tuple[int, int]]) -> NDArray[Any]:  # noqa: ANN401
    """Return the planes of a rectangle of positions as (N, Y, X)."""
    wanted = {
        "t": slice(run[0][0], run[-1][0] + 1),
        "z": slice(run[0][1], run[-1][1] + 1),
        "c": slice(c, c + 1),
    }
    names = [axis.name for axis in header.axes]
    every = slice(None)
    selection = tuple(every if name in ("y", "x") else wanted.get(name, slice(0, 1)) for name in names)
    block = np.asarray(array[selection])
    kept = [name for name in "tzyx" if name in names]
    dropped = tuple(index for index, name in enumerate(names) if name not in kept)
    block = np.squeeze(block, axis=dropped)
    left = [name for name in names if name in kept]
    block = np.transpose(block, [left.index(name) for name in kept])
    return block.reshape(len(run), *block.shape[-2:])
