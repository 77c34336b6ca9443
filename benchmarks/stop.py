"""Measure what a stop loses against the best one: the transferred count, and ``--stop auto``.

For each set and each number of averaged captures one fit of the preset `standard` goes on to twice its count
while the PSNR of its average is watched, which needs the clean image. A row gives the best, what the
transferred count lost against it, and what the stop by the fit's own outputs lost.

Usage: python benchmarks/stop.py FOLDER [--sets ...] [--crop 128] [--seeds 1]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from autodip_zarr.dip.fitting.fit import CHECK_EVERY, pad_tile, prepare
from autodip_zarr.dip.fitting.stop import LOOK_EVERY, Restlessness, StopWatch
from autodip_zarr.dip.planes.scaling import scale_and_stabilise
from autodip_zarr.dip.planes.tiles import tile_seed
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.dip.settled import AUTO_TIMES, settle
from autodip_zarr.domain import DipConfig
from autodip_zarr.metrics import psnr
from autodip_zarr.run.sources.crops import busiest_crop
from benchmarks.quality import CONFIGS, Plane, read


@dataclass(frozen=True)
class Curve:
    """PSNR along one fit."""

    count: int
    """Transferred iterations, corrected for the size."""
    stopped: int
    """Iterations after which the outputs told to stop."""
    overshoot: float
    """Restlessness at the transferred count, over its least value."""
    points: dict[int, float]
    """PSNR of the average, by iterations."""

    def loss(self, iteration: int) -> float:
        """Return what a stop lost against the best of all, in dB."""
        return max(self.points.values()) - self.points[iteration]

    def row(self) -> str:
        """Return the numbers in one line."""
        best = max(self.points, key=self.points.__getitem__)
        count, auto = self.loss(self.count), self.loss(self.stopped)
        return (
            f"{self.points[best]:6.2f} {best:5d}  {self.count:5d}  {count:5.2f}"
            f"  {self.stopped:5d}  {auto:5.2f}  {self.overshoot:6.2f}"
        )


def nearest(iteration: int) -> int:
    """Return the look that is nearest to a number of iterations."""
    return max(LOOK_EVERY, LOOK_EVERY * round(iteration / LOOK_EVERY))


def follow(noisy: Plane, clean: Plane, config: DipConfig, seed: int) -> Curve:
    """Fit to twice the count and note the PSNR at every look."""
    recipe = preset_recipe("standard", seed=seed, precision="bfloat16")
    shape = (noisy.shape[0], noisy.shape[1])
    fit = settle(config, recipe, shape)
    count = fit.steps
    scaled = scale_and_stabilise(noisy, recipe.scaling, recipe.stabilisation)
    padded, inner = pad_tile(scaled.image, fit.architecture)
    most = AUTO_TIMES * nearest(count)
    size = (padded.shape[0], padded.shape[1])
    prior = prepare(replace(fit, steps=most), size, tile_seed(seed, 0), "cpu")
    prior.set_target(torch.from_numpy(padded), None)
    watch, restlessness = StopWatch(count), Restlessness()
    points: dict[int, float] = {}
    stopped, overshoot = most, float("nan")
    for made in range(1, most + 1):
        error = prior.backward()
        if (made - 1) % CHECK_EVERY == 0:
            prior.check(error.item())
        prior.step()
        if prior.output is None or prior.average is None:
            raise RuntimeError("a step without an output")
        restlessness.take(prior.output)
        if made % LOOK_EVERY or restlessness.variance is None:
            continue
        image = (prior.average / prior.weight).numpy()[inner]
        points[made] = psnr(scaled.unscale(image, noisy.dtype), clean, noisy)
        watch.observe(made, restlessness.variance.item())
        if watch.is_over:
            stopped = min(stopped, made)
        if made == nearest(count):
            overshoot = watch.overshoot
    return Curve(nearest(count), stopped, overshoot, points)


def main() -> None:
    """Parse arguments, fit, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=sorted(CONFIGS))
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("set                captures  best dB at   count  loses   auto  loses  overshoot at the count")
    totals: list[tuple[float, float]] = []
    for name in options.sets:
        field = next(path for path in sorted((options.folder / name).iterdir()) if path.is_dir())
        captures = [read(field, path.stem) for path in sorted(field.glob("raw_*"))]
        clean = read(field, "gt")
        crop = busiest_crop(clean, options.crop)
        for together in sorted({1, 2, len(captures)} & set(range(1, len(captures) + 1))):
            noisy = np.mean(captures[:together], axis=0)[crop]
            for seed in range(options.seeds):
                curve = follow(noisy, clean[crop], CONFIGS[name], seed)
                totals.append((curve.loss(curve.count), curve.loss(curve.stopped)))
                print(f"{name:18s} {together:8d}  {curve.row()}", flush=True)
    transferred, auto = np.array(totals).T
    print(f"mean loss: transferred {transferred.mean():.2f} dB, auto {auto.mean():.2f} dB")
    print(f"most lost: transferred {transferred.max():.2f} dB, auto {auto.max():.2f} dB")


if __name__ == "__main__":
    main()
