"""Stacks of frames in plain files, as public sets of images keep them: TIFF, PNG, NumPy, MRC."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.errors import PixelError, SourceError
from autodip_zarr.stores.pictures import read_image
from autodip_zarr.stores.tiff.files import is_tiff_name, open_tiff

_NUMPY, _MRC, _PNG = ".npy", (".mrc", ".mrcs"), ".png"
FRAME_SUFFIXES: Final = (_NUMPY, *_MRC)
"""Endings of files that nothing else of this program reads."""

_EXPECTED: Final = "TIFF, PNG, .npy or .mrc of planes (Y, X)"


@dataclass(frozen=True)
class Frames:
    """Frames of one file, of which a plane is made."""

    path: str
    """Local file."""
    first: int = 0
    """The first that is taken."""
    count: int | None = 1
    """How many are taken and averaged; ``None`` for all to the last."""


@dataclass(frozen=True)
class FrameStack:
    """What a file of frames holds."""

    frames: int
    """How many."""
    size: tuple[int, int]
    """Size of each (Y, X), in pixels."""
    dtype: str
    """Pixel type."""
    state: str
    """Bytes and time of last change of the file, to tell whether it is still the same."""


def frame_stack(path: str) -> FrameStack:
    """Return what a file holds, without reading its pixels but those of a PNG.

    Raises
    ------
    SourceError
        It is missing, cannot be read, or holds something else than planes.
    """
    with _opened(path) as (shape, dtype, _):
        about = Path(path).stat()
        state = f"{about.st_size} {about.st_mtime_ns}"
        return FrameStack(shape[0], (shape[1], shape[2]), dtype.name, state)


def read_frames(frames: Frames) -> NDArray[Any]:
    """Return a plane (Y, X): one frame in the type of the file, or the mean of several in float32.

    Raises
    ------
    SourceError
        The file is missing, cannot be read, or has no such frames.
    """
    with _opened(frames.path) as (shape, dtype, read):
        count = shape[0] - frames.first if frames.count is None else frames.count
        if not (frames.first >= 0 and count > 0 and frames.first + count <= shape[0]):
            last = frames.first + max(count, 1) - 1
            expected = f"{last + 1} frames or more, to take {frames.first} to {last}"
            raise SourceError(frames.path, f"holds {shape[0]} frames", expected)
        if count == 1:
            return np.array(read(frames.first), dtype.newbyteorder("="))
        total = np.zeros(shape[1:])
        for index in range(frames.first, frames.first + count):
            total += read(index)
        return (total / count).astype(np.float32)


@contextmanager
def _opened(path: str) -> Iterator[tuple[tuple[int, int, int], np.dtype[Any], Any]]:
    """Yield the shape (frames, Y, X) of a file, its pixel type, and a function that reads one frame."""
    suffix = Path(path).suffix.lower()
    if suffix in _MRC:
        with _mrc(path) as array:
            yield _checked(path, array)
    elif suffix == _NUMPY:
        yield _checked(path, _numpy(path))
    elif suffix == _PNG:
        yield _checked(path, read_image(path))
    elif is_tiff_name(path):
        with open_tiff(path) as tif:
            yield _pages(path, tif)
    else:
        raise SourceError(path, f"ends in {suffix or 'nothing'}", _EXPECTED)


def _checked(path: str, array: NDArray[Any]) -> tuple[tuple[int, int, int], np.dtype[Any], Any]:
    if array.ndim not in (2, 3) or not array.size or array.dtype.kind not in "uif":
        raise SourceError(path, f"holds an array of shape {array.shape} and type {array.dtype}", _EXPECTED)
    planes = array if array.ndim == 3 else array[None]
    return (planes.shape[0], planes.shape[1], planes.shape[2]), planes.dtype, planes.__getitem__


def _numpy(path: str) -> NDArray[Any]:
    _refuse_special(path)
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise SourceError(path, "is missing; check the path") from error
    except (OSError, ValueError, EOFError) as error:
        raise PixelError(path, f"cannot be read: {error}", "an array that numpy.save wrote") from error
    return array


@contextmanager
def _mrc(path: str) -> Iterator[NDArray[Any]]:
    try:
        import mrcfile  # noqa: PLC0415 - an extra
    except ImportError as error:
        hint = 'pip install "autodip-zarr[mrc]"'
        raise SourceError(path, "is MRC, and the package mrcfile is not installed", "", hint) from error
    _refuse_special(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of headers that are odd, and read all the same
            file = mrcfile.mmap(path, mode="r", permissive=False)
    except FileNotFoundError as error:
        raise SourceError(path, "is missing; check the path") from error
    except (OSError, ValueError) as error:
        raise PixelError(path, f"cannot be read: {error}", "an MRC file") from error
    with file:
        yield np.asarray(file.data)


def _pages(path: str, tif: Any) -> tuple[tuple[int, int, int], np.dtype[Any], Any]:  # noqa: ANN401 - tifffile
    """Return the pages of a TIFF; of a further axis of pages its first, as the set of Shah is read."""
    first = tif.pages[0]
    shape, dtype = first.shape, first.dtype
    if len(shape) not in (2, 3) or dtype is None or dtype.kind not in "uif":
        raise SourceError(path, f"holds pages of shape {shape} and type {dtype}", _EXPECTED)

    def read(index: int) -> NDArray[Any]:
        try:
            page: NDArray[Any] = tif.pages[index].asarray()
        except (OSError, ValueError, RuntimeError) as error:
            raise PixelError(path, f"page {index} cannot be read: {error}") from error
        if page.shape != shape:
            raise PixelError(path, f"page {index} is {page.shape}", f"{shape}, as the first one")
        return page if page.ndim == 2 else page[..., 0]

    return (len(tif.pages), shape[0], shape[1]), dtype, read


def _refuse_special(path: str) -> None:
    """Refuse pipes and devices, which would be waited for."""
    if os.path.lexists(path) and not Path(path).is_file():
        raise SourceError(path, "is no regular file", _EXPECTED)
