"""The fast arrangement of the network computes what the plain one does, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.overrides import TorchFunctionMode

from autodip_zarr.dip.architecture import Architecture
from autodip_zarr.dip.network.fast import Double, fast_forward, halve, pad_input
from autodip_zarr.dip.network.norm import normalise, normalise_backward
from autodip_zarr.dip.network.plain import forward, initial_parameters
from autodip_zarr.domain import DipConfig

Forward = Callable[[Tensor, Sequence[Tensor], Architecture], Tensor]


def run_fast(x: Tensor, parameters: Sequence[Tensor], architecture: Architecture) -> Tensor:
    return fast_forward(pad_input(x.contiguous(memory_format=torch.channels_last)), parameters, architecture)


def output_and_gradients(
    run: Forward, x: Tensor, start: Sequence[Tensor], config: DipConfig
) -> tuple[Tensor, list[Tensor | None]]:
    parameters = [p.clone().requires_grad_() for p in start]
    output = run(x, parameters, Architecture.of(config))
    ramp = torch.linspace(0, 1, output.numel()).view_as(output)
    torch.mean((output - ramp) ** 2).backward()  # type: ignore[no-untyped-call]
    return output.detach(), [p.grad for p in parameters]


def start(config: DipConfig, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    fresh = initial_parameters(Architecture.of(config), generator)
    return [p + 0.1 * torch.randn(p.shape, generator=generator) for p in fresh]


KINK = 1e-5
"""Of normalised values, how near 0 rounding may decide on which side of the LeakyReLU a pixel lies."""


class OtherSideOfTheKink(TorchFunctionMode):
    """Takes pixels at the kink of each LeakyReLU for those of its other side; the output hardly changes."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: Any = (), options: dict[str, Any] | None = None
    ) -> Any:
        """Compute as torch does, and choose the other slope at the kink."""
        del types
        found = function(*arguments, **(options or {}))
        if function is not torch.nn.functional.leaky_relu:
            return found
        x, slope = arguments[0], (options or {})["negative_slope"]
        return torch.where(x.abs() < KINK, torch.where(x > 0, slope * x, x), found)


@settings(max_examples=30)
@example(depth=1, skip=4, y=55, x=55, seed=1)  # one pixel at the kink of the LeakyReLU, on its other side
@given(
    st.integers(1, 3), st.sampled_from([0, 4]), st.integers(16, 60), st.integers(16, 60), st.integers(0, 99)
)
def test_outputs_and_gradients_agree_at_any_size(depth: int, skip: int, y: int, x: int, seed: int) -> None:
    config = DipConfig(depth, 8, skip, 1)
    height, width = Architecture.of(config).padded_size(y), Architecture.of(config).padded_size(x)
    z = torch.rand(1, 32, height, width, generator=torch.Generator().manual_seed(seed))
    parameters = start(config, seed)
    expected, slopes = output_and_gradients(forward, z, parameters, config)
    found, fast_slopes = output_and_gradients(run_fast, z, parameters, config)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    with OtherSideOfTheKink():
        _, other_slopes = output_and_gradients(forward, z, parameters, config)
    largest = max(float(slope.norm()) for slope in slopes if slope is not None)
    for slope, fast_slope, other in zip(slopes, fast_slopes, other_slopes, strict=True):
        assert slope is not None
        assert other is not None
        expected_slope = torch.zeros_like(slope) if fast_slope is None else fast_slope
        room = 0.02 * float(slope.norm()) + 2e-4 * largest + float((slope - other).norm())
        assert float((slope - expected_slope).norm()) < room


@pytest.mark.parametrize("skip", [0, 4])
def test_bfloat16_output_is_near(skip: int) -> None:
    config = DipConfig(3, 16, skip, 1)
    z = torch.rand(1, 32, 64, 64, generator=torch.Generator().manual_seed(1))
    parameters = start(config, 1)
    expected, _ = output_and_gradients(forward, z, parameters, config)
    found, _ = output_and_gradients(run_fast, z.bfloat16(), parameters, config)
    assert found.dtype == torch.float32
    assert float((found - expected).abs().mean()) < 0.01


@pytest.mark.parametrize("shape", [(4, 16, 20), (4, 5, 7), (16, 12, 12), (3, 9, 8), (40, 6, 6)])
def test_norm_of_few_channels(shape: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    x = 3 + torch.randn((1, *shape), generator=generator, requires_grad=True)
    x.retain_grad()
    gain, bias = (torch.rand(shape[0], generator=generator, requires_grad=True) for _ in range(2))
    expected = torch.nn.functional.batch_norm(x, None, None, gain, bias, training=True)
    slope = torch.randn(expected.shape, generator=generator)
    expected.backward(slope)  # type: ignore[no-untyped-call]
    last = x.detach().contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        normed, mean, rstd = normalise(last, gain, bias)
        torch.testing.assert_close(normed, expected)
        found = normalise_backward(slope, last, gain, mean, rstd)
    for one, other in zip(found, (x.grad, gain.grad, bias.grad), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 2), (7, 6)])
def test_the_gathered_gradient_of_doubling(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn((1, 3, *shape), generator=generator, dtype=torch.float64, requires_grad=True)
    slope = torch.randn((1, 3, 2 * shape[0], 2 * shape[1]), generator=generator, dtype=torch.float64)
    doubled = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    (expected,) = torch.autograd.grad(doubled, x, slope)
    found = halve(halve(slope, -2), -1)
    torch.testing.assert_close(found, expected)
    assert torch.autograd.gradcheck(Double.apply, x)
