"""What a configuration costs, counted in multiply-adds before anything is run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autodip_zarr.domain import DipConfig

__all__ = ["ORIGINAL_DIP", "Convolution", "convolutions", "flops_per_iteration", "relative_cost"]

ORIGINAL_DIP = DipConfig(depth=5, width=128, skip=4, iterations=1800)
"""The configuration of the original Deep Image Prior, to which costs are relative."""

INPUT_CHANNELS = 32
ASCENDING_TO = 512
FIELD_PIXELS = 512 * 512
PASSES = 3
"""A step is a forward pass and about two of its size backward (by input and by weight)."""


@dataclass(frozen=True)
class Convolution:
    """One convolution of the network, as far as its cost goes."""

    level: int
    """How often the plane has been halved where its output lies; 0 is full resolution."""
    inputs: int
    """Input channels."""
    outputs: int
    """Output channels."""
    kernel: int
    """Side of the kernel."""


def widths(config: DipConfig) -> tuple[int, ...]:
    """Channels of each level, outermost first; ``asc`` doubles from level to level and ends at 512."""
    if config.width == "asc":
        return tuple(ASCENDING_TO >> (config.depth - 1 - k) for k in range(config.depth))
    return (config.width,) * config.depth


def convolutions(config: DipConfig) -> Iterator[Convolution]:
    """Yield every convolution of the skip network of a configuration.

    Parameters
    ----------
    config : DipConfig
        Depth, width and skip; the iterations do not matter.
    """
    channels = widths(config)
    inputs = INPUT_CHANNELS
    for level, width in enumerate(channels):
        deeper = channels[level + 1] if level + 1 < config.depth else width
        if config.skip:
            yield Convolution(level, inputs, config.skip, 1)
        yield Convolution(level + 1, inputs, width, 3)
        yield Convolution(level + 1, width, width, 3)
        yield Convolution(level, config.skip + deeper, width, 3)
        yield Convolution(level, width, width, 1)
        inputs = width
    yield Convolution(0, channels[0], 1, 1)


def flops_per_iteration(config: DipConfig, pixels: int) -> float:
    """Return the floating-point operations of one step of a fit.

    Only convolutions are counted (two operations per multiply-add, forward and backward); norms, activations
    and upsampling are bound by memory and add little but on the narrowest networks.

    Parameters
    ----------
    config : DipConfig
        Configuration of the network.
    pixels : int
        Pixels of the plane.
    """
    forward = sum(
        one.inputs * one.outputs * one.kernel * one.kernel / (1 << 2 * one.level)
        for one in convolutions(config)
    )
    return 2.0 * PASSES * forward * pixels


def relative_cost(config: DipConfig, pixels: int = FIELD_PIXELS) -> float:
    """Return the arithmetic of one plane relative to original DIP on a field of 512x512 pixels.

    Parameters
    ----------
    config : DipConfig
        Configuration, with its iterations.
    pixels : int
        Pixels of the plane.
    """
    original = flops_per_iteration(ORIGINAL_DIP, FIELD_PIXELS) * ORIGINAL_DIP.iterations
    return flops_per_iteration(config, pixels) * config.iterations / original
