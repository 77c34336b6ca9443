"""The skip network of the Deep Image Prior, as functions of a flat list of parameters.

A U-net whose levels are, from the outermost in: a skip branch (1x1 convolution to ``skip`` channels) and
a deeper branch (3x3 convolution with stride 2, 3x3 convolution, next level, bilinear upsampling by 2);
both are cropped to the smaller about their centres, concatenated, normalised, and passed through a 3x3
and a 1x1 convolution. Every convolution but the last is followed by a norm with the statistics of the
image at hand and a LeakyReLU; there is reflection padding in front of every 3x3 convolution.

References
----------
Ulyanov, Vedaldi, Lempitsky, Deep Image Prior, CVPR 2018; grid of architectures: AUTO-DIP, arXiv 2601.12055.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every reader of torch code knows
from torch import Tensor

from autodip_zarr.dip.architecture import Architecture

SLOPE: Final = 0.2
"""Of the LeakyReLU for negative values."""

EPS: Final = 1e-5
"""Added to the variance by every norm."""


def initial_parameters(architecture: Architecture, generator: torch.Generator) -> list[Tensor]:
    """Draw the parameters of a fresh network.

    Convolutions are uniform within ``1 / sqrt(fan_in)``, norms start at weight 1 and bias 0: what PyTorch
    does by default, and hence what the published prior does.

    Parameters
    ----------
    architecture : Architecture
        The network.
    generator : torch.Generator
        CPU generator, so that every device starts from the same numbers.

    Returns
    -------
    list of Tensor
        float32 on the CPU, in the order of :meth:`Architecture.parameter_shapes`.
    """
    parameters: list[Tensor] = []
    shapes = architecture.parameter_shapes()
    for weight, bias in zip(shapes[::2], shapes[1::2], strict=True):
        if len(weight) == 1:
            parameters += [torch.ones(weight), torch.zeros(bias)]
            continue
        bound = 1 / math.sqrt(weight[1] * weight[2] * weight[3])
        parameters += [
            torch.empty(shape).uniform_(-bound, bound, generator=generator) for shape in (weight, bias)
        ]
    return parameters


def forward(x: Tensor, parameters: Sequence[Tensor], architecture: Architecture) -> Tensor:
    """Run the network.

    Parameters
    ----------
    x : Tensor
        Input, (1, 32, Y, X), of a size that :meth:`Architecture.padded_shape` gives; its type, float32 or
        bfloat16, is that of all activations.
    parameters : sequence of Tensor
        In the order of :meth:`Architecture.parameter_shapes`.
    architecture : Architecture
        The network.

    Returns
    -------
    Tensor
        (1, 1, Y, X) of the type of the parameters, in (0, 1).
    """
    feed = _Feed(iter(parameters))
    skips: list[Tensor] = []
    for _ in range(architecture.depth):
        if architecture.skip:
            skips.append(feed.convolve(x))  # (1, skip, Y, X)
        x = feed.convolve(x, stride=2)  # (1, width, Y / 2, X / 2), rounded up
        x = feed.convolve(x)
    for _ in range(architecture.depth):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        if architecture.skip:
            x = _concatenate(skips.pop(), x)
        x = feed.normalise(x)
        x = feed.convolve(x)
        x = feed.convolve(x)
    weight, bias = feed.take(), feed.take()
    return torch.sigmoid(F.conv2d(x.to(weight.dtype), weight, bias))


@dataclass
class _Feed:
    """Hands the parameters out one after the other, and applies them."""

    parameters: Iterator[Tensor]

    def take(self) -> Tensor:
        return next(self.parameters)

    def convolve(self, x: Tensor, stride: int = 1) -> Tensor:
        weight, bias = self.take(), self.take()
        if weight.shape[-1] == 3:
            x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        y = F.conv2d(x, weight.to(x.dtype), bias.to(x.dtype), stride)
        return F.leaky_relu(self.normalise(y), SLOPE)

    def normalise(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, self.take(), self.take(), training=True, eps=EPS)


def _concatenate(skip: Tensor, deeper: Tensor) -> Tensor:
    """Join both branches after cropping each to the smaller about its centre."""
    size = [min(a, b) for a, b in zip(skip.shape[-2:], deeper.shape[-2:], strict=True)]
    return torch.cat([crop_to(skip, size), crop_to(deeper, size)], dim=1)


def on_card(x: Tensor) -> bool:
    """Say whether a tensor lies on a CUDA card; what is done differently there asks here."""
    return x.is_cuda


def crop_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """Crop the last two axes about their centres."""
    for axis, length in zip((-2, -1), size, strict=True):
        x = x.narrow(axis, (x.shape[axis] - length) // 2, length)
    return x
