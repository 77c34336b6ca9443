"""Denoise real captures through the command line, and compare with the clean average and with a blur.

    python benchmarks/real_images.py FOLDER [--sets NAME,...] [--presets standard,reference] [--seeds 0,1,2]

FOLDER holds captures of the Fluorescence Microscopy Denoising dataset (Zhang et al., CVPR 2019) as
``<microscope>_<sample>_<channel>/<field>/raw_1.*`` and ``gt.*``. Each is wrapped as OME-TIFF under a header
that says what the name of the set says, and denoised by ``autodip-zarr denoise``. Prints PSNR (both images
scaled by minimum and maximum of the noisy one), and writes pictures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Skipped
from autodip_zarr.metrics import Blur, best_blur, psnr
from autodip_zarr.shown.pictures import Panel, compose, display_window
from autodip_zarr.stores import read_header, read_image, read_planes, walk_results
from autodip_zarr.stores.sample import Sample, SampleChannel, write_sample_tiff

Plane = NDArray[np.generic]

MODES = {
    "Confocal": "LaserScanningConfocalMicroscopy",
    "TwoPhoton": "MultiPhotonMicroscopy",
    "WideField": "WideField",
}
STAINS = {"BPAE_B": "DAPI", "BPAE_G": "Alexa Fluor 488 phalloidin", "BPAE_R": "MitoTracker Red"}


def sample_of(name: str, noisy: Plane) -> Sample:
    """Return a capture under a header that says what the name of its set says."""
    microscope, _, channel = name.partition("_")
    channels = (SampleChannel(STAINS.get(channel, channel), MODES[microscope]),)
    return Sample(name, noisy[None, None, None], 0.1, channels)


def denoised_by(source: Path, results: Path, options: list[str]) -> Plane:
    """Denoise a file through the command line; return its plane."""
    command = [sys.executable, "-m", "autodip_zarr", "denoise", str(source), "--output", str(results)]
    subprocess.run([*command, *options, "--workers", "1"], check=True, stderr=subprocess.DEVNULL)
    ref = next(iter(walk_results([str(results)])))
    if isinstance(ref, Skipped):
        raise SystemExit(ref.reason)
    plane: Plane = read_planes(read_header(ref), 0, [(0, 0)])[0]
    return plane


@dataclass(frozen=True)
class Pair:
    """A noisy capture, the clean average, and the blur to beat."""

    name: str
    """Name of the set."""
    noisy: Plane
    """(Y, X), a single capture."""
    clean: Plane
    """(Y, X), the average of 50."""
    blur: Blur
    """The blur to beat, whose width the clean average chose."""

    @classmethod
    def read(cls, folder: Path) -> Pair:
        """Read the first capture of a set."""
        field = next(folder.iterdir())
        noisy, clean = (read_image(str(next(field.glob(part)))) for part in ("raw_1.*", "gt.*"))
        return cls(folder.name, noisy, clean, best_blur(noisy, clean))


def measure(pair: Pair, preset: str, seed: str, pictures: Path) -> None:
    """Denoise a capture, print a line, and write a picture."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / f"{pair.name}.ome.tif"
        write_sample_tiff(source, sample_of(pair.name, pair.noisy))
        started = time.perf_counter()
        plane = denoised_by(source, Path(scratch) / "out", ["--preset", preset, "--seed", seed])
        seconds = time.perf_counter() - started
    images = (pair.noisy, pair.blur.plane, plane)
    before, blurred, after = (psnr(image, pair.clean, pair.noisy) for image in images)
    blur = f"{blurred:.2f} ({pair.blur.sigma_px:.1f} px)"
    print(f"{pair.name}, {preset}, {seed}: {before:.2f}, {blur}, {after:.2f}; {seconds:.0f}", flush=True)
    window = display_window(pair.clean)
    panels = [
        Panel(f"noisy {before:.2f} dB", pair.noisy, window),
        Panel(f"blur {blur} dB", pair.blur.plane, window),
        Panel(f"{preset} {after:.2f} dB", plane, window),
        Panel("clean", pair.clean, window),
    ]
    compose([panels]).save(pictures / f"{pair.name}-{preset}-{seed}.png")


def main() -> None:
    """Run what was asked for and print a line each."""
    parser = argparse.ArgumentParser(description="Denoise real captures and compare with a blur.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default="WideField_BPAE_B,Confocal_BPAE_B,TwoPhoton_BPAE_R")
    parser.add_argument("--presets", default="standard")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--pictures", type=Path, default=Path("real-images"))
    chosen = parser.parse_args()
    chosen.pictures.mkdir(parents=True, exist_ok=True)
    print(
        "set, preset, seed: PSNR noisy, blur chosen with the clean image, denoised (dB); seconds", flush=True
    )
    for name in chosen.sets.split(","):
        pair = Pair.read(chosen.folder / name)
        for preset in chosen.presets.split(","):
            for seed in chosen.seeds.split(","):
                measure(pair, preset, seed, chosen.pictures)


if __name__ == "__main__":
    main()
