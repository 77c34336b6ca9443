"""Measure the peak resident size of a worker beside the bound of ``autodip_zarr/run/planning/memory.py``.

All of it through the command line, with one worker on one core and narrow networks:

- one plane of SIDE x SIDE pixels for each of some pixel types, and a stack of PLANES planes of 512x512
  pixels; every tile is taken for its own fit, since hours of fitting would change nothing in what is held;
- a stack of FITTED planes of 512x512 pixels, some iterations each.

The worker says its peak itself, in the events of ``--log-json``.

Usage: python -m benchmarks.memory [--sides 8000 20000] [--types uint16 float32] [--planes 500] [--fitted 60]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from autodip_zarr.dip.estimate import estimate
from autodip_zarr.domain import DipConfig, ImagePlan
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.memory import block_bytes
from autodip_zarr.run.planning.plan import Planning
from autodip_zarr.run.scheduling.machine import PROCESS_BYTES
from autodip_zarr.stores.sample import Sample, SampleChannel, write_sample_zarr
from benchmarks.schedule import write_table

_NO_FIT = """
import sys
if "multiprocessing.spawn" in " ".join(sys.orig_argv):  # a worker
    from autodip_zarr.dip.planes import denoise as planes
    from autodip_zarr.dip.fitting.fit import Fit

    def itself(jobs, config, recipe, device, at_once=None):
        return [Fit(job.tile.image.copy(), 0, 0.0, 0, (), float("nan")) for job in jobs]

    planes.fit_tiles = itself
"""
_MB = 1e6


def write_image(folder: Path, shape: tuple[int, int, int], dtype: str) -> Path:
    """Write planes of noise, (Z, Y, X)."""
    values = np.random.default_rng(0).integers(0, 200, shape, np.uint8).astype(dtype)
    path = folder / f"{shape[0]}x{shape[1]}-{dtype}.zarr"
    sample = Sample(path.name, values[None, None], 0.1, (SampleChannel("DAPI", "WideField"),))
    write_sample_zarr(path, sample, "0.5")
    return path


def peak_of(source: Path, folder: Path, *, fits: bool) -> int:
    """Denoise through the command line, and return the peak that the worker told, in bytes."""
    command = [sys.executable, "-m", "autodip_zarr", "denoise", str(source), "--output"]
    command += [str(folder / "out"), "--table", str(folder / "table.json"), "--workers", "1", "--log-json"]
    command += ["--device", "cpu", "--preset", "standard"]
    path = os.pathsep.join([*([] if fits else [str(folder / "site")]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(done.stderr)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    return max(int(event["peak_bytes"]) for event in events if event["event"] == "block")


def bound_of(source: Path, folder: Path, *, fits: bool) -> tuple[int, int]:
    """Return the bound on a worker that has one block, and on one that has three."""
    choices = Choices(output=str(folder / "out"), table=str(folder / "table.json"))
    (image,) = (item for item in Planning([str(source)], choices, "cpu") if isinstance(item, ImagePlan))
    spec = image.target
    if spec is None:
        sys.exit(f"{source}: no result is planned")
    planes = spec.block_t * spec.block_z
    size = (image.header.size("y"), image.header.size("x"))
    fit = estimate(DipConfig(4, 32, 4, 2), image.recipe, size, "cpu") if fits else None
    held = block_bytes(image.header, spec, planes, fit)
    blocks = -(-image.header.size("z") // spec.block_z)
    own = PROCESS_BYTES + (0 if fit is None else fit.network_bytes)
    return own + held, own + min(blocks, 3) * held


def main() -> None:
    """Measure all, one after the other, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="*", default=[8000, 20000])
    parser.add_argument("--types", nargs="*", default=["uint16", "float32"])
    parser.add_argument("--planes", type=int, default=500)
    parser.add_argument("--fitted", type=int, default=60)
    chosen = parser.parse_args()
    shapes = [((1, side, side), dtype, False) for side in chosen.sides for dtype in chosen.types]
    stacks = [(chosen.planes, False), (chosen.fitted, True)]
    shapes += [((planes, 512, 512), "uint16", fits) for planes, fits in stacks if planes]
    for shape, dtype, fits in shapes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "site").mkdir()
            (folder / "site" / "sitecustomize.py").write_text(_NO_FIT)
            write_table(folder / "table.json", 2)
            source = write_image(folder, shape, dtype)
            peak = peak_of(source, folder, fits=fits)
            least, most = bound_of(source, folder, fits=fits)
        size = "x".join(map(str, shape))
        bounds = f"bound {least / _MB:.0f} MB with one block, {most / _MB:.0f} MB with those it may have"
        print(f"{size} {dtype}{', fitted' if fits else ''}: peak {peak / _MB:.0f} MB, {bounds}", flush=True)


if __name__ == "__main__":
    main()
