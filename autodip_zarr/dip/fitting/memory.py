"""Keep freed memory in the process, so that each step of a fit finds its buffers warm."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_MAX: Final = -4
_NEVER: Final = 2**31 - 1


@functools.cache
def keep_freed_memory() -> bool:
    """Ask the C library to reuse large blocks instead of returning them to the kernel.

    By default glibc maps every block of more than 32 MiB again, and the kernel fills it with zeros page by
    page: for a float32 activation of 512x512 pixels and 32 channels this takes two to three times as long as
    the arithmetic on it. The setting is for the whole process; it changes no result.

    Returns
    -------
    bool
        Whether the C library took it; other C libraries than glibc are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))
