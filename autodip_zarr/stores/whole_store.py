"""Stores of zarr that refuse empty objects, note the checksums of what is written, or hold it back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

from autodip_zarr.stores.checksums import Checksum, checksum

_CHUNK = re.compile(r"(c|\d+)((\.\d+)+|(/\d+)+)")


class WholeStore(WrapperStore[Store]):
    """Refuses chunks that zarr would take for missing, and read zeros: empty ones, and ones misnamed.

    For reading only. A chunk that is missing may lie under the name that it has with the other separator, as
    after a copy by a tool that knew only one of the two, or with a metadata document from elsewhere.

    Parameters
    ----------
    store : Store
        Where the bytes are.
    array : str, optional
        Key of an array whose missing chunks are looked for under their other name; that costs a request each.
    """

    def __init__(self, store: Store, array: str | None = None) -> None:
        super().__init__(store)
        self._array = array

    def _with_store(self, store: Store) -> WholeStore:
        return WholeStore(store, self._array)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the bytes of a key, or a part of them; ``None`` where there is none.

        Raises
        ------
        ValueError
            If there is the key, and nothing in it, or there is its other name.
        """
        found = await self._store.get(key, prototype, byte_range)
        if found is None and self._array is not None:
            await self._check_other_name(key, self._array)
        if found is not None and len(found) == 0:
            raise ValueError(f"{key} is empty")
        return found

    async def _check_other_name(self, key: str, array: str) -> None:
        other = other_name(key.removeprefix(f"{array}/"))
        if other is not None and await self._store.exists(f"{array}/{other}"):
            told = f"the chunk {key} is missing, and {array}/{other} is there"
            raise ValueError(f"{told}: the metadata of the array name another separator than its chunks have")

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of several keys, fetched side by side."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))


def other_name(chunk: str) -> str | None:
    """Return the key below its array that a chunk has with the other separator.

    Examples
    --------
    >>> other_name("0.1.2"), other_name("c/0/1"), other_name("7"), other_name(".zattrs")
    ('0/1/2', 'c.0.1', None, None)
    """
    if not _CHUNK.fullmatch(chunk):
        return None
    return chunk.replace(".", "/") if "." in chunk else chunk.replace("/", ".")


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
