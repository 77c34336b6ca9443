"""What is asked of a method that denoises planes, and what it answers; without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.settled import starts_for
from autodip_zarr.domain import DipConfig, Recipe


@dataclass(frozen=True)
class FitJob:
    """How planes of one channel are fitted."""

    config: DipConfig
    """Architecture and number of iterations."""
    recipe: Recipe
    """Everything else that may change a pixel."""
    device: str
    """Torch device, for example ``"cpu"`` or ``"cuda:0"``."""

    @property
    def starts(self) -> int:
        """Independent fits of each tile."""
        return starts_for(self.config, self.recipe)


@dataclass(frozen=True)
class DenoisedPlane:
    """A denoised plane and what happened on the way."""

    plane: NDArray[np.floating[Any]]
    """(Y, X), in detector counts as the noisy plane; float32, or float64 for types that exceed it."""
    iterations: int
    """Adam steps of each fit, of both passes where there are two; 0 where nothing had to be fitted."""
    loss: float
    """Mean over the tiles of the last mean squared error, on the scale of 0 to 1."""
    seconds: float
    """Wall time."""
    spread: NDArray[np.float32] | None = None
    """(Y, X) float32, standard deviation over the starts in detector counts; ``None`` for a single start."""
    hot_pixels: int = 0
    """Pixels that the scaling left out as hot; they are fitted from their surroundings."""
    missing_pixels: int = 0
    """Pixels that were NaN or infinite; they are left as they were."""
    collapses: int = 0
    """How often the weights of an earlier check were restored, over all fits."""
    restarts: int = 0
    """Fits that diverged and were begun again with another seed."""
    overshoot: float = float("nan")
    """The greatest, over the fits, of how restless the outputs were at the end; see
    ``dip.fitting.stop``."""
    stop: float = float("nan")
    """Adam steps after which the outputs were taken, the mean over the tiles."""
    prior_share: float = 1.0
    """Share of the fits in the result, the mean over the tiles; the rest is of classical filters."""


def mean_of_passes(passes: Sequence[DenoisedPlane]) -> DenoisedPlane:
    """Join the results of the passes over one plane."""
    if len(passes) == 1:
        return passes[0]
    spreads = [one.spread for one in passes if one.spread is not None]
    return replace(
        passes[0],
        plane=np.mean([one.plane for one in passes], axis=0, dtype=passes[0].plane.dtype),
        iterations=sum(one.iterations for one in passes),
        loss=float(np.mean([one.loss for one in passes])),
        seconds=sum(one.seconds for one in passes),
        spread=np.mean(spreads, axis=0, dtype=np.float32) if spreads else None,
        collapses=sum(one.collapses for one in passes),
        restarts=sum(one.restarts for one in passes),
    )
