"""Compare what planes tell of their noise, and of the errors of what came of them, with clean partners.

    python -m benchmarks.risk FOLDER... [--crop 256] [--only TEXT ...] [--fit DEPTH/WIDTH/SKIP]

For each pair of :mod:`benchmarks.rivals`: the standard deviation of its noise as found and as it is, its
correlation, what the mean of filters of least estimated error reaches and what the best single one does, and
with ``--fit`` where the fit of `prior` was stopped and what that loses against the best of its 16 stops.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.fitting.fit import Tile
from autodip_zarr.dip.fitting.tile_pool import TileJob, fit_tiles
from autodip_zarr.dip.planes.filters import filters
from autodip_zarr.dip.planes.mixture import Noisy, best_blur_px, mix, probes
from autodip_zarr.dip.planes.noise_sample import sample_noise
from autodip_zarr.dip.planes.scaling import Scaled, scale_and_stabilise
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.dip.settled import settle
from autodip_zarr.domain import DipConfig, Width
from benchmarks.rivals import Pair, pairs

MOST_BLUR_PX = 2.8
PROBE = 0.3


def clean_root(pair: Pair, scaled: Scaled) -> NDArray[np.float64]:
    """Return the clean plane on the scale of the stabilised noisy one."""
    slope, offset = np.polyfit(pair.clean.ravel(), pair.noisy.ravel(), 1) if pair.is_stretched else (1.0, 0.0)
    plane = (slope * pair.clean + offset - scaled.low) / (scaled.high - scaled.low)
    return plane if scaled.stabiliser is None else scaled.stabiliser.stabilise(plane)


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--fit")
    options = parser.parse_args()
    for pair in (one for folder in options.folders for one in pairs(folder, options.crop)):
        if any(text in pair.name for text in options.only):
            print(f"{pair.name:18s} {_told(pair, options.fit)}", flush=True)


def _told(pair: Pair, fit: str | None) -> str:
    scaled = scale_and_stabilise(pair.noisy, "robust", 1.0)
    sample = sample_noise(scaled.image, scaled.usable, 0)
    if sample is None:
        return "too small to tell"
    noisy = Noisy(scaled.image, scaled.usable, sample)
    true = float(np.std(scaled.image - clean_root(pair, scaled)))

    def psnr(image: NDArray[Any]) -> float:
        return pair.psnr(scaled.unscale(image.astype(np.float32), pair.noisy.dtype).astype(np.float64))

    single = {name: psnr(one(noisy.image)) for name, one in filters(float(np.sqrt(sample.variance))).items()}
    best = max(single, key=lambda name: single[name])
    starts = [[image] for image in probes(noisy, PROBE, 2)]  # a fit that has learnt all noise takes no part
    mixed = psnr(mix(noisy, starts, PROBE).image)
    found = f"noise {np.sqrt(sample.variance):.4f}, is {true:.4f}, correlation {sample.correlation:.2f}, "
    found += "spikes; " if sample.has_spikes else "no spikes; "
    found += f"best filter {single[best]:.2f} dB ({best}), mean of filters {mixed:.2f}"
    return found + (_stop(noisy, fit, psnr) if fit else "")


def _stop(noisy: Noisy, fit: str, psnr: Any) -> str:  # noqa: ANN401
    depth, width, skip = fit.split("/")
    recipe = preset_recipe("prior", precision="bfloat16")
    of_width: Width = "asc" if width == "asc" else int(width)
    config = DipConfig(int(depth), of_width, int(skip), recipe.least_iterations)
    blur_px = recipe.optics * min(best_blur_px(noisy), MOST_BLUR_PX)
    jobs = [
        TileJob(Tile(image, noisy.usable, blur_px=blur_px), seed)
        for seed, image in enumerate(probes(noisy, recipe.probe, 2))
    ]
    shape = (noisy.image.shape[0], noisy.image.shape[1])
    fits = fit_tiles(jobs, settle(config, recipe, shape), "cpu")
    looks = [[look for _, look in one.looks] for one in fits]  # type: ignore[union-attr]
    steps = [step for step, _ in fits[0].looks]  # type: ignore[union-attr]
    chosen = mix(noisy, looks, recipe.probe, with_filters=False)
    along = [psnr(np.mean(look, axis=0)) for look in zip(*looks, strict=True)]
    best = int(np.argmax(along))
    everything = psnr(mix(noisy, looks, recipe.probe).image)
    return (
        f"; blur {blur_px:.2f} px, stop {steps[chosen.look]} {along[chosen.look]:.2f} dB, best {steps[best]} "
        f"{along[best]:.2f}; mixed {everything:.2f}"
    )


if __name__ == "__main__":
    main()
