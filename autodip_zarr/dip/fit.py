"""Fit the prior to one tile: the published protocol, and what may be added to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autodip_zarr.dip import fast, network
from autodip_zarr.dip.memory import keep_freed_memory
from autodip_zarr.dip.network import INPUT_CHANNELS, initial_parameters, padded_size
from autodip_zarr.domain import DipConfig, Recipe
from autodip_zarr.errors import FitError

CHECK_EVERY: Final = 100
"""Iterations between two looks at whether the fit has collapsed."""

COLLAPSE_DB: Final = 5.0
"""Loss of PSNR to the noisy image between two looks that counts as a collapse."""

_INPUT_SCALE: Final = 0.1
_NOISE_MARGIN: Final = 64
_DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Fit:
    """What a fit ended with."""

    image: NDArray[np.float32]
    """The denoised tile, (Y, X) float32, on the scale of the noisy one."""
    iterations: int
    """Adam steps that were made."""
    loss: float
    """Mean squared error to the noisy tile at the last step."""
    collapses: int
    """How often the weights of the last check were restored."""


def fit_tile(noisy: NDArray[np.float32], config: DipConfig, recipe: Recipe, seed: int, device: str) -> Fit:
    """Fit a randomly initialised network to one noisy tile.

    Mean squared error, Adam; the input is uniform in [0, 0.1) and fixed, but for the perturbation of the
    recipe; norms use the statistics of the image at hand throughout. Every 100 iterations the fit is
    checked: if its PSNR to the noisy image fell by more than 5 dB, the weights of the last check are
    restored.

    Parameters
    ----------
    noisy : ndarray
        (Y, X) float32, scaled to [0, 1], finite.
    config : DipConfig
        Architecture and number of iterations.
    recipe : Recipe
        Averaging, perturbation, learning rate, precision, threads.
    seed : int
        Of the initial weights, the input and the perturbation.
    device : str
        A torch device, for example ``"cpu"`` or ``"cuda:0"``.

    Returns
    -------
    Fit
        The last output, or with averaging the exponential average of all outputs.

    Raises
    ------
    FitError
        If the loss is no longer finite.

    References
    ----------
    Ulyanov et al., CVPR 2018; AUTO-DIP, arXiv 2601.12055.
    """
    if device == "cpu":
        torch.set_num_threads(recipe.threads)
        keep_freed_memory()
    padded, inner = pad(noisy, config)
    state = _State.fresh(config, recipe, padded.shape, seed, device)
    target = torch.from_numpy(padded).to(device)
    output, average = target, torch.zeros_like(target)
    loss = target.new_zeros(())
    for iteration in range(config.iterations):
        output = state.run()
        loss = torch.mean((output - target) ** 2)
        state.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if iteration % CHECK_EVERY == 0:
            state.check(loss.item())
        state.adam.step()
        if recipe.averaging is not None:
            average.lerp_(output.detach(), 1 - recipe.averaging)
    if recipe.averaging is not None and config.iterations:
        output = average / (1 - recipe.averaging**config.iterations)
    last = loss.item()
    if not np.isfinite(last):
        raise FitError("fit", f"the loss became {last}", "a finite number", "try another --seed")
    return Fit(output.detach().cpu().numpy()[inner], config.iterations, last, state.collapses)


def pad(tile: NDArray[np.float32], config: DipConfig) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    """Pad a tile by reflection to a size that the network can take.

    The padding may exceed the side, which is then reflected again; a side of one pixel is repeated.

    Returns
    -------
    padded : ndarray
        (Y', X') float32, C-contiguous.
    inner : tuple of slice
        Where the tile lies in it.
    """
    shape = tile.shape
    sizes = [padded_size(side, config) for side in shape]
    before = [(size - side) // 2 for size, side in zip(sizes, shape, strict=True)]
    for axis, (size, first) in enumerate(zip(sizes, before, strict=True)):
        side = shape[axis]
        ends = [(0, 0), (0, 0)]
        ends[axis] = (first, size - side - first)
        tile = np.pad(tile, ends, mode="reflect" if side > 1 else "edge")
    top, left = before
    return np.ascontiguousarray(tile), (slice(top, top + shape[0]), slice(left, left + shape[1]))


@dataclass
class _State:
    """The network of one tile, its optimiser, its input, and the weights of the last check."""

    config: DipConfig
    parameters: list[Tensor]
    adam: torch.optim.Adam
    z: Tensor
    noise: _Noise | None
    forward: Callable[[Tensor, Sequence[Tensor], DipConfig], Tensor]
    kept: list[Tensor] = field(default_factory=list)
    kept_loss: float = float("inf")
    collapses: int = 0

    @classmethod
    def fresh(
        cls, config: DipConfig, recipe: Recipe, shape: tuple[int, ...], seed: int, device: str
    ) -> _State:
        generator = torch.Generator().manual_seed(seed)
        parameters = [p.to(device) for p in initial_parameters(config, generator)]
        if recipe.fused:
            parameters = [_laid_out(p) for p in parameters]
        for parameter in parameters:
            parameter.requires_grad_()
        z = torch.rand(1, INPUT_CHANNELS, *shape, generator=generator) * _INPUT_SCALE
        adam = torch.optim.Adam(parameters, lr=recipe.learning_rate, fused=True)
        z = z.to(device, _DTYPES[recipe.precision])
        if recipe.fused:
            z = fast.pad(_laid_out(z))
        noise = _Noise.like(z, recipe.perturbation, generator) if recipe.perturbation else None
        return cls(config, parameters, adam, z, noise, fast.forward if recipe.fused else network.forward)

    def run(self) -> Tensor:
        z = self.z if self.noise is None else self.noise.add_to(self.z)
        return self.forward(z, self.parameters, self.config)[0, 0]

    def check(self, loss: float) -> None:
        """Keep the weights, or go back to those of the last check if the fit collapsed since."""
        if loss > self.kept_loss * 10 ** (COLLAPSE_DB / 10):
            self.collapses += 1
            with torch.no_grad():
                for parameter, kept in zip(self.parameters, self.kept, strict=True):
                    parameter.copy_(kept)
            return
        self.kept_loss = loss
        self.kept = [parameter.detach().clone() for parameter in self.parameters]


@dataclass
class _Noise:
    """White noise for the input: one field, a little larger than it, seen from a new offset each time.

    Drawing 32 normal numbers a pixel at every iteration would take longer than the rest of a step of a narrow
    network. Views of a white field at two offsets are uncorrelated, and there are 2 * 65**2 of them, so that
    few come twice in a fit.
    """

    field: Tensor
    generator: torch.Generator

    @classmethod
    def like(cls, z: Tensor, sigma: float, generator: torch.Generator) -> _Noise:
        channels, height, width = z.shape[1:]
        size = (1, channels, height + _NOISE_MARGIN, width + _NOISE_MARGIN)
        field = torch.randn(size, generator=generator) * sigma
        return cls(_laid_out(field.to(z.device, z.dtype)), generator)

    def add_to(self, z: Tensor) -> Tensor:
        y, x, flip = torch.randint(_NOISE_MARGIN + 1, (3,), generator=self.generator).tolist()
        view = self.field[..., y : y + z.shape[-2], x : x + z.shape[-1]]
        return torch.add(z, view, alpha=-1 if flip % 2 else 1)


def _laid_out(x: Tensor) -> Tensor:
    """Lay images and kernels out channels last, as the network wants them."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
