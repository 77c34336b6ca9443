"""A store of zarr that refuses empty and huge objects, and chunks under another name than expected."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from zarr.abc.store import ByteRequest, RangeByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype

from autodip_zarr.stores.access.errors import METADATA_LIMIT
from autodip_zarr.stores.access.local.local_stores import ArchiveStore, FolderStore
from autodip_zarr.stores.access.remote.retrying_store import DOCUMENTS
from autodip_zarr.stores.access.strict_store import StrictStore
from autodip_zarr.stores.access.uris import split_uri
from autodip_zarr.stores.zarr.decoded_size import (
    Compressor,
    ShardIndex,
    bytes_of_value,
    chunks_of_shard,
    compressor_of,
    decodes_within,
    index_of,
)
from autodip_zarr.stores.zarr.limits import most_stored_bytes
from autodip_zarr.stores.zarr.nodes import join

_CHUNK = re.compile(r"(c|\d+)((\.\d+)+|(/\d+)+)")


@dataclass(frozen=True)
class _Expected:
    """What is known of an array whose chunks are read."""

    compressor: Compressor | None
    """What decodes its chunks first."""
    most_bytes: int
    """Bytes that one of them may decode to."""
    index: ShardIndex | None
    """Where its chunks are in a shard; ``None`` where there are no shards."""

    def is_index(self, part: ByteRequest | None) -> bool:
        """Whether a part of a shard is asked for that is its index."""
        if self.index is None or part is None:
            return False
        if isinstance(part, RangeByteRequest):
            return self.index.is_first and part == RangeByteRequest(0, self.index.size)
        return True


class GuardedStore(StrictStore[Store]):
    """Refuses chunks that zarr would take for missing, and those far larger than their pixels.

    For reading only. A chunk that decodes to far more than its pixels is refused before it is. A chunk or
    shard of no bytes is none; and one that is missing may lie under the name that it has with the other
    separator, as after a copy by a tool that knew only one of the two.

    Parameters
    ----------
    store : Store
        Where the bytes are.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._most_bytes = self._most_bytes_of_a_part = 0
        self._arrays: dict[str, _Expected] = {}

    def expect(self, array: Any) -> None:  # noqa: ANN401
        """Let objects of an array be read, as large as they honestly are, under their own names only."""
        part = math.prod(array.chunks)
        whole = part if array.shards is None else math.prod(array.shards)
        size, inside = bytes_of_value(array), math.ceil(whole / max(part, 1))
        expected = _Expected(compressor_of(array), most_stored_bytes(part * size), index_of(array))
        self._arrays[array.path] = expected
        self._most_bytes = max(self._most_bytes, most_stored_bytes(whole * size, inside))
        self._most_bytes_of_a_part = max(self._most_bytes_of_a_part, most_stored_bytes(part * size))

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the bytes of a key, or a part of them; ``None`` where there is none.

        Raises
        ------
        ValueError
            If there is the key, and nothing in it, or more than there can honestly be, or its other name.
        """
        most = METADATA_LIMIT if split_uri(key)[1] in DOCUMENTS else self._most_bytes
        if isinstance(self._store, FolderStore | ArchiveStore):  # others would make a request of their own
            _check(key, await self._store.size(key), most)
        name = self._array_of(key)
        array = None if name is None else self._arrays[name]
        is_index = array is not None and array.is_index(byte_range)
        if isinstance(byte_range, RangeByteRequest) and not is_index:
            _check(key, byte_range.end - byte_range.start, self._most_bytes_of_a_part)
        wanted = RangeByteRequest(0, most + 1) if byte_range is None else byte_range
        found = await self._store.get(key, prototype, wanted)
        if found is None:
            await self._check_other_name(key)
            return None
        if len(found) == 0:
            raise ValueError(f"{key} is empty")
        _check(key, len(found), most)
        if array is not None and not is_index and split_uri(key)[1] not in DOCUMENTS:
            _check_decoded(key, found.as_numpy_array().data, array, is_whole=byte_range is None)
        return found

    def _array_of(self, key: str) -> str | None:
        """Return the path of the expected array that a key lies below, ``""`` for the root."""
        return next((name for name in self._arrays if not name or key.startswith(f"{name}/")), None)

    async def _check_other_name(self, key: str) -> None:
        array = self._array_of(key)
        chunk = None if array is None else _other_name(key.removeprefix(f"{array}/"))
        if array is None or chunk is None:
            return
        other = join(array, chunk)
        if await self._store.exists(other):
            told = f"the chunk {key} is missing, and {other} is there"
            raise ValueError(f"{told}: its array's metadata name another separator than its chunks have")


def _other_name(chunk: str) -> str | None:
    """Return the key below its array that a chunk has with the other separator.

    Examples
    --------
    >>> _other_name("0.1.2"), _other_name("c/0/1"), _other_name("7"), _other_name(".zattrs")
    ('0/1/2', 'c.0.1', None, None)
    """
    if not _CHUNK.fullmatch(chunk):
        return None
    return chunk.replace(".", "/") if "." in chunk else chunk.replace("/", ".")


def _check_decoded(key: str, content: memoryview, array: _Expected, *, is_whole: bool) -> None:
    """Refuse chunks that would decode to far more than their pixels."""
    if array.compressor is None:
        return
    index = array.index if is_whole else None
    for chunk in [bytes(content)] if index is None else chunks_of_shard(content, index):
        if not decodes_within(array.compressor, chunk, array.most_bytes):
            told = f"{key} decodes to more than {array.most_bytes:,} bytes"
            raise ValueError(f"{told}, which is more than its pixels can need")


def _check(key: str, size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"{key} has more than {most:,} bytes, which is more than its pixels can need")
