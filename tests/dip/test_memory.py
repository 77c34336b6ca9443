"""Freed memory stays warm: a second large block is not mapped, and filled with zeros, again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from autodip_zarr.dip.fitting.memory import keep_freed_memory

BLOCKS = """
import resource, numpy as np
from autodip_zarr.dip.fitting.memory import keep_freed_memory

def pages_mapped():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(96 << 17)  # 96 MiB of float64, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

pages_mapped()
cold = pages_mapped()
keep_freed_memory()
pages_mapped()
print(cold, pages_mapped())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is one of glibc, on Linux")
def test_a_second_block_reuses_the_memory_of_the_first() -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("this C library is not glibc")
    assert keep_freed_memory()
    found = subprocess.run([sys.executable, "-c", BLOCKS], capture_output=True, text=True, check=True)
    cold, warm = map(int, found.stdout.split())
    assert warm < cold / 10
