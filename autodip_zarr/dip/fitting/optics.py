"""The blur that a network is seen through, so that it cannot fit what no microscope resolves."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every reader of torch code knows
from torch import Tensor

REACH_PX: Final = 6
"""How far the blur reaches."""

_NO_BLUR_PX: Final = 1e-2


def blur_kernel(width_px: float) -> Tensor:
    """Return a Gaussian of 13 pixels (13,), which sums to one; of width 0, that changes nothing."""
    x = torch.arange(-REACH_PX, REACH_PX + 1, dtype=torch.float32)
    kernel = torch.exp(-(x**2) / (2 * max(width_px, _NO_BLUR_PX) ** 2))
    return kernel / kernel.sum()


def seen_through(kernel: Tensor, output: Tensor) -> Tensor:
    """Blur outputs (1, 1, Y, X) along both axes, mirrored at their borders; tiny ones are continued."""
    reach = REACH_PX
    is_large = min(output.shape[-2:]) > reach
    padded = F.pad(output, (reach, reach, reach, reach), mode="reflect" if is_large else "replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
