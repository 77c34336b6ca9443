"""What priors have to beat: blurs, non-local means, total variation, wavelets, BM3D."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.errors import OptionError

Plane = NDArray[np.generic]
Image = NDArray[np.floating[Any]]

_NAME: Final = re.compile(r"(?P<name>[a-z0-9-]+?)(:(?P<strength>\d+(\.\d+)?))?")
_MEANS, _VARIATION, _BLUR, _WAVELETS, _BM3D = "means", "variation", "blur", "wavelets", "bm3d"
_BEST: Final = "best-"

_USUAL: Final = {_MEANS: 0.8, _VARIATION: 1.0}
"""Strengths relative to the noise that the plane itself tells, where none is given."""

_TRIED: Final = {
    _MEANS: (0.4, 0.6, 0.8, 1.0, 1.2, 1.6, 2.0),
    _VARIATION: (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0),
}
"""Strengths among which the clean plane chooses for ``best-means`` and ``best-variation``."""

BASELINES: Final = (_MEANS, _VARIATION, f"{_BEST}{_MEANS}", f"{_BEST}{_VARIATION}")
"""Those that need nothing else, at their usual strengths."""

_PACKAGES: Final = {
    _WAVELETS: ("pywt", "pip install PyWavelets"),
    _BM3D: ("bm3d", "pip install bm3d; its licence is for non-commercial use alone"),
}


@dataclass(frozen=True)
class Baseline:
    """A classical filter, and how strong it is."""

    name: str
    """Which one."""
    strength: float | None
    """Pixels of a blur, else relative to the noise; ``None`` for the usual one, or where it is chosen."""

    @property
    def is_bound(self) -> bool:
        """Whether the clean plane chooses its strength, so that it is an upper bound and no method."""
        return self.name.startswith(_BEST)


def parse_baseline(text: str) -> Baseline | None:
    """Read a baseline as people type it, ``means``, ``variation:2``, ``blur:1.5``; ``None`` for all else."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    name, strength = found["name"], found["strength"]
    if strength is not None:
        return Baseline(name, float(strength)) if name in (_BLUR, *_USUAL) and float(strength) else None
    return Baseline(name, None) if name in (*BASELINES, *_PACKAGES) else None


def apply_baseline(baseline: Baseline, noisy: Plane, clean: Plane) -> tuple[Image, str]:
    """Return what a baseline makes of a plane, and with what strength.

    All but blurs are applied to the plane whose noise is made alike at all intensities, as ``standard`` does,
    at strengths relative to the noise that it tells itself (the variational approach with the
    generalised Anscombe transform).

    Parameters
    ----------
    baseline : Baseline
        Which one.
    noisy, clean : ndarray
        (Y, X), in detector counts; the clean one only chooses the strength of those that are bounds.

    Raises
    ------
    OptionError
        If the noise cannot be told, or a package is missing.
    """
    from autodip_zarr.dip.planes.filters import blurred  # noqa: PLC0415 - scipy, not for planning
    from autodip_zarr.dip.planes.noise_sample import sample_noise  # noqa: PLC0415 - as above
    from autodip_zarr.dip.planes.scaling import scale_and_stabilise  # noqa: PLC0415 - as above

    if baseline.name == _BLUR and baseline.strength is not None:
        return blurred(noisy.astype(np.float64), baseline.strength), f"sigma {baseline.strength:g} px"
    scaled = scale_and_stabilise(noisy, "robust", 1.0)
    sample = sample_noise(scaled.image, scaled.usable, 0)
    if sample is None:
        raise OptionError("noisy", "its noise cannot be told", "some 90 pixels or more a side, with noise")
    run = _FILTERS[baseline.name.removeprefix(_BEST)]
    noise_std = float(np.sqrt(sample.variance))

    def at(strength: float) -> Image:
        return scaled.unscale(run(scaled.image, noise_std, strength), noisy.dtype)

    if not baseline.is_bound:
        strength = baseline.strength or _USUAL.get(baseline.name, 1.0)
        return at(strength), f"strength {strength:g}"
    wanted = clean.astype(np.float64)
    made = {strength: at(strength) for strength in _TRIED[baseline.name.removeprefix(_BEST)]}
    strength = min(made, key=lambda one: float(np.mean((made[one] - wanted) ** 2)))
    return made[strength], f"strength {strength:g}, by the clean image"


def _means(image: Image, noise_std: float, strength: float) -> Image:
    from autodip_zarr.dip.planes.filters import local_means  # noqa: PLC0415

    return local_means(image, noise_std, strength)


def _variation(image: Image, noise_std: float, strength: float) -> Image:
    from autodip_zarr.dip.planes.filters import total_variation  # noqa: PLC0415

    return total_variation(image, strength * noise_std)


def _wavelets(image: Image, noise_std: float, strength: float) -> Image:
    _require(_WAVELETS)
    from skimage.restoration import denoise_wavelet  # noqa: PLC0415

    found: Image = denoise_wavelet(
        image, sigma=strength * noise_std, method="BayesShrink", rescale_sigma=False
    )
    return found


def _bm3d(image: Image, noise_std: float, strength: float) -> Image:
    module = _require(_BM3D)
    return np.asarray(module.bm3d(image, strength * noise_std), np.float32)


def _require(name: str) -> Any:  # noqa: ANN401 - a module
    from importlib import import_module  # noqa: PLC0415

    package, how = _PACKAGES[name]
    try:
        return import_module(package)
    except ImportError as error:
        raise OptionError(f"--method {name}", f"the package {package} is not installed", "", how) from error


_FILTERS: Final[Mapping[str, Callable[[Image, float, float], Image]]] = {
    _MEANS: _means,
    _VARIATION: _variation,
    _WAVELETS: _wavelets,
    _BM3D: _bm3d,
}
