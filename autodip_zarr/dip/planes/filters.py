"""Classical filters of an image: blurs, non-local means, total variation, each at more than one strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]

BLURS_PX: Final = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Standard deviations of the blurs."""

_MEANS: Final = (0.8, 1.2)
_VARIATIONS: Final = (1.0, 2.0)
_PATCH_PX: Final = 5
_DISTANCE_PX: Final = 9
_SWEEPS: Final = 100


def filters(noise_std: float, *, linear_only: bool = False) -> Mapping[str, Callable[[Image], Image]]:
    """Return the filters by name.

    Parameters
    ----------
    noise_std : float
        Standard deviation of the noise, which sets their strengths.
    linear_only : bool
        Whether to leave out those that take outliers of the noise for structure.

    References
    ----------
    Buades, Coll, Morel, Image Processing On Line 1 (2011) 208: non-local means. Chambolle, Journal of
    Mathematical Imaging and Vision 20 (2004) 89: total variation. Both are those of scikit-image.
    """
    found: dict[str, Callable[[Image], Image]] = {}
    found |= {f"blur {width:g}": partial(blurred, width_px=width) for width in BLURS_PX}
    if linear_only:
        return found
    found |= {f"means {h:g}": partial(_means, noise_std=noise_std, share=h) for h in _MEANS}
    found |= {f"variation {w:g}": partial(_variation, weight=w * noise_std) for w in _VARIATIONS}
    return found


def blurred(image: Image, width_px: float) -> Image:
    """Blur an image (Y, X) by a Gaussian, mirrored at its borders."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - not for planning

    found: Image = gaussian_filter(image, width_px, mode="reflect")
    return found


def _means(image: Image, noise_std: float, share: float) -> Image:
    from skimage.restoration import denoise_nl_means  # noqa: PLC0415 - slow to import

    found: Image = denoise_nl_means(
        image,
        patch_size=_PATCH_PX,
        patch_distance=_DISTANCE_PX,
        h=share * noise_std,
        sigma=noise_std,
        fast_mode=True,
    )
    return found


def _variation(image: Image, weight: float) -> Image:
    from skimage.restoration import denoise_tv_chambolle  # noqa: PLC0415

    found: Image = denoise_tv_chambolle(  # type: ignore[no-untyped-call]
        image, weight=weight, eps=0, max_num_iter=_SWEEPS
    )
    return found
