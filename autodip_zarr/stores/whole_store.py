"""Stores of zarr that refuse empty objects, note the checksums of what is written, or hold it back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

from autodip_zarr.stores.checksums import Checksum, checksum


class WholeStore(WrapperStore[Store]):
    """Refuses chunks and shards of no bytes: zarr takes such a shard for missing, and reads zeros.

    For reading only.

    Parameters
    ----------
    store : Store
        Where the bytes are.
    """

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the bytes of a key, or a part of them; ``None`` where there is none.

        Raises
        ------
        ValueError
            If there is the key, and nothing in it.
        """
        found = await self._store.get(key, prototype, byte_range)
        if found is not None and len(found) == 0:
            raise ValueError(f"{key} is empty")
        return found

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of several keys, fetched side by side."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))


class NotingStore(WrapperStore[Store]):
    """Notes the checksum of every object that is written through it.

    Parameters
    ----------
    store : Store
        Where the bytes go.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.written: dict[str, Checksum | None] = {}
        """What was written since, by key; ``None`` for what was deleted."""

    async def set(self, key: str, value: Buffer) -> None:
        """Write an object and note its checksum."""
        self.written[key] = checksum(value.as_numpy_array())
        await self._store.set(key, value)

    async def delete(self, key: str) -> None:
        """Delete an object and note that it is gone."""
        self.written[key] = None
        await self._store.delete(key)


class HoldingStore(WrapperStore[Store]):
    """Reads from a store and holds what is written to it, so that its checksum is known before it is written.

    Parameters
    ----------
    store : Store
        Where is read; nothing is written there.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.held: dict[str, bytes | None] = {}
        """What was to be written, by key; ``None`` for what was to be deleted."""

    async def set(self, key: str, value: Buffer) -> None:
        """Hold an object."""
        self.held[key] = value.to_bytes()

    async def delete(self, key: str) -> None:
        """Hold that an object is to be deleted."""
        self.held[key] = None
