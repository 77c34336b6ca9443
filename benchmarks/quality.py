"""Fit the presets to real pairs of noisy and clean images and print PSNR, SSIM and LPIPS beside a blur.

The folder holds one folder for each set, named as in the Fluorescence Microscopy Denoising dataset
(``<microscope>_<sample>_<channel>``), with ``<field>/raw_1.{png,tif}`` and ``<field>/gt.{png,tif}``.

LPIPS needs weights that are downloaded once, or found below ``TORCH_HOME``.

With ``--losses`` the preset `standard` is fitted with other losses instead, ``tv`` being the mean squared
error and a little of the total variation.

Usage: python benchmarks/quality.py FOLDER [--sets ...] [--presets ... | --losses mse l1 poisson ssim tv]
           [--crop 128] [--seeds 3]
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.losses import LOSSES
from autodip_zarr.dip.planes import FitJob, denoise_plane
from autodip_zarr.dip.presets import PRESETS, preset_recipe
from autodip_zarr.domain import DipConfig, Recipe
from autodip_zarr.metrics import Lpips, Scores, best_blur, score
from autodip_zarr.run.crops import busiest_crop
from autodip_zarr.stores import read_image

Plane = NDArray[np.float64]

METRICS = ("psnr", "ssim", "lpips")

CONFIGS = {  # what the published table transfers to each set, by microscope and specimen or microscope alone
    "Confocal_BPAE_B": DipConfig(4, 32, 4, 1200),
    "Confocal_BPAE_G": DipConfig(6, 256, 4, 1300),
    "Confocal_BPAE_R": DipConfig(5, 128, 4, 1300),
    "Confocal_FISH": DipConfig(4, "asc", 4, 1200),
    "Confocal_MICE": DipConfig(4, "asc", 4, 1200),
    "TwoPhoton_BPAE_R": DipConfig(4, 32, 4, 1400),
    "TwoPhoton_MICE": DipConfig(7, 128, 4, 1000),
    "WideField_BPAE_B": DipConfig(8, "asc", 4, 300),
}


TV_WEIGHT = 0.02


def recipe_of(method: str, precision: str) -> Recipe:
    """Return the recipe of a preset, or `standard` with another loss."""
    if method in PRESETS:
        return preset_recipe(method, precision=precision)
    standard = preset_recipe("standard", precision=precision)
    if method == "tv":
        return replace(standard, tv_weight=TV_WEIGHT)
    return replace(standard, loss=method)


def read(folder: Path, name: str) -> Plane:
    """Read one image of a field."""
    (path,) = [*folder.glob(f"{name}.png"), *folder.glob(f"{name}.tif")]
    return read_image(str(path)).astype(np.float64)


def report(name: str, method: str, found: list[Scores], seconds: float) -> None:
    """Print one line and one record."""
    psnr, ssim, lpips = (float(np.mean([getattr(one, key) for one in found])) for key in METRICS)
    print(
        f"{name:18s} {method:10s} PSNR {psnr:6.2f} dB  SSIM {ssim:.3f}  LPIPS {lpips:.3f}  {seconds:7.0f} s"
        f"  ({len(found)} runs)"
    )
    record = {"set": name, "method": method} | {key: [getattr(one, key) for one in found] for key in METRICS}
    print(json.dumps(record), file=sys.stderr, flush=True)
    sys.stdout.flush()


def main() -> None:
    """Parse arguments, fit, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=sorted(CONFIGS))
    parser.add_argument("--presets", nargs="*", choices=list(PRESETS), default=list(PRESETS))
    parser.add_argument("--losses", nargs="*", choices=[*LOSSES, "tv"])
    parser.add_argument("--crop", type=int, default=512)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    options = parser.parse_args()
    perceptual = Lpips.load()
    for name in options.sets:
        field = next(path for path in sorted((options.folder / name).iterdir()) if path.is_dir())
        noisy, clean = read(field, "raw_1"), read(field, "gt")
        crop = busiest_crop(clean, options.crop)
        noisy, clean = noisy[crop], clean[crop]
        report(name, "noisy", [score(noisy, clean, noisy, perceptual)], 0)
        report(name, "blur", [score(best_blur(noisy, clean).plane, clean, noisy, perceptual)], 0)
        for method in options.losses or options.presets:
            found, seconds = [], 0.0
            for seed in range(options.seeds):
                recipe = replace(recipe_of(method, options.precision), seed=seed)
                result = denoise_plane(noisy, FitJob(CONFIGS[name], recipe, "cpu"), (0, 0, 0, 0))
                found.append(score(result.plane, clean, noisy, perceptual))
                seconds += result.seconds
            report(name, method, found, seconds / options.seeds)


if __name__ == "__main__":
    main()
