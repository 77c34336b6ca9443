"""Noise that is added to the input of a fit, new at each iteration, without being drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from autodip_zarr.dip.network.plain import on_card

MARGIN_PX: Final = 64
"""By how much the field of noise is larger than the input, along Y and X."""

_MOST_MOVES: Final = 16384
"""Moves after which they come again: twice as many as there are different ones."""


@dataclass(frozen=True)
class Generators:
    """Sources of random numbers of one fit."""

    host: torch.Generator
    """For the few: weights and moves, the same on every device."""
    device: torch.Generator
    """For the many, input and noise: drawn where they are used; on the CPU the same generator as ``host``."""

    @classmethod
    def seeded(cls, seed: int, device: str) -> Generators:
        """Make the generators of a seed."""
        host = torch.Generator().manual_seed(seed)
        on_card = torch.device(device).type != "cpu"
        return cls(host, torch.Generator(device).manual_seed(seed) if on_card else host)


@dataclass
class Noise:
    """White noise for the input: one field, a little larger than it, seen from a new offset each time.

    Drawing 32 normal numbers a pixel at every iteration would take longer than the rest of a step of a narrow
    network. Views of a white field at two offsets are uncorrelated, and there are 2 * 65**2 of them, so that
    few come twice in a fit.
    """

    field: Tensor
    """(1, C, Y + 64, X + 64), channels last, of the type of the input."""
    moves: Tensor
    """(steps, 3) int64 on the device: offset along Y and X and sign, in the order of the steps."""
    step: Tensor
    """() int64 on the device: steps made; after the last move the first comes again."""

    @classmethod
    def like(cls, z: Tensor, sigma: float, steps: int, generators: Generators) -> Noise:
        """Draw a field for an input.

        Parameters
        ----------
        z : Tensor
            The input, (1, C, Y, X).
        sigma : float
            Standard deviation of the noise.
        steps : int
            Steps of the fit; a move is drawn for each, but at most 16384.
        generators : Generators
            Whence the numbers come.
        """
        channels, height, width = z.shape[1:]
        size = (1, channels, height + MARGIN_PX, width + MARGIN_PX)
        field = torch.randn(size, generator=generators.device, device=z.device) * sigma
        field = field.to(z.dtype).contiguous(memory_format=torch.channels_last)
        moves = _draw_moves(min(steps, _MOST_MOVES), generators.host).to(z.device)
        return cls(field, moves, torch.zeros((), dtype=torch.int64, device=z.device))

    def add_to(self, z: Tensor) -> Tensor:
        """Return the input with the noise of the next step.

        On a card nothing here waits for it or depends on numbers of the host, so that the step can be
        captured in a graph: the view becomes a gather at an offset that lies on the card.
        """
        if on_card(z):
            return self.gather_onto(z)
        y, x, sign = self.moves[int(self.step)].tolist()
        self._next()
        view = self.field[..., y : y + z.shape[-2], x : x + z.shape[-1]]
        return torch.add(z, view, alpha=sign)

    def gather_onto(self, z: Tensor) -> Tensor:
        """Do what :meth:`add_to` does, by a gather."""
        channels, height, width = z.shape[1:]
        row_px = self.field.shape[-1]
        y, x, sign = self.moves.index_select(0, self.step[None])[0]  # () each
        self._next()
        rows = torch.arange(height, device=z.device)[:, None] * row_px
        inside = rows + torch.arange(width, device=z.device)  # (Y, X), which pixel of the field
        pixels = self.field[0].permute(1, 2, 0).reshape(-1, channels)  # a view, ((Y + 64) (X + 64), C)
        view = pixels.index_select(0, (inside + (y * row_px + x)).flatten())  # (Y X, C)
        view = view.view(1, height, width, channels).permute(0, 3, 1, 2)  # (1, C, Y, X)
        return torch.addcmul(z, view, sign.to(z.dtype))

    def _next(self) -> None:
        self.step.add_(1).remainder_(len(self.moves))

    def make_room(self) -> None:
        """Take memory for as many moves as there can be, so that a longer fit may follow in place."""
        self.moves = self.moves.new_zeros(_MOST_MOVES, 3)

    def restart_as(self, fresh: Noise) -> None:
        """Take over another noise in place."""
        self.field.copy_(fresh.field)
        self.moves[: len(fresh.moves)].copy_(fresh.moves)
        self.step.copy_(fresh.step)


def _draw_moves(steps: int, generator: torch.Generator) -> Tensor:
    """Draw the offset along Y and X and the sign of the noise for each step, (steps, 3) int64."""
    moves = torch.empty(steps, 3, dtype=torch.int64)
    for move in moves:
        move[:2] = torch.randint(MARGIN_PX + 1, (2,), generator=generator)
        move[2] = 1 - 2 * torch.randint(2, (), generator=generator)
    return moves
