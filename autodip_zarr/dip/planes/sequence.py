"""Stacks and time-lapses: which planes are fitted on from their neighbours, in which order; without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.errors import FitError

_BLUR_PX: Final = 1.0
_LEAST_RELIABILITY: Final = 0.05


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the correlation of two planes as it would be without their noise.

    Each plane is split into the two colours of a chessboard, and each colour is blurred by a Gaussian of one
    pixel, as if it were a capture of its own. Noise that is independent from pixel to pixel is then
    independent between the two, so that their correlation is the share of the variance that is image; that
    between the planes is divided by it (Spearman's correction for attenuation). Where neighbouring pixels
    share their noise, it is taken for image, and the planes seem less alike than they are.

    Parameters
    ----------
    one, other : ndarray
        (Y, X) float32, finite.

    Returns
    -------
    float
        At most 1; 0 where a plane shows nothing but noise or one value, so that nothing can be said.

    References
    ----------
    Spearman, The proof and measurement of association between two things, Am. J. Psychol. 15, 1904.
    """
    if one.shape != other.shape:
        return 0.0
    halves = [*_halves(one), *_halves(other)]
    if min(float(half.std()) for half in halves) == 0.0:
        return 0.0
    between = np.corrcoef([half.ravel() for half in halves])  # (4, 4)
    within = min(between[0, 1], between[2, 3])
    if within < _LEAST_RELIABILITY:
        return 0.0
    across = between[:2, 2:].mean()
    return float(min(1.0, across / np.sqrt(between[0, 1] * between[2, 3])))


def _halves(plane: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """Fill the plane from each colour of the chessboard alone: two (Y, X) float64."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - not for planning

    y, x = np.indices(plane.shape)
    colours = [((y + x) % 2 == colour).astype(np.float64) for colour in (0, 1)]
    smooth = [
        (gaussian_filter(plane * colour, _BLUR_PX), gaussian_filter(colour, _BLUR_PX)) for colour in colours
    ]
    return [values / np.maximum(weights, 1e-6) for values, weights in smooth]


def runs(planes: Iterable[NDArray[np.float32]], least_correlation: float) -> list[range]:
    """Cut a chain of planes where one is too unlike the one before.

    Parameters
    ----------
    planes : iterable of ndarray
        (Y, X) float32 each, finite.
    least_correlation : float
        See `correlation`.

    Returns
    -------
    list of range
        Indices of the planes that are fitted on from one another, in order, the first of each from the start.
    """
    found: list[range] = []
    before: NDArray[np.float32] | None = None
    for index, plane in enumerate(planes):
        if before is not None and correlation(before, plane) >= least_correlation:
            found[-1] = range(found[-1].start, index + 1)
        else:
            found.append(range(index, index + 1))
        before = plane
    return found


Network = TypeVar("Network")
Result = TypeVar("Result")

FitOn = Callable[[int, Network | None], tuple[Result, Network]]
"""Fits the plane of an index, on from a network or with a fresh one; returns the result and the network.

Raises `FitError` where the plane cannot be fitted either way.
"""


def fit_run(
    run: range, fit: FitOn[Network, Result], *, both_ways: bool
) -> Iterator[tuple[Result, ...] | FitError]:
    """Fit planes one after the other, each on from the network of the one before.

    Parameters
    ----------
    run : range
        Indices of the planes; the first begins with a fresh network.
    fit : callable
        Fits one plane.
    both_ways : bool
        Whether to go back from the last plane to the first, too.

    Yields
    ------
    tuple or FitError
        For each plane the results of the passes that reached it, or why there is none.
    """
    network: Network | None = None
    found: dict[int, tuple[Result, ...] | FitError] = {}
    for index in run:
        try:
            result, network = fit(index, network)
            found[index] = (result,)
        except FitError as error:
            found[index] = error
        if not both_ways:
            yield found.pop(index)
    for index in reversed(run[:-1] if both_ways else ()):
        forward = found[index]
        if not isinstance(forward, FitError):
            with suppress(FitError):  # then the forward pass stands alone
                result, network = fit(index, network)
                found[index] = (*forward, result)
    yield from found.values()
