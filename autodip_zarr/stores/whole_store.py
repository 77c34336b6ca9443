"""A store of zarr that tells an empty object, which a broken copy leaves, from one that was never written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore


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
