"""Which networks go on from a rung of small crops to the next of larger ones, and whether the two agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.calibration.choice import Floats

LEAST_TAU: Final = 0.6
"""Kendall's tau between two rungs below which nothing is dropped."""

_KEPT_SHARE: Final = 1 / 3
_LEAST_KEPT: Final = 3


@dataclass(frozen=True)
class Agreement:
    """How far a rung tells what the next one will, on pairs that are measured with all networks on both."""

    tau: float
    """Kendall's tau of the networks, the mean over the pairs: 1 for the same order, 0 for none."""
    regret_db: float
    """How much worse the best network of the lower rung is on the higher one than its own best, in dB."""
    pairs: int
    """Pairs it rests on."""

    @property
    def suffices(self) -> bool:
        """Whether networks may be dropped by it."""
        return self.tau >= LEAST_TAU


def agreement(before: Floats, after: Floats) -> Agreement:
    """Compare two rungs.

    Parameters
    ----------
    before, after : ndarray
        (pair, network) PSNR in dB of the same pairs and networks, all measured.
    """
    taus = [_tau(one, other) for one, other in zip(before, after, strict=True)]
    regrets = [
        float(other.max() - other[int(np.argmax(one))]) for one, other in zip(before, after, strict=True)
    ]
    return Agreement(float(np.mean(taus)), float(np.mean(regrets)), len(taus))


def survivors(found: Floats) -> list[int]:
    """Return which networks go on: the best third, at least three, and all within the error of the best.

    Parameters
    ----------
    found : ndarray
        (pair, network) PSNR in dB, all measured.
    """
    regrets = found.max(axis=1, keepdims=True) - found
    means = regrets.mean(axis=0)
    best = int(np.argmin(means))
    error = regrets[:, best].std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else 0.0
    count = max(_LEAST_KEPT, round(_KEPT_SHARE * means.size))
    order = np.argsort(means, kind="stable").tolist()
    return sorted({*order[:count], *np.flatnonzero(means <= means[best] + error).tolist()})


def is_worth(narrow: Floats, wide: Floats) -> bool:
    """Return whether a wider network beats a narrower one by more than the spread of seeds.

    Parameters
    ----------
    narrow, wide : ndarray
        (pair, seed) PSNR in dB at the best stop; of a single seed, pairs tell the spread.
    """
    gain = float(wide.mean() - narrow.mean())
    if narrow.shape[1] > 1:
        spread = float(np.sqrt(0.5 * (narrow.var(axis=1, ddof=1).mean() + wide.var(axis=1, ddof=1).mean())))
    elif len(narrow) > 1:
        spread = float((wide - narrow).std(ddof=1))
    else:
        spread = 0.0
    return gain > spread


def _tau(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Kendall's tau-b of two rankings; 0 where one of them ranks nothing."""
    first, second = np.sign(one[:, None] - one[None]), np.sign(other[:, None] - other[None])
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / norm) if norm else 0.0
