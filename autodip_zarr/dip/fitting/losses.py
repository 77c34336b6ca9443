"""What a fit minimises: the distance of the output to the noisy image, and its roughness."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every reader of torch code knows
from torch import Tensor

from autodip_zarr.dip.settled import SettledFit
from autodip_zarr.errors import OptionError

LOSSES: Final = ("mse", "l1", "poisson", "ssim")
"""Names that ``Recipe.loss`` may take."""

_SSIM_WINDOW_PX: Final = 7
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2
_DARKEST: Final = 1e-3


def loss(output: Tensor, target: Tensor, mask: Tensor | None, fit: SettledFit) -> Tensor:
    """Return what the fit minimises.

    Parameters
    ----------
    output, target : Tensor
        (Y, X) float32, within [0, 1].
    mask : Tensor or None
        (Y, X) bool, which pixels count; ``None`` for all.
    fit : SettledFit
        ``loss``: ``mse``; ``l1``; ``poisson``, the negative log likelihood of counts, whose darkest value the
        scaling has put at 0; ``ssim``, one minus the structural similarity in 7x7 windows. ``tv_weight`` adds
        the mean absolute difference of neighbours.

    Raises
    ------
    OptionError
        If there is no such loss.
    """
    if mask is not None:  # pixels that do not count are what the network says
        target = torch.where(mask, target, output.detach())
    if fit.loss == "mse":
        distance = mean_squared_error(output, target, mask)
    elif fit.loss == "l1":
        distance = torch.mean((output - target).abs())
    elif fit.loss == "poisson":
        bright = output + _DARKEST
        distance = torch.mean(bright - (target + _DARKEST) * torch.log(bright))
    elif fit.loss == "ssim":
        distance = 1 - structural_similarity(output, target)
    else:
        raise OptionError("loss", repr(fit.loss), ", ".join(LOSSES))
    return distance + fit.tv_weight * total_variation(output) if fit.tv_weight else distance


def mean_squared_error(output: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean squared difference over the pixels in the mask, over all without one."""
    squares = (output - target) ** 2
    return squares.mean() if mask is None else torch.where(mask, squares, 0).sum() / mask.sum()


def structural_similarity(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean structural similarity of two images (Y, X) of range 1, in windows of 7x7 pixels.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli, IEEE Transactions on Image Processing, 2004.
    """
    moments = torch.stack([one, other, one * one, other * other, one * other])[None]  # (1, 5, Y, X)
    window = min(_SSIM_WINDOW_PX, *one.shape)
    a, b, aa, bb, ab = F.avg_pool2d(moments, window, stride=1)[0]
    similar = (2 * a * b + _SSIM_C1) * (2 * (ab - a * b) + _SSIM_C2)
    apart = (a * a + b * b + _SSIM_C1) * (aa - a * a + bb - b * b + _SSIM_C2)
    return torch.mean(similar / apart)


def total_variation(image: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbours along Y plus that along X."""
    return image.diff(dim=0).abs().mean() + image.diff(dim=1).abs().mean()
