"""Classical filters of an image: blurs, non-local means, total variation, thresholds of cosines."""

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
_BLOCK_PX: Final = 32
_BLOCK_STEP_PX: Final = 8
_THRESHOLD: Final = 3.2


def filters(
    noise_std: float, *, linear_only: bool = False, correlated: Image | None = None
) -> Mapping[str, Callable[[Image], Image]]:
    """Return the filters by name.

    Parameters
    ----------
    noise_std : float
        Standard deviation of the noise, which sets their strengths.
    linear_only : bool
        Whether to leave out those that take outliers of the noise for structure.
    correlated : ndarray or None
        (Y, X), noise like that of the image where it is correlated: then the cosine transforms of blocks take
        part, which know how strong it is at each frequency.

    References
    ----------
    Buades, Coll, Morel, Image Processing On Line 1 (2011) 208: non-local means. Chambolle, Journal of
    Mathematical Imaging and Vision 20 (2004) 89: total variation. Both are those of scikit-image. Yu, Sapiro,
    Image Processing On Line 1 (2011) 292: thresholds of cosine transforms.
    """
    found: dict[str, Callable[[Image], Image]] = {}
    found |= {f"blur {width:g}": partial(blurred, width_px=width) for width in BLURS_PX}
    if linear_only:
        return found
    found |= {f"means {h:g}": partial(local_means, noise_std=noise_std, share=h) for h in _MEANS}
    found |= {f"variation {w:g}": partial(total_variation, weight=w * noise_std) for w in _VARIATIONS}
    if correlated is not None:
        found["cosines"] = partial(_thresholded, thresholds=_THRESHOLD * _deviations(correlated))
    return found


def blurred(image: Image, width_px: float) -> Image:
    """Blur an image (Y, X) by a Gaussian, mirrored at its borders."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - not for planning

    found: Image = gaussian_filter(image, width_px, mode="reflect")
    return found


def local_means(image: Image, noise_std: float, share: float) -> Image:
    """Return non-local means of an image (Y, X), by a share of the standard deviation of its noise."""
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


def total_variation(image: Image, weight: float) -> Image:
    """Return an image (Y, X) with less total variation, the less the greater the weight."""
    from skimage.restoration import denoise_tv_chambolle  # noqa: PLC0415

    found: Image = denoise_tv_chambolle(  # type: ignore[no-untyped-call]
        image, weight=weight, eps=0, max_num_iter=_SWEEPS
    )
    return found


def _deviations(noise: Image) -> NDArray[np.float32]:
    """Return the standard deviation of the cosine transforms of blocks of noise, (32, 32)."""
    height, width = (side // _BLOCK_PX * _BLOCK_PX for side in noise.shape)
    found: NDArray[np.float32] = np.sqrt(np.mean(_transformed(noise[:height, :width]) ** 2, axis=(0, 1)))
    return found


def _thresholded(image: Image, thresholds: NDArray[np.float32]) -> Image:
    """Set the cosines of overlapping blocks to zero that are no more than noise; flat blocks count most."""
    from scipy.fft import idctn  # noqa: PLC0415

    inner = [-(-side // _BLOCK_PX) * _BLOCK_PX + _BLOCK_PX for side in image.shape]
    after = [whole - side for whole, side in zip(inner, image.shape, strict=True)]
    padded = np.pad(image, [(_BLOCK_PX, more) for more in after], mode="reflect")
    total, weights = np.zeros_like(padded), np.zeros_like(padded)
    for y in range(0, _BLOCK_PX, _BLOCK_STEP_PX):
        for x in range(0, _BLOCK_PX, _BLOCK_STEP_PX):
            part = np.s_[y : y + inner[0], x : x + inner[1]]
            cosines = _transformed(padded[part])
            is_kept = np.abs(cosines) > thresholds
            is_kept[:, :, 0, 0] = True
            weight = (1 / is_kept.sum(axis=(2, 3), keepdims=True)).astype(padded.dtype)
            blocks = idctn(cosines * is_kept, axes=(2, 3), norm="ortho") * weight
            total[part] += blocks.swapaxes(1, 2).reshape(inner)
            weights[part] += np.broadcast_to(weight, blocks.shape).swapaxes(1, 2).reshape(inner)
    height, width = image.shape
    found: Image = (total / np.maximum(weights, np.finfo(padded.dtype).tiny))[
        _BLOCK_PX : _BLOCK_PX + height, _BLOCK_PX : _BLOCK_PX + width
    ]
    return found


def _transformed(image: Image) -> Image:
    """Return the cosine transforms of the blocks of an image (Y, X): (blocks, blocks, 32, 32)."""
    from scipy.fft import dctn  # noqa: PLC0415

    rows, columns = (side // _BLOCK_PX for side in image.shape)
    blocks = image.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX).swapaxes(1, 2)
    found: Image = dctn(blocks, axes=(2, 3), norm="ortho")
    return found
