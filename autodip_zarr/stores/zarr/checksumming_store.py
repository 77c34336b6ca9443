"""Stores of zarr that note checksums of what is written, or hold it back until its checksum is known."""

from __future__ import annotations

from zarr.abc.store import Store
from zarr.core.buffer import Buffer

from autodip_zarr.stores.access.strict_store import StrictStore
from autodip_zarr.stores.zarr.checksums import Checksum, checksum


class ChecksummingStore(StrictStore[Store]):
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


class BufferingStore(StrictStore[Store]):
    """Reads from a store and holds what is written to it, so that its checksum is known before it is written.

    Parameters
    ----------
    store : Store
        Where is read; nothing is written there.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.buffered: dict[str, bytes | None] = {}
        """What was to be written, by key; ``None`` for what was to be deleted."""

    async def set(self, key: str, value: Buffer) -> None:
        """Hold an object."""
        self.buffered[key] = value.to_bytes()

    async def delete(self, key: str) -> None:
        """Hold that an object is to be deleted."""
        self.buffered[key] = None
