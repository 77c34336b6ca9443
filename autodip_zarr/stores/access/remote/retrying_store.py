"""A store of zarr over any file system of fsspec that asks again where a request failed for now."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import ByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore

from autodip_zarr.stores.access.remote.retry import with_retries_async
from autodip_zarr.stores.access.remote.server_errors import (
    REFUSED_VARIABLE,
    is_missing_chunk,
    is_refused_as_missing,
)
from autodip_zarr.stores.access.strict_store import StrictStore
from autodip_zarr.stores.access.uris import split_uri

DOCUMENTS = {"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"}
"""Names of documents; everything else in a store of zarr is a chunk or a shard."""


class RetryingStore(StrictStore[FsspecStore]):
    """Every request is made as often as `RetryPolicy` allows; indices of shards are asked for once.

    Made for one task, in which nobody else writes what is read here.

    Parameters
    ----------
    store : FsspecStore
        The store that makes each attempt.
    replaces : bool
        Whether only whole chunks and shards are written, so that none need be read before; without it zarr
        fetches a shard to put unchanged chunks back.
    """

    def __init__(self, store: FsspecStore, *, replaces: bool = False) -> None:
        super().__init__(store)
        self._replaces = replaces
        self._indices: dict[tuple[str, int], Buffer | None] = {}

    def _with_store(self, store: FsspecStore) -> RetryingStore:
        return RetryingStore(store, replaces=self._replaces)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the bytes of a key, or a part of them; ``None`` where there is none."""
        if self._replaces and split_uri(key)[1] not in DOCUMENTS:
            return None
        if isinstance(byte_range, SuffixByteRequest):
            index = (key, byte_range.suffix)
            if index not in self._indices:
                self._indices[index] = await self._fetch(key, prototype, byte_range)
            return self._indices[index]
        return await self._fetch(key, prototype, byte_range)

    async def _fetch(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None
    ) -> Buffer | None:
        is_missing = is_refused_as_missing if split_uri(key)[1] in DOCUMENTS else is_missing_chunk
        try:
            return await with_retries_async(lambda: self._store.get(key, prototype, byte_range))
        except Exception as error:
            if is_missing(error):
                return None
            if is_refused_as_missing(error):
                refusal = (
                    f"the server refuses it (403); if that means none is there, set {REFUSED_VARIABLE}=1"
                )
                raise PermissionError(errno.EACCES, refusal, key) from error
            raise

    async def set(self, key: str, value: Buffer) -> None:
        """Replace a key; object stores do so in one step, so that doing it again is harmless."""
        await with_retries_async(lambda: self._store.set(key, value))

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write a key unless there is one."""
        await with_retries_async(lambda: self._store.set_if_not_exists(key, value))

    async def _set_many(self, values: Iterable[tuple[str, Buffer]]) -> None:
        await asyncio.gather(*(self.set(key, value) for key, value in values))

    async def delete(self, key: str) -> None:
        """Delete a key."""
        await with_retries_async(lambda: self._store.delete(key))

    async def delete_dir(self, prefix: str) -> None:
        """Delete everything below a prefix."""
        await with_retries_async(lambda: self._store.delete_dir(prefix))

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names below a prefix."""

        async def names() -> list[str]:
            return [name async for name in self._store.list_dir(prefix)]

        for name in await with_retries_async(names):
            yield name

    async def exists(self, key: str) -> bool:
        """Return whether there is a key."""
        return await with_retries_async(lambda: self._store.exists(key))
