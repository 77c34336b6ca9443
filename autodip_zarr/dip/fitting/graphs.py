"""A prior on a card whose step is recorded once and replayed: two CUDA graphs, made once, for many tiles.

A step of a narrow network is some hundreds of kernels of a few microseconds. Started one by one from
Python they take longer than they run; a graph starts them all at once. The whole step is in the two,
perturbation, optimiser and average included; between them the host may look for a collapse.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Final

import torch
from torch import Tensor

from autodip_zarr.dip.fitting.fit import Prior
from autodip_zarr.errors import OptionError

SWITCH: Final = "AUTODIP_CUDA_GRAPHS"
"""Environment variable; ``0`` runs the steps one kernel after another, without graphs."""

_WARM_UP_STEPS: Final = 3


@dataclass
class CapturedPrior(Prior):
    """A prior that works in fixed memory, through graphs of its two halves."""

    backward_graph: torch.cuda.CUDAGraph = field(default_factory=torch.cuda.CUDAGraph)
    step_graph: torch.cuda.CUDAGraph = field(default_factory=torch.cuda.CUDAGraph)
    error: Tensor = field(default_factory=lambda: torch.zeros(()))

    def set_target(self, target: Tensor, mask: Tensor | None) -> None:
        """Copy what is fitted to where the graphs look for it."""
        self.target.copy_(target)
        if self.mask is not None:
            self.mask.fill_(value=True) if mask is None else self.mask.copy_(mask)

    def backward(self) -> Tensor:
        """Do what :meth:`Prior.backward` does, by one launch."""
        self.backward_graph.replay()
        return self.error

    def step(self) -> None:
        """Do what :meth:`Prior.step` does, by one launch."""
        self.step_graph.replay()
        self.weigh()


def capture(prior: Prior) -> CapturedPrior:
    """Record both halves of the step of a prior on the current stream.

    The prior is spoilt by it: give it a state by :meth:`Prior.restart_as` before it is used.

    Parameters
    ----------
    prior : Prior
        On a card. Its mask, all ones, becomes part of the graph.

    Raises
    ------
    OptionError
        If the step cannot be captured; says how to go on without.
    torch.OutOfMemoryError
        If the card has no room for it.
    """
    prior.mask = torch.ones_like(prior.target, dtype=torch.bool)
    if prior.noise is not None:
        prior.noise.make_room()
    for _ in range(_WARM_UP_STEPS):  # libraries choose their kernels, Adam makes its state
        prior.backward()
        prior.step()
    prior.adam.zero_grad()
    for group in prior.adam.param_groups:
        group["capturable"] = True  # its state lies on the card already, since the optimiser is fused
    captured = CapturedPrior(**{one.name: getattr(prior, one.name) for one in fields(prior)})
    stream = torch.cuda.current_stream()
    try:
        with torch.cuda.graph(captured.backward_graph, stream=stream, capture_error_mode="thread_local"):
            captured.error = Prior.backward(captured)
        pool = captured.backward_graph.pool()
        with torch.cuda.graph(captured.step_graph, pool, stream, "thread_local"):
            Prior.step(captured)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if isinstance(error.__context__, torch.OutOfMemoryError):  # which left the capture half done
            raise error.__context__ from error
        hint = f"set {SWITCH}=0 in the environment to run without graphs, slower"
        raise OptionError(
            "device", f"the step cannot be captured in a CUDA graph: {error}", "", hint
        ) from error
    return captured
