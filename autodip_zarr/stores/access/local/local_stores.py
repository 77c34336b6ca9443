"""The stores of zarr in local folders and archives, which tell the size of an object before it is read."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable
from pathlib import Path

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import LocalStore, ZipStore

from autodip_zarr.regular_files import open_regular
from autodip_zarr.stores.access.local.links import refuse_link_on_the_way


class FolderStore(LocalStore):
    """Refuses pipes and devices in the place of chunks, and links in that of folders.

    Parameters
    ----------
    root : str or Path
        The folder.
    read_only : bool
        Whether nothing is written.
    """

    _supports_sync_io = False  # whose calls would go past these

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the bytes of a key, or a part of them; ``None`` where there is none.

        Raises
        ------
        OSError
            It is there and cannot be read.
        """
        if not self._is_open:
            await self._open()
        kind = prototype or default_buffer_prototype()
        try:
            content = await asyncio.to_thread(_read, self.root / key, byte_range)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        return kind.buffer.from_bytes(content)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of several keys, read side by side."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def set(self, key: str, value: Buffer) -> None:
        """Replace a key; never through a link in the place of a folder."""
        refuse_link_on_the_way(str(self.root), key)
        await super().set(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write a key unless there is one."""
        refuse_link_on_the_way(str(self.root), key)
        await super().set_if_not_exists(key, value)

    async def delete(self, key: str) -> None:
        """Delete a key."""
        refuse_link_on_the_way(str(self.root), key)
        await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        """Delete everything below a prefix."""
        refuse_link_on_the_way(str(self.root), f"{prefix}/")
        await super().delete_dir(prefix)

    async def size(self, key: str) -> int:
        """Return the bytes of a key, 0 where there is none."""
        try:
            return (self.root / key).stat().st_size
        except OSError:  # which is told where it is read
            return 0


class ArchiveStore(ZipStore):
    """A zip archive, for reading.

    Parameters
    ----------
    path : str or Path
        The archive.
    """

    async def size(self, key: str) -> int:
        """Return the bytes that a member is inflated to, 0 where there is none."""
        if not self._is_open:
            await self._open()
        try:
            return self._zf.getinfo(key).file_size
        except KeyError:
            return 0


def _read(path: Path, part: ByteRequest | None) -> bytes:
    with open_regular(path) as file:
        if part is None:
            return file.read()
        size = file.seek(0, io.SEEK_END)
        if isinstance(part, RangeByteRequest):
            file.seek(part.start)
            return file.read(max(min(part.end, size) - part.start, 0))
        file.seek(part.offset if isinstance(part, OffsetByteRequest) else max(size - part.suffix, 0))
        return file.read()
