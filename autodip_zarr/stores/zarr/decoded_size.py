"""How much a compressed chunk decodes to, found out before zarr makes room for it."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

_ZSTD_FRAME: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_DICTIONARY_BYTES: Final = (0, 1, 2, 4)
_CHECKSUMS: Final = {"crc32c", "crc32", "adler32", "fletcher32", "jenkins_lookup3"}
_ENTRY_BYTES: Final = 16
_CRC_BYTES: Final = 4
_MISSING: Final = 2**64 - 1


def compressor_of(array: Any) -> str | None:  # noqa: ANN401
    """Return the name of the codec that decodes what is stored of an array of zarr first; checksums aside.

    Parameters
    ----------
    array : zarr.Array
        In either format; of shards it is that of the chunks inside.

    Returns
    -------
    str or None
        For example ``"zstd"``; ``None`` where nothing is compressed.
    """
    names = [getattr(one, "codec_id", type(one).__name__.removesuffix("Codec")) for one in array.compressors]
    left = [name.lower() for name in names if name.lower() not in _CHECKSUMS]
    return left[-1] if left else None


def decodes_within(codec: str, content: bytes, most: int) -> bool:
    """Say whether a chunk decodes to no more than some bytes, without taking more memory than those.

    Codecs that tell how much it is are asked; of the others (gzip, bz2 and their like, zstd without its size)
    as much is decoded. What no codec understands is left to zarr, which says so.

    Parameters
    ----------
    codec : str
        See `compressor_of`.
    content : bytes
        The chunk as it is stored.
    most : int
        Bytes.

    Examples
    --------
    >>> import zlib
    >>> [decodes_within("zlib", zlib.compress(bytes(1000)), most) for most in (999, 1000)]
    [False, True]
    """
    if codec in _TOLD:
        told = _TOLD[codec](content)
        return told <= most if told is not None else codec != "zstd" or _zstd_fits(content, most)
    if codec in _DECODERS:
        try:
            return _fits(_DECODERS[codec], content, most)
        except (zlib.error, OSError, lzma.LZMAError, EOFError):
            return True
    return True


def chunks_of_shard(content: bytes, count: int) -> Sequence[bytes]:
    """Return the stored chunks of a whole shard whose index stands at its end, as zarr writes it.

    Parameters
    ----------
    content : bytes
        The shard.
    count : int
        How many chunks it has room for.
    """
    start = len(content) - count * _ENTRY_BYTES - _CRC_BYTES
    if start < 0:
        return ()
    index = np.frombuffer(content, "<u8", 2 * count, start).reshape(count, 2)
    there = index[(index != _MISSING).all(axis=1)]
    return [content[int(first) : int(first) + int(length)] for first, length in there]


def _of_blosc(content: bytes) -> int | None:
    return int.from_bytes(content[4:8], "little") if len(content) >= 16 else None


def _of_lz4(content: bytes) -> int | None:
    return int.from_bytes(content[:4], "little")


def _of_zstd(content: bytes) -> int | None:
    """Return the size in the header of the frame (RFC 8878), ``None`` where it is not told."""
    if content[:4] != _ZSTD_FRAME or len(content) < 5:
        return None
    descriptor = content[4]
    is_single = bool(descriptor & 0b0010_0000)
    size = (int(is_single), 2, 4, 8)[descriptor >> 6]
    start = 5 + (not is_single) + _ZSTD_DICTIONARY_BYTES[descriptor & 0b11]
    if size == 0 or len(content) < start + size:
        return None
    told = int.from_bytes(content[start : start + size], "little")
    return told + 256 if size == 2 else told


def _fits(decoder: Callable[[], Any], content: bytes, most: int) -> bool:
    """Decode stream after stream, as many as stand one behind the other, until it is too much."""
    size = 0
    while content and size <= most:
        stream = decoder()
        size += len(stream.decompress(content, most + 1 - size))
        if not stream.eof:
            break
        content = stream.unused_data
    return size <= most


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
