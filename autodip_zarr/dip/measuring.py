"""Fit a small network for a second, to see how fast this machine is against the estimate."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median
from typing import Final

import numpy as np

from autodip_zarr.dip.estimate import estimate
from autodip_zarr.dip.fitting.fit import Tile, prepare, steps_of
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.dip.settled import as_transferred
from autodip_zarr.domain import DipConfig

_CONFIG: Final = DipConfig(depth=5, width=64, skip=4, iterations=60)
_SIDE_PX: Final = 256
_SECONDS: Final = 1.0
_WARMING: Final = 3
"""Steps that do not count: memory is fetched, kernels are chosen."""


def measured_factor(precision: str) -> float:
    """Return the time of a step on one core of this machine over the estimated one; 2.0 is half as fast.

    The time of the processor counts, not that of the clock: what others do on the machine just now will not
    go on for as long as a run takes.

    Parameters
    ----------
    precision : str
        Arithmetic of the fit.
    """
    recipe = replace(preset_recipe("standard", precision=precision), stop="transferred")
    fit = replace(as_transferred(_CONFIG, recipe), looks=0, optics=False)
    shape = (_SIDE_PX, _SIDE_PX)
    expected = estimate(_CONFIG, recipe, shape, "cpu")
    step_s = expected.seconds() / (expected.steps * expected.starts)
    noisy = np.random.default_rng(0).random(shape, dtype=np.float32)
    steps = steps_of(prepare(fit, fit.architecture.padded_shape(shape), 0, "cpu"), Tile(noisy))
    taken: list[float] = []
    until = time.perf_counter() + _SECONDS
    made, before = 0, time.process_time()
    for now in steps:
        if now > made:
            taken.append(time.process_time() - before)
            made, before = now, time.process_time()
            if made > _WARMING and time.perf_counter() > until:
                break
    return median(taken[_WARMING:]) / step_s
