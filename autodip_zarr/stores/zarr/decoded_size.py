"""How much a compressed chunk decodes to, found out before zarr makes room for it."""

from __future__ import annotations

import bz2
import lzma
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

_ZSTD_FRAME: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_DICTIONARY_BYTES: Final = (0, 1, 2, 4)
_CHECKSUMS: Final[Mapping[str, Literal["start", "end"]]] = {
    "crc32c": "end",
    "crc32": "start",
    "adler32": "start",
    "fletcher32": "end",
    "jenkinslookup3": "end",
}
"""Codecs that add a checksum, and where, unless they say otherwise."""
_CHECKSUM_BYTES: Final = 4
_ENTRY_BYTES: Final = 16
_MISSING: Final = 2**64 - 1


@dataclass(frozen=True)
class Compressor:
    """The codec that decodes what is stored of an array of zarr first, checksums aside."""

    name: str
    """For example ``"zstd"``."""
    before: int = 0
    """Bytes of checksums in front of what it decodes."""
    behind: int = 0
    """Bytes of checksums behind that."""


@dataclass(frozen=True)
class ShardIndex:
    """Where a shard says which of its bytes are which chunk."""

    size: int
    """Its bytes, with its checksum."""
    count: int
    """Chunks that the shard has room for."""
    is_first: bool
    """Whether it stands before the chunks, and not behind them."""
    order: Literal["<", ">"]
    """Order of the bytes of its numbers, as numpy names it."""


def compressor_of(array: Any) -> Compressor | None:  # noqa: ANN401
    """Return what decodes what is stored of an array first; ``None`` where nothing is compressed.

    Parameters
    ----------
    array : zarr.Array
        In either format; of shards it is that of the chunks inside.
    """
    size = {"start": 0, "end": 0}
    for one in reversed(array.compressors):
        name = str(getattr(one, "codec_id", type(one).__name__.removesuffix("Codec"))).lower()
        if name not in _CHECKSUMS:
            return Compressor(name, size["start"], size["end"])
        size[_settings(one).get("location", _CHECKSUMS[name])] += _CHECKSUM_BYTES
    return None


def index_of(array: Any) -> ShardIndex | None:  # noqa: ANN401
    """Return how the shards of an array are indexed; ``None`` where it has none.

    Parameters
    ----------
    array : zarr.Array
        In either format.
    """
    if array.shards is None:
        return None
    sharding = array.metadata.to_dict()["codecs"][0]["configuration"]
    codecs = {one["name"]: one.get("configuration", {}) for one in sharding["index_codecs"]}
    count = math.prod(shard // chunk for shard, chunk in zip(array.shards, array.chunks, strict=True))
    size = count * _ENTRY_BYTES + _CHECKSUM_BYTES * ("crc32c" in codecs)
    order: Literal["<", ">"] = ">" if codecs["bytes"].get("endian") == "big" else "<"
    return ShardIndex(size, count, sharding["index_location"] == "start", order)


def bytes_of_value(array: Any) -> int:  # noqa: ANN401
    """Return how many bytes a value of an array takes at most before it is compressed.

    Parameters
    ----------
    array : zarr.Array
        In either format; its filters may store wider numbers than its own.
    """
    settings = [_settings(one) for one in array.filters]
    wider = [one[key] for one in settings for key in ("astype", "encode_dtype") if one.get(key)]
    sizes: list[int] = [np.dtype(one).itemsize for one in (array.dtype, *wider)]
    return max(sizes)


def _settings(codec: Any) -> Mapping[str, Any]:  # noqa: ANN401
    """Return the configuration of a codec of numcodecs, in either format; of others nothing."""
    has_own = hasattr(codec, "get_config")
    found: Mapping[str, Any] = codec.get_config() if has_own else getattr(codec, "codec_config", {})
    return found


def decodes_within(compressor: Compressor, content: bytes, most: int) -> bool:
    """Say whether a chunk decodes to no more than some bytes, without taking more memory than those.

    Codecs that tell how much it is are asked; of the others (gzip, bz2 and their like, zstd without its size)
    as much is decoded. What no codec understands is left to zarr, which says so.

    Parameters
    ----------
    compressor : Compressor
        See `compressor_of`.
    content : bytes
        The chunk as it is stored.
    most : int
        Bytes.

    Examples
    --------
    >>> import zlib
    >>> [decodes_within(Compressor("zlib"), zlib.compress(bytes(1000)), most) for most in (999, 1000)]
    [False, True]
    """
    content = content[compressor.before : len(content) - compressor.behind]
    if compressor.name in _TOLD:
        told = _TOLD[compressor.name](content)
        return told <= most if told is not None else compressor.name != "zstd" or _zstd_fits(content, most)
    if compressor.name in _DECODERS:
        return _members_fit(_DECODERS[compressor.name], content, most)
    return True


def chunks_of_shard(content: memoryview, index: ShardIndex) -> Iterator[bytes]:
    """Yield the stored chunks of a whole shard, of which no second copy is made.

    Parameters
    ----------
    content : memoryview
        The shard.
    index : ShardIndex
        See `index_of`.
    """
    if len(content) < index.size:
        return
    start = 0 if index.is_first else len(content) - index.size
    entries = np.frombuffer(content, f"{index.order}u8", 2 * index.count, start).reshape(-1, 2)
    there = entries[(entries != _MISSING).all(axis=1)]
    yield from (bytes(content[int(first) : int(first) + int(length)]) for first, length in there)


def _of_blosc(content: bytes) -> int | None:
    return int.from_bytes(content[4:8], "little") if len(content) >= 16 else None


def _of_lz4(content: bytes) -> int | None:
    return int.from_bytes(content[:4], "little")


def _of_zstd(content: bytes) -> int | None:
    """Return the size in the header of the frame (RFC 8878), ``None`` where it is not told of all.

    Several frames decode to what they come to together. What looks like a second one may be a part of the
    first, and is found to be so by decoding.
    """
    if content[:4] != _ZSTD_FRAME or len(content) < 5 or content.count(_ZSTD_FRAME) > 1:
        return None
    descriptor = content[4]
    is_single = bool(descriptor & 0b0010_0000)
    size = (int(is_single), 2, 4, 8)[descriptor >> 6]
    start = 5 + (not is_single) + _ZSTD_DICTIONARY_BYTES[descriptor & 0b11]
    if size == 0 or len(content) < start + size:
        return None
    told = int.from_bytes(content[start : start + size], "little")
    return told + 256 if size == 2 else told


def _members_fit(decoder: Callable[[], Any], content: bytes, most: int) -> bool:
    """Decode one stream after the other, as their readers do, until there is too much."""
    left = most
    while content:
        one = decoder()
        try:
            left -= len(one.decompress(content, left + 1))
        except (zlib.error, OSError, lzma.LZMAError, EOFError):
            return True
        if left < 0:
            return False
        content = one.unused_data.lstrip(b"\0")  # gzip may be padded
    return True


def _zstd_fits(content: bytes, most: int) -> bool:
    import imagecodecs  # noqa: PLC0415 - only for frames without their size

    try:
        imagecodecs.zstd_decode(content, out=most)
    except imagecodecs.ZstdError as error:
        return "too small" not in str(error)
    return True


_TOLD: Final[Mapping[str, Callable[[bytes], int | None]]] = {
    "blosc": _of_blosc,
    "lz4": _of_lz4,
    "zstd": _of_zstd,
}
_DECODERS: Final[Mapping[str, Callable[[], Any]]] = {
    "zlib": zlib.decompressobj,
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "bz2": bz2.BZ2Decompressor,
    "lzma": lzma.LZMADecompressor,
}
