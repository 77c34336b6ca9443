"""Chunks that are far larger than their pixels: refused by their size, before they fill the memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import google_crc32c
import imagecodecs
import numpy as np
import pytest
import zarr
from numcodecs import BZ2, LZ4, LZMA, Blosc, Delta, GZip, Zlib, Zstd, get_codec
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ShardingCodec, ZstdCodec
from zarr.codecs.numcodecs import CRC32, Adler32, Fletcher32, JenkinsLookup3

from autodip_zarr.errors import PixelError
from autodip_zarr.stores import read_header, read_planes
from autodip_zarr.stores.access.local.local_stores import FolderStore
from autodip_zarr.stores.zarr.guarded_store import GuardedStore

from .builders import ZarrFormat, only, pixels, write_array, write_image

HUGE = 400_000_000


def zstd_without_size(data: bytes) -> bytes:
    """Return the frame with the size left out of its header, as a stream that was not known before has it."""
    frame = bytes(imagecodecs.zstd_encode(data))
    descriptor = frame[4]
    assert descriptor >> 5 == 0b100  # 4 bytes of size, behind the byte of the window
    return frame[:4] + bytes([descriptor & 0b11111]) + frame[5:6] + frame[10:]


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


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3 specification")
@pytest.mark.parametrize("is_bomb", [False, True])
@pytest.mark.parametrize(
    ("checksum", "options"),
    [
        (CRC32, {}),
        (CRC32, {"location": "end"}),
        (Adler32, {}),
        (Fletcher32, {}),
        (JenkinsLookup3, {}),
    ],
)
def test_a_compressor_inside_a_checksum(
    tmp_path: Path, checksum: type[Any], options: dict[str, str], is_bomb: bool
) -> None:
    data = pixels((2, 64, 64))
    path = write_image(tmp_path / "x.zarr", data, "zyx")
    outer = checksum(**options)
    codecs = (BloscCodec(typesize=2), outer)
    write_array(path / "0", data, 3, chunks=(1, 64, 64), compressors=codecs, overwrite=True)
    if is_bomb:
        bomb = np.frombuffer(imagecodecs.blosc_encode(bytes(64_000_000)), np.uint8)
        (path / "0/c/1/0/0").write_bytes(get_codec(outer.codec_config).encode(bomb))
        assert_refused(path)
    else:
        np.testing.assert_array_equal(read_planes(read_header(only(path)), 0, [(0, 0), (0, 1)]), data)


@pytest.mark.parametrize("order", ["little with a checksum", "little", "big"])
@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("chunk", [1, 16])
def test_a_shard_of_any_index_is_not_refused(
    tmp_path: Path, order: str, location: Literal["start", "end"], chunk: int
) -> None:
    """Of one pixel a chunk the index is far larger than a chunk; a chunk of zeros is not stored."""
    data = pixels((2, 48, 48))
    data[:, :16] = 0
    codecs: dict[str, Any] = {
        "little with a checksum": [BytesCodec(), Crc32cCodec()],
        "little": [BytesCodec()],
        "big": [BytesCodec(endian="big")],
    }
    inner: list[Any] = [BytesCodec(), BloscCodec(typesize=2)]
    sharding = ShardingCodec(
        chunk_shape=(1, chunk, chunk), codecs=inner, index_codecs=codecs[order], index_location=location
    )
    path = write_image(tmp_path / "x.zarr", data, "zyx")
    options: dict[str, Any] = {"chunks": data.shape, "shape": data.shape, "dtype": data.dtype}
    zarr.create(store=path / "0", zarr_format=3, overwrite=True, codecs=[sharding], **options)[...] = data
    header = read_header(only(path))
    for positions in ([(0, 0)], [(0, 0), (0, 1)]):  # by parts, and as a whole
        np.testing.assert_array_equal(read_planes(header, 0, positions), data[: len(positions)])


def test_a_filter_that_stores_wider_numbers(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 256, (2, 256, 256)).astype(np.uint8)
    path = write_image(tmp_path / "x.zarr", data, "zyx", 2)
    options: dict[str, Any] = {"filters": Delta("u1", "i8"), "compressors": Zstd(), "overwrite": True}
    encoding = {"name": "v2", "separator": "/"}
    write_array(path / "0", data, 2, chunks=(1, 256, 256), chunk_key_encoding=encoding, **options)
    np.testing.assert_array_equal(read_planes(read_header(only(path)), 0, [(0, 0), (0, 1)]), data)


BOMBS: dict[str, tuple[object, Callable[[bytes], bytes | bytearray]]] = {
    "zstd": (Zstd(), imagecodecs.zstd_encode),
    "zstd without its size": (Zstd(), zstd_without_size),
    "blosc": (Blosc(), imagecodecs.blosc_encode),
    "lz4": (LZ4(), lambda data: len(data).to_bytes(4, "little") + imagecodecs.lz4_encode(data)),
    "zlib": (Zlib(), zlib.compress),
    "gzip": (GZip(), gzip.compress),
    "gzip behind an honest stream": (GZip(), lambda data: gzip.compress(bytes(512)) + gzip.compress(data)),
    "bz2": (BZ2(), bz2.compress),
    "lzma": (LZMA(), lzma.compress),
    "zstd, in a second frame": (
        Zstd(),
        lambda data: imagecodecs.zstd_encode(b"") + imagecodecs.zstd_encode(data),
    ),
    "gzip, in a second member": (GZip(), lambda data: gzip.compress(b"") + bytes(9) + gzip.compress(data)),
    "bz2, in a second stream": (BZ2(), lambda data: bz2.compress(b"") + bz2.compress(data)),
    "lzma, in a second stream": (LZMA(), lambda data: lzma.compress(b"") + lzma.compress(data)),
}
"""What an array says of its chunks, and what makes a chunk of 64 MB of zeros."""


@pytest.mark.parametrize("name", BOMBS)
def test_a_chunk_of_honest_size_that_decodes_to_far_too_much(tmp_path: Path, name: str) -> None:
    codec, encode = BOMBS[name]
    data = pixels((2, 16, 16))
    path = write_image(tmp_path / "x.zarr", data, "zyx", 2)
    encoding = {"name": "v2", "separator": "/"}
    options = {"compressors": codec, "chunk_key_encoding": encoding, "overwrite": True}
    write_array(path / "0", data, 2, chunks=(1, 16, 16), **options)
    (path / "0/1/0/0").write_bytes(encode(bytes(64_000_000)))
    assert_refused(path)


@pytest.mark.parametrize("shards", [None, (2, 64, 64)])
def test_a_bomb_of_zarr_3_alone_and_inside_a_shard(
    tmp_path: Path, shards: tuple[int, int, int] | None
) -> None:
    data = pixels((2, 64, 64))
    path = write_image(tmp_path / "x.zarr", data, "zyx")
    write_array(
        path / "0", data, 3, chunks=(1, 32, 32), shards=shards, compressors=ZstdCodec(), overwrite=True
    )
    bomb = imagecodecs.zstd_encode(bytes(64_000_000))
    if shards is None:
        (path / "0/c/1/0/0").write_bytes(bomb)
        assert_refused(path)
        return
    shard = path / "0/c/0/0/0"
    content = shard.read_bytes()
    index = np.frombuffer(content[-(8 * 16 + 4) : -4], "<u8").reshape(-1, 2).copy()
    index[0] = (len(content) - 8 * 16 - 4, len(bomb))
    crc = google_crc32c.value(index.tobytes())
    shard.write_bytes(content[: -(8 * 16 + 4)] + bomb + index.tobytes() + crc.to_bytes(4, "little"))
    header = read_header(only(path))
    for positions in ([(0, 0)], [(0, 0), (0, 1)]):  # by parts, and as a whole
        with pytest.raises(PixelError, match="more than its pixels can need"):
            read_planes(header, 0, positions)


def test_an_array_at_the_root_of_its_store_is_guarded_too(tmp_path: Path) -> None:
    write_array(tmp_path / "x.zarr", pixels((4, 4)), 2, chunks=(4, 4), compressors=Zstd())
    (tmp_path / "x.zarr/0/0").write_bytes(imagecodecs.zstd_encode(bytes(64_000_000)))
    guarded = GuardedStore(FolderStore(tmp_path / "x.zarr", read_only=True))
    array = zarr.open_array(guarded, mode="r")
    guarded.expect(array)
    with pytest.raises(ValueError, match="more than its pixels can need"):
        array[:]
