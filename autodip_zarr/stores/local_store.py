"""A store of zarr in a local folder that changes nothing outside of it."""

from __future__ import annotations

import errno
import os

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from autodip_zarr.stores.place import link_on_the_way


class OwnFolderStore(LocalStore):
    """What is written stays below the folder: a link in the place of one of its folders is an error."""

    async def set(self, key: str, value: Buffer) -> None:
        """Replace a key."""
        self._check(key)
        await super().set(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write a key unless there is one."""
        self._check(key)
        await super().set_if_not_exists(key, value)

    async def delete(self, key: str) -> None:
        """Delete a key."""
        self._check(key)
        await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        """Delete everything below a prefix."""
        self._check(f"{prefix}/")
        await super().delete_dir(prefix)

    def _check(self, key: str) -> None:
        if found := link_on_the_way(str(self.root), key):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), found)
