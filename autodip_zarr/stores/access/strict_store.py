"""Wrappers around stores of zarr past which no version of zarr reads or writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TypeVar

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

AnyStore = TypeVar("AnyStore", bound=Store)


class StrictStore(WrapperStore[AnyStore]):
    """Every read goes through ``get``, every write through ``set``.

    From zarr 3.3 on, a wrapper hands parts of shards and synchronous calls to what it wraps, past its own
    ``get`` and ``set``.
    """

    @property
    def _supports_sync_io(self) -> bool:
        """Whether zarr may use its synchronous calls, which the subclasses do not have."""
        return False

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of several keys, fetched side by side."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def get_ranges(
        self, key: str, byte_ranges: Sequence[ByteRequest | None], *, prototype: BufferPrototype, **_: object
    ) -> AsyncIterator[Sequence[tuple[int, Buffer | None]]]:
        """Yield parts of a key with their numbers, fetched side by side and each alone."""
        yield list(enumerate(await self.get_partial_values(prototype, [(key, one) for one in byte_ranges])))
