"""What is kept along a fit: averages to choose a stop from, and all there is at stops that are measured."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autodip_zarr.dip.settled import SettledFit

Inner = tuple[slice, slice]
"""Where a tile lies in its padded form."""


@dataclass(frozen=True)
class Kept:
    """What a fit would have ended with, had it been stopped."""

    steps: int
    """Adam steps so far."""
    output: NDArray[np.float32]
    """(Y, X) float32, the output before the last of these steps."""
    average: NDArray[np.float32] | None
    """(Y, X) float32, the exponential average of the outputs; ``None`` where none is taken."""


@dataclass
class Keeper:
    """Collects, without waiting for the device."""

    look_steps: Collection[int]
    """Steps after which the average is kept."""
    kept_steps: Collection[int]
    """Steps after which the output is kept, too."""
    _looks: list[tuple[int, Tensor]] = field(default_factory=list)
    _kept: list[tuple[int, Tensor, Tensor | None]] = field(default_factory=list)

    @classmethod
    def of(cls, fit: SettledFit) -> Keeper:
        """Return one for a fit."""
        return cls(look_steps(fit.most_steps, fit.looks), frozenset(fit.kept))

    def take(self, made: int, output: Tensor | None, average: Tensor | None, weight: float) -> None:
        """Take in what there is after some steps: the last output, and the average times its weight."""
        if made in self.look_steps and average is not None:
            self._looks.append((made, average / weight))
        if made in self.kept_steps and output is not None:
            self._kept.append((made, output.clone(), None if average is None else average / weight))

    def looks(self, inner: Inner) -> list[tuple[int, NDArray[np.float32]]]:
        """Return steps and average of each look."""
        return [(steps, _inside(look, inner)) for steps, look in self._looks]

    def kept(self, inner: Inner) -> list[Kept]:
        """Return what was kept besides."""
        return [
            Kept(steps, _inside(output, inner), None if average is None else _inside(average, inner))
            for steps, output, average in self._kept
        ]


def look_steps(most_steps: int, looks: int) -> frozenset[int]:
    """Return after which steps a fit looks at its average: at equal distances, the last at its end."""
    return frozenset(round(most_steps * (i + 1) / looks) for i in range(looks)) - {0}


def _inside(image: Tensor, inner: Inner) -> NDArray[np.float32]:
    inside: NDArray[np.float32] = image.cpu().numpy()[inner]
    return inside
