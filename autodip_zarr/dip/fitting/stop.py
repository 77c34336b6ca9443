"""Tell from the outputs of a fit alone when it has begun to learn the noise.

While a fit learns the image its outputs settle, when it goes on to the noise they grow restless again. The
variance of the outputs about their own moving average has its least value near the best result. Nothing
presumes that the noise of neighbouring pixels is independent.

References
----------
Wang, Li, Zhuang, Chen, Liang, Sun, Early Stopping for Deep Image Prior, Transactions on Machine Learning
Research, 2023: the moving variance (ES-EMV). Floor, limit and threshold:
docs/explanation/how-settings-were-found.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

LOOK_EVERY: Final = 25
"""Iterations between two looks."""

_DECAY: Final = 0.97
_SMOOTHING: Final = 0.5
_FLOOR: Final = 0.5
_RESTLESS: Final = 1.05


@dataclass
class Restlessness:
    """The moving variance of the outputs of a fit."""

    mean: Tensor | None = None
    variance: Tensor | None = None

    def take(self, output: Tensor) -> None:
        """Take in the next output (Y, X) float32, without waiting for the device."""
        if self.mean is None or self.variance is None:
            self.mean, self.variance = output.clone(), torch.zeros((), device=output.device)
            return
        deviation = output - self.mean
        self.variance = _DECAY * (self.variance + (1 - _DECAY) * torch.mean(deviation * deviation))
        self.mean.add_(deviation, alpha=1 - _DECAY)


@dataclass
class StopWatch:
    """Judges the restlessness of one fit."""

    count: int
    """Iterations that were transferred to it."""
    smooth: float | None = None
    least: float | None = None

    def observe(self, iteration: int, variance: float) -> None:
        """Take in the variance after some iterations; before half of the count it says nothing."""
        before = variance if self.smooth is None else self.smooth
        self.smooth = _SMOOTHING * before + (1 - _SMOOTHING) * variance
        if iteration >= _FLOOR * self.count:
            self.least = self.smooth if self.least is None else min(self.least, self.smooth)

    @property
    def overshoot(self) -> float:
        """How many times as restless as at its calmest the fit is now; NaN before half of the count."""
        if self.least is None or self.smooth is None:
            return float("nan")
        return self.smooth / self.least if self.least else 1.0

    @property
    def is_over(self) -> bool:
        """Whether the fit has begun to learn the noise."""
        return self.overshoot > _RESTLESS
