"""A way to denoise planes, as the rest of a run sees it: what it costs, and how it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.estimate import Estimate, estimate
from autodip_zarr.dip.planes.job import DenoisedPlane, FitJob
from autodip_zarr.domain import DipConfig, Recipe
from autodip_zarr.errors import FitError

Denoise = Callable[
    [Sequence[NDArray[np.generic]], FitJob, Sequence[Sequence[int]]], Iterable[DenoisedPlane | FitError]
]
"""Denoises planes of one channel, given with their places (series, t, c, z): one answer a plane, in order."""


@dataclass(frozen=True)
class Method:
    """What plans and workers need to know of a method; both functions can be imported on workers."""

    estimate: Callable[[DipConfig, Recipe, tuple[int, int], str], Estimate]
    """What a plane of a size (Y, X) costs with a configuration under a recipe on a device."""
    denoise: Denoise
    """Does it."""


def fit_prior(
    noisy: Sequence[NDArray[np.generic]], job: FitJob, places: Sequence[Sequence[int]]
) -> Iterable[DenoisedPlane | FitError]:
    """Denoise planes by the Deep Image Prior; see :func:`autodip_zarr.dip.planes.denoise.denoise_planes`."""
    from autodip_zarr.dip.planes.denoise import denoise_planes  # noqa: PLC0415 - torch is loaded on workers only

    return denoise_planes(noisy, job, places)


PRIOR = Method(estimate, fit_prior)
"""The Deep Image Prior."""
