"""What a worker process loads before it counts as started, so that one that cannot work never starts."""

from __future__ import annotations

import mmap
from typing import Final

import autodip_zarr.dip.planes.denoise  # noqa: F401 - with torch, which needs most of the address space

_ROOM_BYTES: Final = 512 * 2**20
"""Address space beyond what is loaded: for codecs, stacks and heaps of threads, messages, and small fits."""

mmap.mmap(-1, _ROOM_BYTES).close()  # raises where there is none left (`ulimit -v`)
