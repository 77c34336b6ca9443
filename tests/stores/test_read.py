"""Planes: the right pixels, and errors that name the plane."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autodip_zarr.errors import PixelError
from autodip_zarr.stores import read_each_plane, read_header, read_planes

from .builders import ZarrFormat, only, pixels, write_array, write_image

FORMATS: list[ZarrFormat] = [2, 3]


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "<i4", "float32", ">f8"])
def test_pixels_come_in_native_byte_order(tmp_path: Path, dtype: str) -> None:
    data = pixels((2, 8, 9), dtype)
    header = read_header(only(write_image(tmp_path / "x.zarr", data, "zyx", 2)))
    planes = read_planes(header, 0, [(0, 0), (0, 1)])
    assert planes.dtype.isnative
    assert planes.dtype.name == header.dtype
    np.testing.assert_array_equal(planes, data)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (2, 2, 4, 5, 3)},
        {"chunks": (1, 1, 2, 5, 5), "shards": (2, 1, 4, 5, 10)},
        {"order": "F", "chunks": (1, 2, 3, 4, 5)},
    ],
)
def test_any_chunks(tmp_path: Path, options: dict[str, Any]) -> None:
    data = pixels((2, 2, 4, 5, 10))
    path = write_image(tmp_path / "x.zarr", data, zarr_format=3 if "order" not in options else 2)
    write_array(path / "0", data, 3 if "order" not in options else 2, overwrite=True, **options)
    header = read_header(only(path))
    for positions in ([(0, 0)], [(1, 1), (1, 2)], [(0, 1), (0, 2), (1, 1), (1, 2)], [(1, 3), (0, 0), (1, 3)]):
        expected = np.stack([data[t, 1, z] for t, z in positions])
        np.testing.assert_array_equal(read_planes(header, 1, positions), expected)
    assert read_planes(header, 0, []).shape == (0, 5, 10)


def test_missing_chunks_hold_the_fill_value(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((2, 8, 9)), "zyx", 2)
    (path / "0" / "1" / "0" / "0").unlink()
    assert not read_planes(read_header(only(path)), 0, [(0, 1)]).any()


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("damage", [b"", b"\x00" * 20, b"\xff" * 400])
def test_corrupt_chunks_name_the_plane(tmp_path: Path, zarr_format: ZarrFormat, damage: bytes) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((3, 2, 8, 9)), "tcyx", zarr_format)
    chunk = path / "0" / ("c/2/1/0/0" if zarr_format == 3 else "2/1/0/0")
    chunk.write_bytes(damage)
    header = read_header(only(path))
    assert read_planes(header, 1, [(0, 0), (1, 0)]).shape == (2, 8, 9)
    with pytest.raises(PixelError, match="plane t=2 c=1 z=0: cannot be read"):
        read_planes(header, 1, [(0, 0), (1, 0), (2, 0)])
    first, broken, last = read_each_plane(header, 1, [(0, 0), (2, 0), (1, 0)])
    assert isinstance(broken, PixelError)
    assert "plane t=2 c=1 z=0: cannot be read" in str(broken)
    for plane, at in ((first, (0, 0)), (last, (1, 0))):
        np.testing.assert_array_equal(np.asarray(plane), read_planes(header, 1, [at])[0])


def test_a_corrupt_shard_names_the_plane(tmp_path: Path) -> None:
    data = pixels((4, 8, 9))
    path = write_image(tmp_path / "x.zarr", data, "zyx")
    write_array(path / "0", data, 3, overwrite=True, chunks=(1, 8, 9), shards=(4, 8, 9))
    shard = path / "0" / "c" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[-60:] = bytes(60)
    shard.write_bytes(content)
    with pytest.raises(PixelError, match="plane t=0 c=0 z=0: cannot be read"):
        read_planes(read_header(only(path)), 0, [(0, z) for z in range(4)])


def test_an_array_that_vanished(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((8, 9)), "yx")
    header = read_header(only(path))
    (path / "0" / "zarr.json").unlink()
    with pytest.raises(PixelError, match="cannot be opened"):
        read_planes(header, 0, [(0, 0)])


@pytest.mark.parametrize(
    ("c", "position"), [(1, (0, 0)), (-1, (0, 0)), (0, (1, 0)), (0, (0, 2)), (0, (0, -1))]
)
def test_planes_outside_are_refused(tmp_path: Path, c: int, position: tuple[int, int]) -> None:
    header = read_header(only(write_image(tmp_path / "x.zarr", pixels((2, 8, 9)), "zyx")))
    with pytest.raises(PixelError, match="outside the image"):
        read_planes(header, c, [position])


def test_old_writers_are_read_without_remarks(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((8, 9)), "yx", 2)
    document = path / "0" / ".zarray"
    document.write_text(document.read_text().replace('"filters": null', '"filters": []'))
    assert '"filters": []' in document.read_text()
    assert read_planes(read_header(only(path)), 0, [(0, 0)]).shape == (1, 8, 9)


@pytest.mark.parametrize(
    ("zarr_format", "name", "written", "said"),
    [(2, "v2", "/", "."), (2, "v2", ".", "/"), (3, "default", "/", "."), (3, "default", ".", "/")],
)
def test_chunks_that_lie_in_the_other_layout_are_no_zeros(
    tmp_path: Path, zarr_format: ZarrFormat, name: str, written: str, said: str
) -> None:
    data = pixels((2, 8, 9))
    path = write_image(tmp_path / "x.zarr", data, "zyx", zarr_format)
    shutil.rmtree(path / "0")
    write_array(path / "0", data, zarr_format, chunk_key_encoding={"name": name, "separator": written})
    document = path / "0" / (".zarray" if zarr_format == 2 else "zarr.json")
    text = document.read_text().replace(f'separator": "{written}"', f'separator": "{said}"')
    document.write_text(text)
    header = read_header(only(path))
    with pytest.raises(PixelError, match=r"z=1.*another separator"):
        read_planes(header, 0, [(0, 1)])
    archive = shutil.make_archive(str(tmp_path / "x.zarr"), "zip", path)
    with pytest.raises(PixelError, match="another separator"):
        read_planes(read_header(only(archive)), 0, [(0, 0), (0, 1)])
