"""Fit the presets to real pairs of noisy and clean images and print PSNR, SSIM and LPIPS beside a blur.

The folder holds one folder for each set, named as in the Fluorescence Microscopy Denoising dataset
(``<microscope>_<sample>_<channel>``), with ``<field>/raw_1.{png,tif}`` and ``<field>/gt.{png,tif}``.

LPIPS needs weights that are downloaded once, or found below ``TORCH_HOME``.

With ``--losses`` the preset `standard` is fitted with other losses instead, ``tv`` being the mean squared
error and a little of the total variation. ``--picture`` shows noisy, blurred, fitted and clean planes side by
side. Sets named ``simulated_<structure>`` need no folder of that name: they are drawn and exposed as the
demonstration does.

Usage: python benchmarks/quality.py FOLDER [--sets ...] [--presets ... | --losses mse l1 poisson ssim tv]
           [--crop 128] [--seeds 3] [--picture FILE.png]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.demo.simulate import STRUCTURES, Camera, expose
from autodip_zarr.dip.fitting.losses import LOSSES
from autodip_zarr.dip.planes.denoise import denoise_plane
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.presets import PRESETS, preset_recipe
from autodip_zarr.domain import DipConfig, Recipe
from autodip_zarr.metrics import Lpips, Scores, best_blur, score
from autodip_zarr.run.sources.crops import busiest_crop
from autodip_zarr.shown.pictures import Panel, compose, display_window
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

SIMULATED = "simulated_"
SIMULATED_CONFIGS = {  # confocal nuclei and mitochondria, and actin seen by a microscope that is not known
    f"{SIMULATED}filaments": DipConfig(4, 64, 0, 2900),
    f"{SIMULATED}mitochondria": DipConfig(5, 128, 4, 1300),
    f"{SIMULATED}nuclei": DipConfig(4, 32, 4, 1200),
}
CAMERA = Camera(photons=40, background=1, read_noise=1.5, offset=20, blur_px=1.3)

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


def pair(folder: Path, name: str, side: int) -> tuple[Plane, Plane]:
    """Return a noisy plane and its clean partner, cut to their busiest part or drawn at that size."""
    if name.startswith(SIMULATED):
        random = np.random.default_rng(0)
        clean, counts = expose(STRUCTURES[name.removeprefix(SIMULATED)](side, random), CAMERA, random)
        return counts.astype(np.float64), clean
    field = next(path for path in sorted((folder / name).iterdir()) if path.is_dir())
    noisy, clean = read(field, "raw_1"), read(field, "gt")
    crop = busiest_crop(clean, side)
    return noisy[crop], clean[crop]


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


@dataclass(frozen=True)
class Scene:
    """A pair of planes, and how it is judged and shown."""

    name: str
    """Name of the set."""
    noisy: Plane
    """(Y, X)."""
    clean: Plane
    """(Y, X)."""
    perceptual: Lpips
    """The metric LPIPS."""

    def judge(self, method: str, planes: Sequence[Plane], seconds: float = 0) -> Panel:
        """Print how near planes of a method come to the clean one; return the first to look at."""
        found = [score(plane, self.clean, self.noisy, self.perceptual) for plane in planes]
        report(self.name, method, found, seconds)
        return Panel(f"{method} {found[0].psnr:.1f} dB", planes[0], display_window(self.clean))

    def fit(self, method: str, precision: str, seeds: int) -> Panel:
        """Fit by a method with each of several seeds, and judge that."""
        config, recipe = (CONFIGS | SIMULATED_CONFIGS)[self.name], recipe_of(method, precision)
        jobs = (FitJob(config, replace(recipe, seed=seed), "cpu") for seed in range(seeds))
        fits = [denoise_plane(self.noisy, job, (0, 0, 0, 0)) for job in jobs]
        return self.judge(
            method, [fit.plane.astype(np.float64) for fit in fits], sum(fit.seconds for fit in fits) / seeds
        )


def main() -> None:
    """Parse arguments, fit, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=sorted(CONFIGS), choices=[*CONFIGS, *SIMULATED_CONFIGS])
    parser.add_argument("--presets", nargs="*", choices=list(PRESETS), default=list(PRESETS))
    parser.add_argument("--losses", nargs="*", choices=[*LOSSES, "tv"])
    parser.add_argument("--crop", type=int, default=512)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    perceptual = Lpips.load()
    rows: list[list[Panel]] = []
    for name in options.sets:
        scene = Scene(name, *pair(options.folder, name, options.crop), perceptual)
        rows.append([scene.judge("noisy", [scene.noisy])])
        rows[-1].append(scene.judge("blur", [best_blur(scene.noisy, scene.clean).plane]))
        for method in options.losses or options.presets:
            rows[-1].append(scene.fit(method, options.precision, options.seeds))
        rows[-1].append(Panel(f"clean, {name}", scene.clean, display_window(scene.clean)))
        if options.picture:
            compose(rows).save(options.picture)


if __name__ == "__main__":
    main()
