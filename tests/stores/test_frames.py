"""Frames of plain files: TIFF, PNG, NumPy and MRC, whole and averaged, and what is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from autodip_zarr.errors import SourceError
from autodip_zarr.stores import write_image
from autodip_zarr.stores.frames import Frames, frame_stack, read_frames

STACK: NDArray[np.uint16] = np.random.default_rng(0).integers(0, 900, (4, 6, 8)).astype(np.uint16)


def write(folder: Path, suffix: str, stack: NDArray[np.generic] = STACK) -> str:
    path = folder / f"stack{suffix}"
    if suffix == ".npy":
        np.save(path, stack)
    elif suffix == ".mrc":
        with mrcfile.new(path) as file:
            file.set_data(stack)
    else:
        tifffile.imwrite(path, stack, photometric="minisblack")
    return str(path)


@pytest.mark.parametrize("suffix", [".npy", ".mrc", ".tif"])
def test_frames_are_read_alone_and_averaged(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, suffix)
    known = frame_stack(path)
    assert (known.frames, known.size, known.dtype) == (4, (6, 8), "uint16")
    np.testing.assert_array_equal(read_frames(Frames(path, 2)), STACK[2])
    assert read_frames(Frames(path, 2)).dtype == np.uint16
    np.testing.assert_allclose(read_frames(Frames(path, 1, 2)), STACK[1:3].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(read_frames(Frames(path, 0, None)), STACK.mean(axis=0), rtol=1e-6)
    with pytest.raises(SourceError, match="holds 4 frames; expected 5 frames or more"):
        read_frames(Frames(path, 4))


def test_single_planes_and_pages_with_a_further_axis(tmp_path: Path) -> None:
    write_image(str(tmp_path / "a.png"), STACK[0])
    assert frame_stack(str(tmp_path / "a.png")).frames == 1
    np.testing.assert_array_equal(read_frames(Frames(str(tmp_path / "a.png"))), STACK[0])
    np.testing.assert_array_equal(read_frames(Frames(write(tmp_path, ".npy", STACK[0]))), STACK[0])
    colours = np.stack([STACK[0], STACK[1], STACK[2]], axis=-1)
    tifffile.imwrite(tmp_path / "rgb.tif", colours, photometric="rgb")
    np.testing.assert_array_equal(read_frames(Frames(str(tmp_path / "rgb.tif"))), STACK[0])


def test_a_file_that_changed_is_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path, ".npy")
    before = frame_stack(path).state
    os.utime(path, ns=(1, 1))
    assert frame_stack(path).state != before


def test_what_holds_no_frames_says_so(tmp_path: Path) -> None:
    objects = tmp_path / "objects.npy"
    np.save(objects, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for name in ("cut.npy", "cut.mrc", "cut.tif", "cut.png"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
    os.mkfifo(tmp_path / "pipe.npy")
    np.save(tmp_path / "deep.npy", np.zeros((2, 2, 2, 2)))
    np.save(tmp_path / "complex.npy", np.zeros((2, 2), complex))
    bad = ["objects.npy", "cut.npy", "cut.mrc", "cut.tif", "cut.png", "pipe.npy", "deep.npy", "complex.npy"]
    for name in [*bad, "missing.npy", "missing.mrc", "missing.tif", "missing.png", "text.txt"]:
        with pytest.raises(SourceError):
            frame_stack(str(tmp_path / name))


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, ".mrc")
    monkeypatch.setitem(sys.modules, "mrcfile", None)
    with pytest.raises(SourceError, match=r"mrcfile is not installed; pip install"):
        frame_stack(path)
