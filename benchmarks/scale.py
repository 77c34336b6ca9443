"""Time and memory of planning archives of 10 to 10,000 images, each a real file or store on disk.

Half of the images are OME-TIFF, half OME-Zarr 0.5, each of 50 planes (two channels, 25 depths). Every plan is
made twice by the command line in a process of its own: for people, and as JSON.

Run with ``python -m benchmarks.scale [--images 10 100 1000 2000 10000] [--folder DIR]``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autodip_zarr.stores.sample import Sample, SampleChannel, write_sample_tiff, write_sample_zarr

_CHANNELS = (
    SampleChannel("DAPI", "WideField"),
    SampleChannel("MitoTracker Red", "LaserScanningConfocalMicroscopy"),
)
_DEPTHS, _SIDE_PX = 25, 16


def write_images(folder: Path, images: int) -> None:
    """Write an archive: one TIFF and one store, then copies of their files."""
    pixels = np.zeros((1, len(_CHANNELS), _DEPTHS, _SIDE_PX, _SIDE_PX), np.uint16)
    sample = Sample("image", pixels, 0.25, _CHANNELS)
    tiff, store = folder / "000000.ome.tif", folder / "000001.zarr"
    write_sample_tiff(tiff, sample)
    write_sample_zarr(store, sample, "0.5")
    shutil.rmtree(store / "0" / "c", ignore_errors=True)  # planes that were never written are zero
    for number in range(2, images):
        if number % 2:
            shutil.copytree(store, folder / f"{number:06}.zarr")
        else:
            shutil.copyfile(tiff, folder / f"{number:06}.ome.tif")


def measure(arguments: Sequence[str]) -> tuple[float, float, float]:
    """Run a command; return its wall time and processor time in seconds, and its largest resident MB."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "autodip_zarr", *arguments]
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(sys.executable, command, os.environ, file_actions=silent)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def main() -> None:
    """Measure, and print a line for each size of archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10, 100, 1000, 2000, 10000])
    parser.add_argument("--folder", help="where to write the archives; a temporary folder by default")
    options = parser.parse_args()
    planes = len(_CHANNELS) * _DEPTHS
    print(f"plan: {planes} planes an image, half OME-TIFF, half OME-Zarr; {os.cpu_count()} cores")
    print("images  planes  form   wall s    CPU s  CPU ms an image  resident MB")
    for images in options.images:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            write_images(Path(folder), images)
            for form, more in (("text", []), ("JSON", ["--json"])):
                wall, cpu, size = measure(["plan", folder, "--output", f"{folder}-results", *more])
                each = 1000 * cpu / images
                line = (
                    f"{images:6} {images * planes:7}  {form} {wall:8.2f} {cpu:8.2f} {each:16.2f} {size:12.0f}"
                )
                print(line, flush=True)


if __name__ == "__main__":
    main()
