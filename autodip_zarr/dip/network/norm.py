"""Norm over the pixels of each channel, forward and backward, quick for tensors that are channels last."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from autodip_zarr.dip.network.plain import EPS, on_card

_LANES: Final = 64
_FEW: Final = 16


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the reciprocal standard deviation of each channel, (C,) float32.

    Parameters
    ----------
    x : Tensor
        (1, C, Y, X), float32 or bfloat16.
    """
    packed, together = _packed(x)
    running = torch.zeros(2, packed.shape[1], device=x.device)  # demanded, not used
    means, variances = torch.ops.aten.batch_norm_update_stats(packed, running[0], running[1], 0.0)
    means, variances = means.view(together, -1), variances.view(together, -1)
    mean = means.mean(0)
    variance = variances.mean(0) + (means - mean).square().mean(0)
    return mean, torch.rsqrt(variance + EPS)


def normalise(x: Tensor, gain: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise each channel over its pixels.

    Returns
    -------
    normed : Tensor
        Like ``x``, in memory of its own.
    mean, rstd : Tensor
        What :func:`statistics` says.
    """
    packed, k = _packed(x)
    if k == 1:
        return torch.native_batch_norm(x, gain, bias, None, None, True, 0.0, EPS)
    mean, rstd = statistics(x)
    scale, ones = (gain * rstd).repeat(k), torch.ones(packed.shape[1])
    normed = torch.native_batch_norm(packed, scale, bias.repeat(k), mean.repeat(k), ones, False, 0.0, 0.0)[0]
    return _unpacked(normed, x), mean, rstd


def normalise_backward(
    grad: Tensor, x: Tensor, gain: Tensor, mean: Tensor, rstd: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients by the input, the gain and the bias of :func:`normalise`."""
    backward = torch.ops.aten.native_batch_norm_backward
    wanted = [True, True, True]
    packed, k = _packed(x)
    if k == 1:
        found: tuple[Tensor, Tensor, Tensor] = backward(
            grad, x, gain, None, None, mean, rstd, True, EPS, wanted
        )
        return found
    # First as if the statistics were constants, then what flows through them.
    scale, ones = (gain * rstd).repeat(k), torch.ones(packed.shape[1])
    direct, by_gain, by_bias = backward(
        _packed(grad)[0], packed, scale, mean.repeat(k), ones, None, None, False, 0.0, wanted
    )
    by_gain = by_gain.view(k, -1).sum(0) * rstd  # sum over pixels of grad (x - mean) rstd
    by_bias = by_bias.view(k, -1).sum(0)
    per_pixel = -gain * rstd / (x.shape[-2] * x.shape[-1])
    slope = per_pixel * by_gain * rstd
    by_x = add_affine(_unpacked(direct, x), x, slope, per_pixel * by_bias - slope * mean)
    return by_x, by_gain, by_bias


def add_affine(to: Tensor, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return ``to + scale x + shift``; ``to`` may be overwritten.

    Parameters
    ----------
    to, x : Tensor
        (1, C, Y, X), of one type.
    scale, shift : Tensor
        (C,) float32.
    """
    channels, height, width = x.shape[1:]
    total, rows = (one[0].permute(1, 2, 0).reshape(height, -1) for one in (to, x))  # (Y, X C), mostly views
    total.addcmul_(rows, scale.to(x.dtype).repeat(width)).add_(shift.to(x.dtype).repeat(width))
    return total.view(1, height, width, channels).permute(0, 3, 1, 2)


def _packed(x: Tensor) -> tuple[Tensor, int]:
    """View k neighbouring pixels of a tensor of few channels as one pixel of many.

    Loops over channels are the innermost of a channels-last tensor; over 4 of them they take ten times as
    long as over 64.

    Returns
    -------
    packed : Tensor
        (1, k C, pixels / k, 1).
    k : int
        Pixels taken together.
    """
    channels, pixels = x.shape[1], x.shape[2] * x.shape[3]
    k = math.gcd(_LANES // channels, pixels) if channels <= _FEW and not on_card(x) else 1
    rows = x.permute(0, 2, 3, 1).reshape(1, pixels // k, 1, k * channels)
    return rows.permute(0, 3, 1, 2), k


def _unpacked(packed: Tensor, like: Tensor) -> Tensor:
    _, channels, height, width = like.shape
    return packed.permute(0, 2, 3, 1).reshape(1, height, width, channels).permute(0, 3, 1, 2)
