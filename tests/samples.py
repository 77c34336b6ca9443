"""Small real files, as a microscope's software would write them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from autodip_zarr.stores import write_image
from autodip_zarr.stores.sample import Sample, SampleChannel, write_sample_tiff, write_sample_zarr

DAPI = SampleChannel("DAPI", "WideField")
MITO = SampleChannel("MitoTracker Red", "LaserScanningConfocalMicroscopy")


def make_sample(
    name: str, shape: tuple[int, int, int, int, int] = (1, 1, 1, 24, 32), dtype: str = "uint16"
) -> Sample:
    """Return an image of (T, C, Z, Y, X) whose channels are DAPI and MitoTracker by turns."""
    random = np.random.default_rng(len(name))
    light = 100 + 50 * np.sin(np.arange(shape[-1]) / 5) * np.cos(np.arange(shape[-2]) / 4)[:, None]
    pixels = random.poisson(np.broadcast_to(light, shape)).astype(dtype)
    channels = tuple((DAPI, MITO)[c % 2] for c in range(shape[1]))
    return Sample(name, pixels, 0.25, channels)


def write_archive(folder: Path) -> Path:
    """Write an OME-TIFF z-stack, an OME-Zarr 0.4 of two channels and an OME-Zarr 0.5 time-lapse."""
    write_sample_tiff(folder / "a" / "stack.ome.tif", make_sample("stack", (1, 1, 3, 24, 32)))
    write_sample_zarr(folder / "a" / "two.zarr", make_sample("two", (1, 2, 1, 20, 20)), "0.4")
    write_sample_zarr(folder / "b" / "lapse.ome.zarr", make_sample("lapse", (2, 1, 1, 40, 24)), "0.5")
    return folder


def write_pairs(folder: Path) -> None:
    """Write two noisy planes as PNG and the clean ones as TIFF."""
    for name in ("field1", "field2"):
        noisy = make_sample(name).pixels[0, 0, 0]
        for part, ending, plane in (("noisy", "png", noisy), ("clean", "tif", gaussian_filter(noisy, 2))):
            (folder / part).mkdir(parents=True, exist_ok=True)
            write_image(str(folder / part / f"{name}.{ending}"), plane)


def digest(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_slower_table(table: str, iterations: int, path: Path) -> str:
    """Write a calibration table with as many iterations everywhere, and return its path."""
    document = json.loads(Path(table).read_text())
    for entry in document["entries"]:
        entry["iterations"] = iterations
    path.write_text(json.dumps(document))
    return str(path)
