"""What checksums cost: writing a result with and without them, and checking it, in either format.

A result of noise (which does not compress) is written block by block without fits, finished, and checked
twice: by its checksums as ``verify`` does, and by the values of each plane, as results without them are.
Files are in the page cache, so that the numbers are those of the processor and not of the disk.

Run with ``python -m benchmarks.integrity [--side 2048] [--planes 40] [--folder DIR]``.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from autodip_zarr.domain import Axis, ChannelDisplay, Level, TargetSpec
from autodip_zarr.run.blocks import blocks
from autodip_zarr.run.results.integrity import is_whole
from autodip_zarr.run.results.verify import find_damages
from autodip_zarr.stores import RECORD_FIELDS, create_target, finish_target, write_block, write_record
from autodip_zarr.stores.zarr.layout import plan_layout

_BLOCK_BYTES = 64 * 2**20


def spec_of(uri: str, zarr_format: Literal[2, 3], side: int, planes: int) -> TargetSpec:
    """Return the layout of a stack of 16-bit planes with two levels."""
    shapes = ((planes, side, side), (planes, side // 2, side // 2))
    axes = tuple(Axis(name, "space", None) for name in "zyx")
    block = (1, min(planes, max(1, _BLOCK_BYTES // (side * side * 2))))
    chunk, shard = plan_layout("zyx", shapes[0], "uint16", block, zarr_format)
    levels = tuple(Level(str(i), shape, (1.0, 2.0**i, 2.0**i), None) for i, shape in enumerate(shapes))
    shown = (ChannelDisplay(None, None, None),)
    return TargetSpec(uri, zarr_format, "noise", axes, levels, "uint16", chunk, shard, *block, shown)


def write(spec: TargetSpec) -> None:
    """Write a whole result."""
    create_target(spec, {"status": "running"})
    noise = np.random.default_rng(0)
    for block in blocks(spec, [0]):
        planes = noise.integers(0, 2**16, (len(block.positions), spec.size("y"), spec.size("x")), np.uint16)
        stored = write_block(spec, block, planes)
        rows = np.ones((len(planes), len(RECORD_FIELDS)))
        rows[:, RECORD_FIELDS.index("minimum")] = planes.min(axis=(1, 2))
        rows[:, RECORD_FIELDS.index("maximum")] = planes.max(axis=(1, 2))
        write_record(spec, block, rows, stored)
    finish_target(spec, {"status": "complete"})


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """Return the shortest wall time of some attempts."""
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def measure(folder: Path, zarr_format: Literal[2, 3], side: int, planes: int) -> str:
    """Return a line of the table."""
    spec = spec_of(str(folder / "x.zarr"), zarr_format, side, planes)

    def fresh(checksums: bool) -> None:
        shutil.rmtree(folder / "x.zarr", ignore_errors=True)
        write(replace(spec, checksums=checksums))

    without, with_them = seconds(lambda: fresh(checksums=False)), seconds(lambda: fresh(checksums=True))
    size = sum(path.stat().st_size for path in (folder / "x.zarr").rglob("*") if path.is_file())
    kept = sum(path.stat().st_size for path in (folder / "x.zarr/autodip/checksums").rglob("*.json"))
    assert not list(find_damages(spec.uri))
    checked = seconds(lambda: list(find_damages(spec.uri)))
    plain = replace(spec, checksums=False)
    by_values = seconds(lambda: [is_whole(plain, block) for block in blocks(spec, [0])])
    return (
        f"{'0.4' if zarr_format == 2 else '0.5'}  {size / 1e6:9.0f} {kept / 1e3:13.0f} {without:12.2f} "
        f"{with_them:14.2f} {checked:9.2f} {size / 1e6 / checked:9.0f} {by_values:12.2f}"
    )


def main() -> None:
    """Measure, and print a line for each format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048, help="pixels")
    parser.add_argument("--planes", type=int, default=40)
    parser.add_argument("--folder", help="where to write; a temporary folder by default")
    options = parser.parse_args()
    size = f"{options.planes} planes of {options.side} squared, 16 bit"
    print(f"{size}; {os.cpu_count()} cores, {platform.machine()}")
    print("     result MB  checksums kB  write without s  write with s  verify s  verify MB/s  by values s")
    formats: tuple[Literal[2, 3], ...] = (2, 3)
    for zarr_format in formats:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            print(measure(Path(folder), zarr_format, options.side, options.planes), flush=True)


if __name__ == "__main__":
    main()
