"""Compare the time that `plan` tells with real fits on this machine, configuration by configuration.

The speed is measured anew, as `plan` does it once on a machine; then planes of noise are fitted on one core.
The time of the processor is compared as well as that of the clock, which others on the machine lengthen.

Usage: python -m benchmarks.forecast [--share 0.1]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from autodip_zarr.dip.estimate import estimate
from autodip_zarr.dip.measuring import measured_factor
from autodip_zarr.dip.planes.denoise import denoise_plane
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import DipConfig
from autodip_zarr.run.scheduling.machine import resolve_precision

CASES = (
    (DipConfig(3, 32, 4, 600), 256),
    (DipConfig(4, 32, 4, 1200), 256),
    (DipConfig(5, 64, 4, 400), 192),
    (DipConfig(5, 128, 4, 1300), 128),
    (DipConfig(8, "asc", 4, 300), 256),
)
"""Configurations, and the side of the plane in pixels."""


def main(share: float) -> None:
    """Print a line for each configuration.

    Parameters
    ----------
    share : float
        Share of the iterations that is made.
    """
    precision = resolve_precision("auto", "cpu")
    factor = measured_factor(precision)
    print(f"speed: {factor:.2f} times the time of the estimate, {precision}")
    print("   configuration    preset  side   told s   clock     CPU  CPU/told")
    for preset in ("prior", "standard"):
        recipe = replace(preset_recipe(preset, precision=precision), least_iterations=0)
        for config, side in CASES:
            short = replace(config, iterations=max(1, round(share * config.iterations)))
            told = estimate(short, recipe, (side, side), "cpu").seconds() * factor
            noisy = np.random.default_rng(1).poisson(80, (side, side)).astype(np.uint16)
            clock, processor = time.perf_counter(), time.process_time()
            denoise_plane(noisy, FitJob(short, recipe, "cpu"), (0, 0, 0, 0))
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            name = f"{config.depth}/{config.width}/{config.skip}/{short.iterations}"
            print(
                f"{name:>16} {preset:>9} {side:>5} {told:8.1f} {clock:7.1f} {processor:7.1f}"
                f" {processor / told:9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=0.1, help="share of the iterations")
    main(parser.parse_args().share)
