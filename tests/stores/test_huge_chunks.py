"""Chunks that are far larger than their pixels: refused by their size, before they fill the memory."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import google_crc32c
import numpy as np
import pytest

from autodip_zarr.errors import PixelError
from autodip_zarr.stores import read_header, read_planes

from .builders import ZarrFormat, only, pixels, write_array, write_image

HUGE = 400_000_000


def image(path: Path, zarr_format: ZarrFormat) -> tuple[Path, str]:
    """Write an image of two planes, and return it with the key of the second chunk."""
    write_image(path, pixels((2, 16, 16)), "zyx", zarr_format)
    return path, "0/c/1/0/0" if zarr_format == 3 else "0/1/0/0"


def assert_refused(path: Path) -> None:
    header = read_header(only(path))
    read_planes(header, 0, [(0, 0)])
    tracemalloc.start()
    try:
        with pytest.raises(PixelError, match="more than its pixels can need"):
            read_planes(header, 0, [(0, 1)])
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_huge_chunk_in_a_folder(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    path, key = image(tmp_path / "x.zarr", zarr_format)
    with (path / key).open("r+b") as file:
        file.truncate(HUGE)
    assert_refused(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_huge_chunk_in_an_archive(tmp_path: Path, zarr_format: ZarrFormat, compression: int) -> None:
    path, key = image(tmp_path / "x.zarr", zarr_format)
    with zipfile.ZipFile(tmp_path / "x.zarr.zip", "w", compression, compresslevel=1) as archive:
        for file in sorted(one for one in path.rglob("*") if one.is_file()):
            name = str(file.relative_to(path))
            if name != key:
                archive.write(file, name)
        with archive.open(key, "w") as member:
            for _ in range(HUGE // 10_000_000):
                member.write(bytes(10_000_000))
    assert_refused(tmp_path / "x.zarr.zip")


def test_an_index_that_names_a_huge_chunk(tmp_path: Path) -> None:
    """The part of a shard that holds one chunk may be no larger than that chunk can need."""
    data = pixels((2, 64, 64))
    path = write_image(tmp_path / "x.zarr", data, "zyx")
    write_array(path / "0", data, 3, chunks=(1, 16, 16), shards=(2, 1024, 1024), overwrite=True)
    shard = path / "0/c/0/0/0"
    content = bytearray(shard.read_bytes())
    header = read_header(only(path))
    np.testing.assert_array_equal(read_planes(header, 0, [(0, 0)])[0], data[0])
    entries = 2 * 64 * 64
    start = len(content) - entries * 16 - 4
    index = np.frombuffer(bytes(content[start:-4]), "<u8").reshape(-1, 2).copy()
    index[0] = (0, 1_000_000)
    crc = google_crc32c.value(index.tobytes())
    shard.write_bytes(bytes(content[:start]) + bytes(1_000_000) + index.tobytes() + crc.to_bytes(4, "little"))
    with pytest.raises(PixelError, match="more than its pixels can need"):
        read_planes(header, 0, [(0, 0)])


@pytest.mark.parametrize("codec", ["none", "noise"])
def test_honest_chunks_are_not_refused(tmp_path: Path, codec: str) -> None:
    """Of one pixel, in shards of many; of noise, which no codec makes smaller."""
    data = np.random.default_rng(0).integers(0, 2**16, (2, 40, 40)).astype(np.uint16)
    path = write_image(tmp_path / "x.zarr", data, "zyx")
    options = {"compressors": None} if codec == "none" else {}
    write_array(path / "0", data, 3, chunks=(1, 1, 1), shards=(2, 40, 40), overwrite=True, **options)
    np.testing.assert_array_equal(read_planes(read_header(only(path)), 0, [(0, 0), (0, 1)]), data)
