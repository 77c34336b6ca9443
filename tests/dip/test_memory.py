"""Freed memory stays warm: a second large block is not mapped, and filled with zeros, again."""

from __future__ import annotations

import sys

import pytest
import torch

from autodip_zarr.dip.memory import keep_freed_memory

PAGES = (96 << 20) // 4096


def pages_mapped_for_a_large_block() -> int:
    import resource  # absent on Windows

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(96 << 18)  # 96 MiB of float32, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is one of glibc, on Linux")
def test_a_second_block_reuses_the_memory_of_the_first() -> None:
    if not keep_freed_memory():
        pytest.skip("this C library is not glibc")
    pages_mapped_for_a_large_block()
    assert pages_mapped_for_a_large_block() < PAGES // 10
    assert keep_freed_memory()
