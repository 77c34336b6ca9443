"""Measure what a whole run costs beside the fits, through the command line and on real stores.

- **overhead**: wall time that is not spent in fits, on one worker and a real stack; the start of the worker
  and of torch, a few seconds once a run, is told apart.
- **speedup**: time between the first and the last block with two workers, against one.
- **busy**: share of the time between the first and the last block in which the worker fits, where every
  request to the store (reading and writing) takes 50 ms longer.

The delay is made by a file system of fsspec that waits before each call and then does it on local files;
the workers load it through ``sitecustomize``, so that nothing in the program is replaced.

Usage: python -m benchmarks.schedule STACK.tif [--planes 48] [--images 2] [--iterations 120] [--delay-ms 50]
           [--parts one two slow]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from autodip_zarr.stores.sample import Sample, SampleChannel, write_sample_zarr

_SLOW_STORE = '''
import os, time
from fsspec import register_implementation
from fsspec.implementations.local import LocalFileSystem

class Slow(LocalFileSystem):
    """Local files behind a slow connection."""
    protocol = ("slow",)
    local_file = False

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **{"auto_mkdir": True, **options})

def _later(name):
    plain = getattr(LocalFileSystem, name)
    def call(self, *arguments, **options):
        time.sleep(float(os.environ["SLOW_STORE_MS"]) / 1000)
        return plain(self, *arguments, **options)
    return call

for name in ("cat_file", "pipe_file", "info", "ls", "rm_file", "exists", "_open", "makedirs", "mkdir"):
    setattr(Slow, name, _later(name))
register_implementation("slow", Slow)
'''


@dataclass(frozen=True)
class Measured:
    """What one run took."""

    wall_s: float
    """From the start of the command to its end."""
    between_s: float
    """From the moment before the first block was begun to the end of the last block."""
    fit_s: float
    """Spent in fits, over all workers."""
    planes: int
    """Planes that were denoised."""
    blocks: int
    """Blocks that they were in."""


def run(source: str, output: str, table: Path, workers: int, environment: dict[str, str]) -> Measured:
    """Denoise through the command line, and add up its JSON lines."""
    command = [sys.executable, "-m", "autodip_zarr", "denoise", source, "--output", output]
    command += ["--table", str(table), "--workers", str(workers), "--device", "cpu", "--log-json"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    wall_s = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stderr)
    blocks = [line for line in map(json.loads, done.stderr.splitlines()) if line["event"] == "block"]
    ends = [datetime.fromisoformat(block["time"]).timestamp() for block in blocks]
    begin = min(end - block["seconds"] for end, block in zip(ends, blocks, strict=True))
    fit_s = sum(block["fit_seconds"] for block in blocks)
    return Measured(wall_s, max(ends) - begin, fit_s, sum(block["denoised"] for block in blocks), len(blocks))


def write_stack(source: Path, folder: Path, planes: int, images: int) -> None:
    """Write planes of a real stack as OME-Zarr images of equal depth, repeated where there are too few."""
    pixels: np.ndarray[Any, Any] = np.asarray(tifffile.imread(source))
    pixels = pixels.reshape(-1, *pixels.shape[-2:])
    channel = SampleChannel("DAPI", "WideField")
    for index, part in enumerate(np.array_split(np.arange(planes) % len(pixels), images)):
        sample = Sample(f"image {index}", pixels[part][None, None], 0.1, (channel,))
        write_sample_zarr(folder / f"{index}.zarr", sample, "0.5")


def write_table(path: Path, iterations: int) -> None:
    """Write the published table with one narrow configuration for everything."""
    table = json.loads((Path(__file__).parents[1] / "calibration" / "published.json").read_text())
    for entry in table["entries"]:
        entry |= {"depth": 4, "width": 32, "skip": 4, "iterations": iterations}
    path.write_text(json.dumps(table))


def main() -> None:
    """Run all three and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("stack", type=Path)
    parser.add_argument("--planes", type=int, default=48)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=120)
    parser.add_argument("--delay-ms", type=float, default=50.0)
    parser.add_argument("--parts", nargs="*", choices=("one", "two", "slow"), default=("one", "two", "slow"))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_stack(chosen.stack, folder / "in", chosen.planes, chosen.images)
        write_table(folder / "table.json", chosen.iterations)
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(_SLOW_STORE)
        path = os.pathsep.join([str(folder / "site"), os.environ.get("PYTHONPATH", "")])
        slow = {"PYTHONPATH": path, "SLOW_STORE_MS": str(chosen.delay_ms)}
        source, table = str(folder / "in"), folder / "table.json"
        if "one" in chosen.parts:
            one = run(source, str(folder / "one"), table, 1, {})
            print(f"one worker: {one.planes} planes in {one.blocks} blocks, {one.wall_s:.1f} s wall")
            print(f"  in fits: {one.fit_s:.1f} s")
            print(f"  not in fits: {1 - one.fit_s / one.between_s:.1%} of the time of the blocks")
            print(f"  start and end of the run: {one.wall_s - one.between_s:.1f} s", flush=True)
        if {"one", "two"} <= set(chosen.parts):
            two = run(source, str(folder / "two"), table, 2, {})
            faster = one.between_s / two.between_s
            print(f"two workers: blocks {two.between_s:.1f} s, {faster:.2f} times as fast")
            print(f"  a fit lasts {two.fit_s / one.fit_s:.2f} times as long beside another")
            print(f"  the two fit {two.fit_s / two.between_s / 2:.1%} of the time of the blocks")
            print(f"  whole command: {one.wall_s / two.wall_s:.2f} times as fast", flush=True)
        if "slow" in chosen.parts:
            far = run(f"slow://{source}", f"slow://{folder / 'far'}", table, 1, slow)
            print(
                f"store with {chosen.delay_ms:.0f} ms a request: {far.planes} planes, {far.wall_s:.1f} s wall"
            )
            print(f"  device busy: {far.fit_s / far.between_s:.1%} of the time of the blocks", flush=True)


if __name__ == "__main__":
    main()
