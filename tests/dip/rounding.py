"""What rounding in float32 may do to a computation, measured in float64 with noise of that size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_UNIT = 2.0**-24
_MOVES = frozenset({"alias", "detach", "expand", "select", "slice", "t", "transpose", "view", "_unsafe_view"})


class Float32Rounding(TorchDispatchMode):
    """Disturbs each result of float64 as float32 rounds it (Monte Carlo arithmetic, Parker 1997).

    The error of a sum of K products in the least favourable order, one after the other, is that of a
    random walk: each of the K partial sums, in the mean square K/2 terms long, is rounded by the unit
    roundoff u over the square root of 3, so that the variance is ``u**2 * K / 6 * sum(term**2)``.
    Processors with long vectors sum in blocks and stay below it; those with AVX2 alone come near. Other
    operations round once.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generator = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(
        self,
        function: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Compute, and disturb what comes out."""
        out = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if name == "convolution":
            self._disturb(out, _spread_of_sums(function, args))
        elif name not in _MOVES:
            for one in out if isinstance(out, tuple | list) else (out,):
                if isinstance(one, torch.Tensor) and one.dtype == torch.float64:
                    self._disturb(one, _UNIT / math.sqrt(3) * one.abs())
        return out

    def _disturb(self, values: torch.Tensor, spread: torch.Tensor) -> None:
        values.add_(torch.empty_like(values).normal_(generator=self._generator) * spread)


def _spread_of_sums(convolve: Callable[..., torch.Tensor], args: tuple[Any, ...]) -> torch.Tensor:
    x, weight, bias, *rest = args
    squares: torch.Tensor = convolve(
        x.square(), weight.square(), None if bias is None else bias.square(), *rest
    )
    count = math.prod(weight.shape[1:])
    spread: torch.Tensor = _UNIT * (squares * (count / 6)).sqrt()
    return spread
