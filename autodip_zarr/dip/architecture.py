"""The shape of the network of a configuration: widths, convolutions, parameters, padding; without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from autodip_zarr.domain import DipConfig, Width

INPUT_CHANNELS: Final = 32
"""Channels of the random input."""

_WIDEST: Final = 512


@dataclass(frozen=True)
class Convolution:
    """One convolution of the network."""

    level: int
    """How often the plane has been halved where its output lies; 0 is full resolution."""
    inputs: int
    """Input channels."""
    outputs: int
    """Output channels."""
    kernel: int
    """Side of the kernel."""
    stride: int = 1
    """2 where it halves the plane."""
    joins: bool = False
    """Whether its input is both branches of a level, concatenated and normalised."""
    is_last: bool = False
    """Whether it gives the image, without a norm behind it."""


@dataclass(frozen=True)
class Architecture:
    """A skip network: what of a configuration decides its parameters."""

    depth: int
    """Number of levels of the U-net."""
    width: Width
    """Channels of each level, or ``"asc"``."""
    skip: int
    """Channels of each skip branch; 0 for none."""

    @classmethod
    def of(cls, config: DipConfig) -> Architecture:
        """Return the network of a configuration."""
        return cls(config.depth, config.width, config.skip)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, outermost first; ``asc`` doubles from level to level and ends at 512."""
        if self.width == "asc":
            return tuple(_WIDEST >> (self.depth - 1 - level) for level in range(self.depth))
        return (self.width,) * self.depth

    def convolutions(self) -> list[Convolution]:
        """Return all convolutions in the order in which the network makes them.

        For each level from the outermost in: the skip branch (absent where ``skip`` is 0), a strided and a
        plain 3x3; then for each level from the innermost out: a 3x3 of both branches, a 1x1; last the output.
        """
        found: list[Convolution] = []
        inner = INPUT_CHANNELS
        for level, width in enumerate(self.widths):
            if self.skip:
                found.append(Convolution(level, inner, self.skip, 1))
            found.append(Convolution(level + 1, inner, width, 3, stride=2))
            found.append(Convolution(level + 1, width, width, 3))
            inner = width
        for level, width in reversed(list(enumerate(self.widths))):
            found.append(Convolution(level, self.skip + inner, width, 3, joins=True))
            found.append(Convolution(level, width, width, 1))
            inner = width
        return [*found, Convolution(0, inner, 1, 1, is_last=True)]

    def parameter_shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of all parameters in the order in which the network takes them.

        Each convolution and each norm is a weight and a bias; a norm follows every convolution but the last,
        and stands in front of those that join both branches.
        """
        shapes: list[tuple[int, ...]] = []
        for one in self.convolutions():
            if one.joins:
                shapes += [(one.inputs,)] * 2
            shapes += [(one.outputs, one.inputs, one.kernel, one.kernel), (one.outputs,)]
            if not one.is_last:
                shapes += [(one.outputs,)] * 2
        return shapes

    def padded_size(self, side: int) -> int:
        """Return the smallest side, at least ``side``, that the network can take.

        Reflection padding needs 2 pixels at every level. Without skip branches nothing crops what upsampling
        adds, so that the side must also be a multiple of ``2**depth``.

        Parameters
        ----------
        side : int
            Side of the image, in pixels.
        """
        step = 1 << self.depth
        if self.skip:
            return max(side, step + 1)
        return max(-(-side // step), 2) * step

    def padded_shape(self, shape: Sequence[int]) -> tuple[int, int]:
        """Return the size (Y', X') to which a tile of size (Y, X) is padded."""
        height, width = (self.padded_size(side) for side in shape)
        return height, width
