"""Fit stacks and time-lapses on from plane to plane, and compare with fits of each plane on its own.

    python -m benchmarks.stacks ../shared/data [--only NAME,...] [--ways forward,both] [--keep FOLDER]

The stack is real (confocal lysosomes, taken as clean) under simulated noise: Poisson noise of the given
number of photons at the percentile 99.9, and Gaussian noise of 2 photons. The time-lapses are repeated
captures of still samples of the Fluorescence Microscopy Denoising dataset (Zhang et al., CVPR 2019), cropped
where the clean average varies most, and one that moves: a window that drifts over such an average, under the
simulated noise. Prints, against planes on their own: PSNR (scaled by minimum and maximum
of the noisy plane), iterations, and what shows through of the plane before. With --keep an interrupted run
goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from autodip_zarr.dip.planes.denoise import denoise_planes
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.planes.scaling import scale
from autodip_zarr.dip.planes.sequence import correlation
from autodip_zarr.dip.presets import preset_recipe, warm_start
from autodip_zarr.domain import DipConfig, WarmStart
from autodip_zarr.errors import FitError
from autodip_zarr.metrics import psnr
from autodip_zarr.stores import read_image

Planes = NDArray[np.float64]

FIRST_PLANE, PLANES = 10, 16
DRIFTING = 8
READ_NOISE = 2.0
NARROW, WIDEFIELD = DipConfig(4, 32, 4, 1200), DipConfig(8, 32, 4, 400)
HEADING = (
    "set, way: correlation of neighbours; PSNR noisy, own, on from the neighbour (dB); difference on warm "
    "planes: mean, worst; iterations own, warm; times fewer: a warm plane, overall; shows through: own, warm"
)


@dataclass(frozen=True)
class Scene:
    """Noisy planes in a row, and the clean ones."""

    name: str
    """Name in the table."""
    config: DipConfig
    """What is fitted."""
    noisy: Planes
    """(N, Y, X)."""
    clean: Planes
    """(N, Y, X)."""
    is_still: bool
    """Whether all planes show the same."""
    is_forced: bool = False
    """Whether planes are fitted on from their neighbours however unlike they are, to see what it would do."""

    def before(self, index: int) -> NDArray[np.float64]:
        """Return what of the plane before would be a ghost: the change of the image, or else its noise."""
        now = self.clean[index]  # of a still sample the same as before
        ghost: Planes = (self.noisy if self.is_still else self.clean)[index - 1] - now
        return ghost


def stack(name: str, places: Sequence[tuple[int, int]], photons: int, folder: Path) -> Scene:
    """Simulate noisy planes, given by volume and plane; the noise of each depends on these numbers alone."""
    noisy, clean = [], []
    for volume, z in places:
        light = tifffile.imread(folder / f"lysosome_{volume}.tif").astype(np.float64)
        clean.append(light[z] / np.percentile(light, 99.9) * photons)
        noisy.append(exposed(clean[-1], [volume, photons, z]))
    return Scene(f"{name}, {photons} photons", NARROW, np.stack(noisy), np.stack(clean), is_still=False)


def exposed(light: NDArray[np.float64], seed: Sequence[int]) -> NDArray[np.float64]:
    """Return photons as they are counted and read out."""
    random = np.random.default_rng(seed)
    counted: NDArray[np.float64] = random.poisson(light) + random.normal(0, READ_NOISE, light.shape)
    return counted


def drift(folder: Path, step_px: int, photons: int) -> Scene:
    """Move a window of 128x128 pixels over a clean field, so that all of the image moves."""
    field = np.asarray(read_image(str(next(next(folder.iterdir()).glob("gt.*")))), np.float64)
    light = field / np.percentile(field, 99.9) * photons
    clean = [light[192:320, start : start + 128] for start in range(128, 128 + DRIFTING * step_px, step_px)]
    noisy = [exposed(plane, [step_px, photons, index]) for index, plane in enumerate(clean)]
    name = f"{folder.name} drifting by {step_px} px, {photons} photons"
    return Scene(name, NARROW, np.stack(noisy), np.stack(clean), is_still=False)


def captures(folder: Path, side: int, config: DipConfig) -> Scene:
    """Read the repeated captures of a still sample as a time-lapse."""
    field = next(folder.iterdir())
    clean = np.asarray(read_image(str(next(field.glob("gt.*")))), np.float64)
    starts = range(0, clean.shape[0] - side + 1, 64)
    crops = [(slice(y, y + side), slice(x, x + side)) for y in starts for x in starts]
    crop = max(crops, key=lambda crop: float(clean[crop].std()))
    noisy = [np.asarray(read_image(str(path)), np.float64)[crop] for path in sorted(field.glob("raw_*"))]
    name = f"{folder.name}, {len(noisy)} captures, {side} px"
    return Scene(name, config, np.stack(noisy), np.stack([clean[crop]] * len(noisy)), is_still=True)


def scenes(data: Path) -> dict[str, Scene]:
    """Return everything that is measured, by the name that --only takes."""
    volumes, fmd = data / "stack", data / "fmd"
    neighbours = [(1, z) for z in range(FIRST_PLANE, FIRST_PLANE + PLANES)]
    apart = {
        "apart-8": [(1, z) for z in range(0, 32, 8)],
        "apart-16": [(3, z) for z in range(0, 50, 16)],
        "unlike": [(1, 10), (2, 10), (3, 10), (1, 40)],
    }
    return {
        **{f"stack-{n}": stack("stack", neighbours, n, volumes) for n in (100, 25, 6)},
        **{name: replace(stack(name, places, 25, volumes), is_forced=True) for name, places in apart.items()},
        **{f"drift-{n}": drift(fmd / "Confocal_BPAE_B", n, 25) for n in (1, 4, 16)},
        "short": replace(stack("short fits", neighbours, 25, volumes), config=WIDEFIELD),
        "TwoPhoton_BPAE_R": captures(fmd / "TwoPhoton_BPAE_R", 128, DipConfig(4, 32, 4, 1400)),
        "TwoPhoton_MICE": captures(fmd / "TwoPhoton_MICE", 128, NARROW),
        "WideField_BPAE_B": captures(fmd / "WideField_BPAE_B", 192, WIDEFIELD),
    }


@dataclass(frozen=True)
class Fitted:
    """What came of the planes of a scene."""

    images: Planes
    """(N, Y, X)."""
    iterations: NDArray[np.int64]
    """(N,) Adam steps."""


def fit(scene: Scene, warm: WarmStart | None, keep: Path | None) -> Fitted:
    """Denoise the planes of a scene, or read what was kept of it."""
    file = None if keep is None else keep / f"{scene.name} {_word(warm)}.npz"
    if file is not None and file.exists():
        with np.load(file) as kept:
            return Fitted(kept["images"], kept["iterations"])
    recipe = replace(preset_recipe("standard", precision="bfloat16"), sequence=warm)
    places = [(0, 0, 0, index) for index in range(len(scene.noisy))]
    images, iterations = [], []
    for result in denoise_planes(list(scene.noisy), FitJob(scene.config, recipe, "cpu"), places):
        if isinstance(result, FitError):
            raise result
        images.append(result.plane)
        iterations.append(result.iterations)
    fitted = Fitted(np.stack(images), np.array(iterations))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, images=fitted.images, iterations=fitted.iterations)
    return fitted


def _word(warm: WarmStart | None) -> str:
    if warm is None:
        return "own"
    word = "both" if warm.both_ways else "forward"
    numbers = (warm.share, warm.least_iterations, warm.learning_rate, warm.averaging, warm.least_correlation)
    return "-".join(map(str, (word, *numbers)))


def shows_through(scene: Scene, fitted: Fitted, which: Sequence[int]) -> float:
    """Return how much of the plane before is in the error of a result, in the mean.

    The error is regressed on what a ghost would be: 0 is no ghost, 1 the plane before itself. Fits of planes
    on their own are not at 0 for a changing image, since blur of the image correlates with its change.
    """
    shares = []
    for index in which:
        error, ghost = fitted.images[index] - scene.clean[index], scene.before(index)
        shares.append(float((error * ghost).sum() / (ghost**2).sum()))
    return float(np.mean(shares))


def scores(scene: Scene, images: Planes) -> NDArray[np.float64]:
    """Return the PSNR of each plane, in decibels."""
    return np.array([psnr(*one) for one in zip(images, scene.clean, scene.noisy, strict=True)])


def report(scene: Scene, way: str, own: Fitted, on: Fitted) -> str:
    """Return one line of the table."""
    longest = int(own.iterations.max())
    warm = [index for index, count in enumerate(on.iterations) if count < longest]
    alike = [correlation(*_pair(scene, index)) for index in range(1, len(scene.noisy))]
    cells = [f"{scene.name}, {way}: {min(alike):.2f} to {max(alike):.2f}"]
    levels = [scores(scene, images) for images in (scene.noisy, own.images, on.images)]
    cells.append(", ".join(f"{level.mean():.2f}" for level in levels))
    if not warm:
        return "; ".join([*cells, "all begin from the start"])
    gain = (levels[2] - levels[1])[warm]
    least = int(np.median(on.iterations[warm]))
    cells.append(f"{gain.mean():+.2f}, {gain.min():+.2f}")
    cells.append(f"{longest}, {least} ({len(warm)} of {len(own.iterations)} planes warm)")
    cells.append(f"{longest / least:.1f}, {own.iterations.sum() / on.iterations.sum():.1f}")
    cells.append(", ".join(f"{shows_through(scene, fitted, warm):.3f}" for fitted in (own, on)))
    return "; ".join(cells)


def _pair(scene: Scene, index: int) -> Iterator[NDArray[np.float32]]:
    """Return a plane and the one before, on the scale of the fit."""
    return (scale(scene.noisy[at], "robust").image for at in (index - 1, index))


def main() -> None:
    """Run what was asked for and print a line each."""
    parser = argparse.ArgumentParser(description="Fit stacks on from plane to plane.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", help="names, comma-separated")
    parser.add_argument("--ways", default="forward,both")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="other warm starts")
    chosen = parser.parse_args()
    changes = {
        name: type(getattr(warm_start("z"), name))(value)
        for name, value in (one.split("=") for one in chosen.set)
    }
    print(HEADING, flush=True)
    known = scenes(chosen.data)
    for name in chosen.only.split(",") if chosen.only else known:
        scene = known[name]
        own = fit(scene, None, chosen.keep)
        for way in chosen.ways.split(","):
            warm = replace(warm_start("z", both_ways=way == "both"), **changes)
            if scene.is_forced:
                warm = replace(warm, least_correlation=-1.0)
            print(report(scene, way, own, fit(scene, warm, chosen.keep)), flush=True)


if __name__ == "__main__":
    main()
