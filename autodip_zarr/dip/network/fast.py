"""The network of :mod:`autodip_zarr.dip.network.plain`, arranged to touch little memory.

Activations are channels last, in float32 or bfloat16. One step writes the norm, its LeakyReLU and the padding
for the next convolution; the norm of a concatenation is folded into the weights of the convolution behind it.
Biases in front of a norm are left out: the norm subtracts them again, and their true gradient is zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every reader of torch code knows
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from autodip_zarr.dip.architecture import Architecture
from autodip_zarr.dip.network.norm import add_affine, normalise, normalise_backward, statistics
from autodip_zarr.dip.network.plain import SLOPE, crop_to, on_card

_LAST = torch.channels_last
_FEW_PIXELS = 32 * 32


def fast_forward(x: Tensor, parameters: Sequence[Tensor], architecture: Architecture) -> Tensor:
    """Run the network; what :func:`autodip_zarr.dip.network.plain.forward` computes, to rounding.

    Parameters
    ----------
    x : Tensor
        Input, (1, 32, Y + 2, X + 2), channels last, padded by :func:`pad_input`; its type, float32 or
        bfloat16, is that of all activations.
    parameters : sequence of Tensor
        float32, in the order of :meth:`Architecture.parameter_shapes`. Those that do nothing
        (biases in front of a norm) get no gradient.
    architecture : Architecture
        The network.

    Returns
    -------
    Tensor
        (1, 1, Y, X) float32, in (0, 1).
    """
    feed = _Feed(iter(parameters))
    skips: list[Tensor] = []
    for level in range(architecture.depth):
        if architecture.skip:
            skips.append(feed.skip(x))  # (1, skip, Y, X)
        x = feed.convolve(x, stride=2, padding=1)  # (1, width, Y / 2 + 2, X / 2 + 2), rounded up
        x = feed.convolve(x, padding=int(level < architecture.depth - 1))
    for _ in range(architecture.depth):
        x = _double(x)  # (1, width, Y, X)
        x = feed.join(skips.pop() if architecture.skip else None, x)
        x = feed.convolve(x)
    logits: Tensor = _Output.apply(x, feed.take(), feed.take())  # type: ignore[no-untyped-call]
    return torch.sigmoid(logits)


def pad_input(x: Tensor) -> Tensor:
    """Pad an image by reflection for a 3x3 convolution."""
    return F.pad(x, (1, 1, 1, 1), mode="reflect")


@dataclass
class _Feed:
    """Hands the parameters out one after the other, and applies them."""

    parameters: Iterator[Tensor]

    def take(self) -> Tensor:
        return next(self.parameters)

    def convolve(self, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        """Convolve a padded tensor, normalise, activate, and pad for the next convolution."""
        weight, _ = self.take(), self.take()
        return self._activate(_convolve(x, weight.to(x.dtype), stride), padding)

    def skip(self, x: Tensor) -> Tensor:
        weight, _ = self.take(), self.take()
        y = _convolve(x, weight.to(x.dtype))[:, :, 1:-1, 1:-1]  # cropping 4 channels after is cheaper
        return self._activate(y.contiguous(memory_format=_LAST), 0)

    def join(self, skip: Tensor | None, deeper: Tensor) -> Tensor:
        """Join both branches, normalise, and convolve 3x3."""
        if deeper[0, 0].numel() < _FEW_PIXELS:
            return self.convolve(self._activate(_concatenate(skip, deeper), 1, slope=1.0))
        gain, _, weight, _ = self.take(), self.take(), self.take(), self.take()
        y: Tensor = _JoinConvolution.apply(skip, deeper, gain, weight)  # type: ignore[no-untyped-call]
        return self._activate(y, 0)

    def _activate(self, y: Tensor, padding: int, slope: float = SLOPE) -> Tensor:
        active: Tensor = _NormActivatePad.apply(y, self.take(), self.take(), (padding, slope))  # type: ignore[no-untyped-call]
        return active


def _convolve(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """Convolve without padding; on a CPU float32 1x1 convolutions are faster as products of matrices."""
    if weight.shape[-1] == 1 and x.dtype == torch.float32 and not on_card(x):
        return (x.permute(0, 2, 3, 1) @ weight[:, :, 0, 0].t()).permute(0, 3, 1, 2)
    return F.conv2d(x, weight.contiguous(memory_format=_LAST), None, stride)


def _double(x: Tensor) -> Tensor:
    """Double the sides by bilinear interpolation; an output between two pixels lies a quarter from one."""
    if on_card(x):
        doubled: Tensor = Double.apply(x)  # type: ignore[no-untyped-call]
        return doubled
    return _interpolate(x)


def _interpolate(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Double(Function):
    """Bilinear interpolation whose gradient is gathered.

    On a card PyTorch scatters it by atomic additions, which are slow in bfloat16 and come in another order,
    hence with other rounding, each time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401, ARG004
        """Double the sides."""
        return _interpolate(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ANN401, ARG004
        """Gather the gradient of each side in turn."""
        for axis in (-2, -1):  # (1, width, 2 Y, 2 X), then (1, width, Y, 2 X), then (1, width, Y, X)
            grad = halve(grad, axis)
        return grad.contiguous(memory_format=_LAST)


def halve(grad: Tensor, axis: int) -> Tensor:
    """Sum the gradients by the outputs 2i - 1 to 2i + 2, weighted 1, 3, 3, 1 quarters, for each input i."""
    grad = grad.transpose(axis, -1)
    even, odd = grad[..., ::2], grad[..., 1::2]
    total = (even + odd).mul_(0.75)
    total[..., 1:].add_(odd[..., :-1], alpha=0.25)
    total[..., :-1].add_(even[..., 1:], alpha=0.25)
    total[..., 0].add_(even[..., 0], alpha=0.25)  # beyond the border the outermost pixel is repeated
    total[..., -1].add_(odd[..., -1], alpha=0.25)
    return total.transpose(axis, -1)


def _concatenate(skip: Tensor | None, deeper: Tensor) -> Tensor:
    """Join both branches after cropping each to the smaller about its centre."""
    if skip is None:
        return deeper
    size = [min(a, b) for a, b in zip(skip.shape[-2:], deeper.shape[-2:], strict=True)]
    return torch.cat([crop_to(skip, size), crop_to(deeper, size)], 1)


class _NormActivatePad(Function):
    """Norm with the statistics of the image, LeakyReLU, reflection padding; ``how`` is (0 or 1 px, slope)."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, gain: Tensor, bias: Tensor, how: tuple[int, float]) -> Tensor:  # noqa: ANN401
        padding, slope = how
        normed, mean, rstd = normalise(y, gain, bias)
        if padding:
            _, channels, height, width = y.shape
            out = _empty(y, (1, channels, height + 2, width + 2))
            torch.ops.aten.leaky_relu.out(normed, slope, out=out[:, :, 1:-1, 1:-1])
            _reflect_border(out)
        else:
            out = F.leaky_relu_(normed, slope)
        ctx.padding, ctx.slope = how
        ctx.save_for_backward(y, out, gain, mean, rstd)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        y, out, gain, mean, rstd = ctx.saved_tensors
        if ctx.padding:
            _fold_border(grad)
            grad, out = grad[:, :, 1:-1, 1:-1], out[:, :, 1:-1, 1:-1]
        grad = torch.ops.aten.leaky_relu_backward(grad, out, ctx.slope, True)
        return *normalise_backward(grad, y, gain, mean, rstd), None


class _JoinConvolution(Function):
    """Crop both branches to the smaller, concatenate, normalise, pad by reflection, convolve 3x3.

    With gain g, variance v and mean m of a channel x of the concatenation, its norm is a x + b with
    a = g / sqrt(v + eps). The convolution of it is that of x with the weights a w, up to a constant that
    the norm behind the convolution takes out again; so neither b nor the bias of this norm matters.
    """

    @staticmethod
    def forward(ctx: Any, skip: Tensor | None, deeper: Tensor, gain: Tensor, weight: Tensor) -> Tensor:  # noqa: ANN401
        parts = [deeper] if skip is None else [skip, deeper]
        ctx.sizes = [tuple(part.shape[-2:]) for part in parts]
        height, width = (min(size[axis] for size in ctx.sizes) for axis in (0, 1))
        parts = [crop_to(part, (height, width)) for part in parts]
        channels = sum(part.shape[1] for part in parts)
        joined = _empty(deeper, (1, channels, height + 2, width + 2))
        inner = joined[:, :, 1:-1, 1:-1]  # (1, channels, Y, X)
        torch.cat(parts, 1, out=inner)
        _reflect_border(joined)
        mean, rstd = (torch.cat(both) for both in zip(*map(statistics, parts), strict=True))  # (channels,)
        folded = _folded(weight, gain * rstd, deeper.dtype)
        ctx.split = [part.shape[1] for part in parts]
        ctx.save_for_backward(joined, gain, weight, mean, rstd, folded)
        return F.conv2d(joined, folded)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        joined, gain, weight, mean, rstd, folded = ctx.saved_tensors
        by_joined, by_folded, _ = torch.ops.aten.convolution_backward(
            grad, joined, folded, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, False]
        )
        by_folded = by_folded.float()
        by_weight = by_folded * (gain * rstd)[:, None, None]
        by_scale = (by_folded * weight).sum((0, 2, 3))  # by a = gain * rstd
        # a depends on x through the variance: d variance / d x = 2 (x - mean) / pixels
        _fold_border(by_joined)
        inner = joined[:, :, 1:-1, 1:-1]
        slope = -by_scale * gain * rstd**3 / (inner.shape[-2] * inner.shape[-1])
        by_x = add_affine(by_joined[:, :, 1:-1, 1:-1], inner, slope, -slope * mean)
        by_parts = [
            _uncrop(by_part.contiguous(memory_format=_LAST), size)
            for by_part, size in zip(torch.split(by_x, ctx.split, 1), ctx.sizes, strict=True)
        ]
        skip_and_deeper = by_parts if len(by_parts) == 2 else [None, *by_parts]
        return (*skip_and_deeper, by_scale * rstd, by_weight)


class _Output(Function):
    """1x1 convolution to one channel, accumulated in float32 whatever the type of the input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:  # noqa: ANN401
        rows = x.permute(0, 2, 3, 1).float()  # (1, Y, X, width)
        ctx.save_for_backward(rows, weight)
        ctx.dtype = x.dtype
        return torch.matmul(rows, weight[0, :, 0, 0]).add_(bias)[None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        rows, weight = ctx.saved_tensors
        by_weight = grad.reshape(1, -1) @ rows.flatten(0, 2)
        transposed = weight.transpose(0, 1).to(ctx.dtype)  # (width, 1, 1, 1)
        by_x = F.conv2d(grad.to(ctx.dtype, memory_format=_LAST), transposed)  # (1, width, Y, X)
        return by_x, by_weight.view_as(weight), grad.sum().view(1)


def _empty(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=_LAST)


def _folded(weight: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    return (weight * scale[:, None, None]).to(dtype, memory_format=_LAST)


def _reflect_border(x: Tensor) -> None:
    """Fill the border of one pixel from inside."""
    x[:, :, 0], x[:, :, -1] = x[:, :, 2], x[:, :, -3]
    x[..., 0], x[..., -1] = x[..., 2], x[..., -3]


def _fold_border(grad: Tensor) -> None:
    """Add the gradient by the border to where the border came from, in place: nobody else holds it."""
    grad[..., 2] += grad[..., 0]
    grad[..., -3] += grad[..., -1]
    grad[:, :, 2] += grad[:, :, 0]
    grad[:, :, -3] += grad[:, :, -1]


def _uncrop(grad: Tensor, size: tuple[int, int]) -> Tensor:
    """Undo :func:`crop_to` for a gradient: zeros around."""
    if tuple(grad.shape[-2:]) == size:
        return grad
    whole = grad.new_zeros((*grad.shape[:2], *size)).contiguous(memory_format=_LAST)
    crop_to(whole, grad.shape[-2:]).copy_(grad)
    return whole
