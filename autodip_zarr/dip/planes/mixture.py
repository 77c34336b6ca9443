"""Join what was fitted with classical filters, in shares that the image itself tells.

How far an estimate is from the clean image can be told without one, where the noise is known: its distance to
the noisy image falls short of that by as much as the estimate follows the noise, which a little more of such
noise shows. So every stop of a fit, every filter and every weighted mean of them has an estimated error, and
the mean whose error is least is taken.

References
----------
Stein, Annals of Statistics 9 (1981) 1135: the risk. Ramani, Blu, Unser, IEEE Transactions on Image Processing
17 (2008) 1540: by a probe of noise. Measured in docs/explanation/how-settings-were-found.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.planes.filters import BLURS_PX, Image, blurred, filters
from autodip_zarr.dip.planes.noise_sample import NoiseSample
from autodip_zarr.dip.planes.parts import parts

_FILTER_PROBE: Final = 0.05
_CHOSEN_NOISE: Final = 1.15
"""How much more a fit follows the noise than a probe shows: it chooses which of the noise it learns first."""

_LEAST_SHARE: Final = 1e-3


@dataclass(frozen=True)
class Noisy:
    """A tile and its noise."""

    image: NDArray[np.float32]
    """(Y, X) float32."""
    usable: NDArray[np.bool_] | None
    """(Y, X), which pixels count; ``None`` for all."""
    sample: NoiseSample
    """Noise like that of the tile."""
    known: Sequence[Candidate] | None = None
    """What filters make of it, where that is known already; of no use but where it is mixed many times."""

    def risk(self, estimate: Image, follows: float) -> float:
        """Return the estimated mean squared error of an estimate (Y, X) of the clean tile.

        Parameters
        ----------
        estimate : ndarray
            (Y, X).
        follows : float
            Its covariance with the noise, a pixel.
        """
        return self.mean((estimate - self.image) ** 2) + 2 * follows - self.sample.variance

    def mean(self, values: NDArray[np.floating[Any]]) -> float:
        """Return the mean over the pixels that count."""
        return float(np.mean(values if self.usable is None else values[self.usable], dtype=np.float64))


@dataclass(frozen=True)
class Candidate:
    """An estimate of a clean tile that may take part in the result."""

    name: str
    """What made it."""
    image: Image
    """(Y, X)."""
    follows: Image
    """(Y, X), what it follows of the noise at each pixel: the mean is its covariance with the noise."""


@dataclass(frozen=True)
class Mixed:
    """What became of a tile."""

    image: NDArray[np.float32]
    """(Y, X) float32."""
    look: int
    """Which of the stops was taken; 0 where nothing was fitted."""
    shares: dict[str, float]
    """Mean share of each estimate that takes part, by name; that of the fit is ``prior``."""


def best_blur_px(noisy: Noisy) -> float:
    """Return the width of the blur whose estimated error is least."""

    def risk(width: float) -> float:
        follows = noisy.mean(blurred(noisy.sample.noise, width) * noisy.sample.noise)
        return noisy.risk(blurred(noisy.image, width), follows)

    return min(BLURS_PX, key=risk)


def probes(noisy: Noisy, share: float, starts: int) -> list[NDArray[np.float32]]:
    """Return what each start is given: the tile and a little more noise, in turn added and taken off.

    In the mean of two such starts that noise is gone again; in their difference is how much they follow it.
    Of an odd number the last has none.
    """
    signs = [0 if start == starts - 1 and starts % 2 else 1 - 2 * (start % 2) for start in range(starts)]
    return [noisy.image + np.float32(sign * share) * noisy.sample.noise for sign in signs]


def mix(
    noisy: Noisy,
    starts: Sequence[Sequence[NDArray[np.float32]]],
    probe: float,
    *,
    with_filters: bool = True,
    in_parts: bool = False,
) -> Mixed:
    """Choose the stop, and mix what was fitted with the filters.

    Parameters
    ----------
    noisy : Noisy
        The tile.
    starts : sequence of sequence of ndarray
        For each start, fitted to what :func:`probes` gives, its averages along the fit, (Y, X) each. Of none,
        the filters are all.
    probe : float
        Share of the noise that they were given besides.
    with_filters : bool
        Whether filters take part; without them the prior alone is the result.
    in_parts : bool
        Whether shares are found apart for places with strong structure, with some, and with next to none.
    """
    looks = [_prior(noisy, look, probe) for look in zip(*starts, strict=False)]
    risks = [noisy.risk(one.image, noisy.mean(one.follows)) for one in looks]
    look = int(np.argmin(risks)) if risks else 0
    candidates = [*looks[look : look + 1], *(_of_filters(noisy) if with_filters else ())]
    weights = parts(noisy.image, noisy.sample.noise) if in_parts else [None]
    mixed, named = np.zeros(noisy.image.shape), dict.fromkeys([one.name for one in candidates], 0.0)
    for weight in weights if len(weights) > 1 else [None]:
        shares = _least_risk(noisy, candidates, weight)
        size = 1.0 if weight is None else noisy.mean(weight)
        for one, share in zip(candidates, shares, strict=True):
            mixed += (share if weight is None else share * weight) * one.image
            named[one.name] += float(share) * size
    return Mixed(
        mixed.astype(np.float32), look, {name: share for name, share in named.items() if share > _LEAST_SHARE}
    )


def _prior(noisy: Noisy, starts: Sequence[NDArray[np.float32]], probe: float) -> Candidate:
    """Join the starts at one stop; pairs with opposite probes tell how much they follow the noise."""
    pairs = list(zip(starts[::2], starts[1::2], strict=False))
    follows = [(one - other) * noisy.sample.noise / np.float32(2 * probe) for one, other in pairs]
    mean: Image = np.mean(np.stack(starts), axis=0, dtype=np.float32)
    return Candidate("prior", mean, np.float32(_CHOSEN_NOISE) * np.mean(np.stack(follows), axis=0))


def _of_filters(noisy: Noisy) -> Sequence[Candidate]:
    return filtered(noisy) if noisy.known is None else noisy.known


def filtered(noisy: Noisy) -> list[Candidate]:
    """Return what the filters make of a tile.

    Where its noise has spikes, non-local means and total variation keep them, and a Gaussian probe does not
    show that: their error would be estimated too low.
    """
    candidates = []
    probed = noisy.image + np.float32(_FILTER_PROBE) * noisy.sample.noise
    noise_std = float(np.sqrt(noisy.sample.variance))
    correlated = noisy.sample.noise if noisy.sample.correlation else None
    taking_part = filters(noise_std, linear_only=noisy.sample.has_spikes, correlated=correlated)
    for name, function in taking_part.items():
        image = function(noisy.image)
        change = (function(probed) - image) / _FILTER_PROBE
        candidates.append(Candidate(name, image, change * noisy.sample.noise))
    return candidates


def _least_risk(
    noisy: Noisy, candidates: Sequence[Candidate], weight: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """Return the shares, none negative and one in all, whose weighted mean has the least estimated error.

    In the part of the tile that a weight (Y, X) tells, or in all of it.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - not for planning

    residuals = [(one.image - noisy.image).astype(np.float64) for one in candidates]
    count = len(candidates)
    if count == 1:
        return np.ones(1)

    def mean(values: NDArray[np.floating[Any]]) -> float:
        return noisy.mean(values) if weight is None else noisy.mean(values * weight) / noisy.mean(weight)

    products = np.zeros((count, count))
    for i in range(count):
        for j in range(i + 1):
            products[i, j] = products[j, i] = mean(residuals[i] * residuals[j])
    products /= noisy.sample.variance
    follows = 2 * np.array([mean(one.follows) for one in candidates]) / noisy.sample.variance

    def risk(shares: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope = products @ shares
        return float(shares @ slope + follows @ shares), 2 * slope + follows

    found = minimize(
        risk,
        np.full(count, 1 / count),
        jac=True,
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-10, "maxiter": 200},
    )
    shares = np.clip(found.x, 0, 1)
    mixed: NDArray[np.float64] = shares / shares.sum()
    return mixed
