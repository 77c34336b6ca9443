"""Fit the prior to one tile: the published protocol, and what may be added to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autodip_zarr.dip.architecture import INPUT_CHANNELS, Architecture
from autodip_zarr.dip.fitting.kept import Keeper, Kept
from autodip_zarr.dip.fitting.losses import loss, mean_squared_error
from autodip_zarr.dip.fitting.memory import keep_freed_memory
from autodip_zarr.dip.fitting.optics import blur_kernel, seen_through
from autodip_zarr.dip.fitting.perturbation import Generators, Noise
from autodip_zarr.dip.fitting.stop import LOOK_EVERY, Restlessness, StopWatch
from autodip_zarr.dip.network.fast import fast_forward, pad_input
from autodip_zarr.dip.network.plain import forward, initial_parameters
from autodip_zarr.dip.settled import SettledFit
from autodip_zarr.errors import FitError, OptionError

_Value = TypeVar("_Value", bound=np.generic)

CHECK_EVERY: Final = 100
"""Iterations between two looks at whether the fit has collapsed."""

_COLLAPSE_DB: Final = 5.0
"""Loss of PSNR to the noisy image between two looks that counts as a collapse."""

_INPUT_SCALE: Final = 0.1
_DTYPES: Final = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
_LEAST_CAPABILITY: Final = (8, 0)


@dataclass(frozen=True)
class Tile:
    """What one network is fitted to."""

    image: NDArray[np.float32]
    """(Y, X) float32, scaled to [0, 1], finite."""
    usable: NDArray[np.bool_] | None = None
    """(Y, X), which pixels count in the loss; ``None`` for all."""
    weights: Sequence[Tensor] | None = None
    """Parameters to begin with, of a fit of the same configuration; ``None`` draws fresh ones."""
    blur_px: float = 0.0
    """Standard deviation of the blur that the network is seen through; 0 for none."""


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
    weights: Sequence[Tensor]
    """Parameters after the last step; float32 on the device."""
    overshoot: float
    """How restless its outputs were at the end, over their calmest; NaN for fits too short to tell."""
    looks: Sequence[tuple[int, NDArray[np.float32]]] = ()
    """Steps and the average of the outputs so far, along the fit; none unless they were asked for."""
    kept: Sequence[Kept] = ()
    """What it would have ended with at each stop that was asked for."""


def fit_tile(tile: Tile, settled: SettledFit, seed: int, device: str) -> Fit:
    """Fit a randomly initialised network to one noisy tile.

    Mean squared error (or another loss), Adam; the input is uniform in [0, 0.1) and fixed, but for
    the perturbation; norms use the statistics of the image at hand throughout. Every 100
    iterations the fit is checked: if its PSNR to the noisy image fell by more than 5 dB, the weights of the
    last check are restored.

    Parameters
    ----------
    tile : Tile
        The noisy image, and the weights to begin with where they are not to be drawn.
    settled : SettledFit
        Network, steps, and everything else that is the same for all tiles.
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
    shape = settled.architecture.padded_shape(tile.image.shape)
    prior = prepare(settled, shape, seed, device)
    steps = steps_of(prior, tile)
    while True:  # nobody to take turns with
        try:
            next(steps)
        except StopIteration as end:
            fit: Fit = end.value
            return fit


def steps_of(prior: Prior, tile: Tile) -> Generator[int, None, Fit]:
    """Fit a fresh prior to a tile, as a coroutine that stops wherever it would have to wait for the device.

    Each stop follows work that was handed to the device, and tells the steps so far. Run to its end it is one
    fit; several that take turns keep a card busy (:mod:`autodip_zarr.dip.fitting.tile_pool`).

    Returns
    -------
    Fit
        See :func:`fit_tile`, also for the errors.
    """
    fit, architecture = prior.fit, prior.fit.architecture
    padded, inner = pad_tile(tile.image, architecture)
    target = torch.from_numpy(padded).to(prior.z.device)  # (Y', X')
    mask = None
    if tile.usable is not None:
        mask = torch.from_numpy(pad_tile(tile.usable, architecture)[0]).to(prior.z.device)
    prior.set_target(target, mask)
    prior.set_blur(tile.blur_px)
    if tile.weights is not None:
        prior.load(tile.weights)
    error = target.new_zeros(())
    watch = StopWatch(fit.steps)
    restlessness = Restlessness()
    made = 0
    keeper = Keeper.of(fit)
    while made < fit.most_steps and not (fit.stops_itself and watch.is_over):
        error = prior.backward()
        if made % CHECK_EVERY == 0:
            yield made
            prior.check(error.item())
        prior.step()
        made += 1
        if prior.output is not None:
            restlessness.take(prior.output)
        keeper.take(made, prior.output, prior.average, prior.weight)
        yield made
        if made % LOOK_EVERY == 0 and restlessness.variance is not None:
            watch.observe(made, restlessness.variance.item())
    output = target if prior.output is None else prior.output
    last = error.item()
    if prior.collapsed(last):  # between the last check and the end
        prior.restore()
        output = prior.forward().detach()
        last = mean_squared_error(output, target, mask).item()
    image = prior.average / prior.weight if prior.average is not None and prior.weight else output
    if not torch.isfinite(image).all():
        raise _diverged(last)
    weights = [parameter.detach() for parameter in prior.parameters]
    ended = (image.cpu().numpy()[inner], made, last, prior.collapses, weights, watch.overshoot)
    return Fit(*ended, keeper.looks(inner), keeper.kept(inner))


def _diverged(loss: float) -> FitError:
    """Return the error of a fit whose loss or result is not finite."""
    return FitError("fit", f"diverged, last loss {loss}", "finite numbers", "try another --seed")


def pad_tile(
    tile: NDArray[_Value], architecture: Architecture
) -> tuple[NDArray[_Value], tuple[slice, slice]]:
    """Pad a tile by reflection to a size that the network can take.

    The padding may exceed the side, which is then reflected again; a side of one pixel is repeated.

    Returns
    -------
    padded : ndarray
        (Y', X'), C-contiguous.
    inner : tuple of slice
        Where the tile lies in it.
    """
    shape = tile.shape
    sizes = architecture.padded_shape(shape)
    before = [(size - side) // 2 for size, side in zip(sizes, shape, strict=True)]
    for axis, (size, first) in enumerate(zip(sizes, before, strict=True)):
        side = shape[axis]
        ends = [(0, 0), (0, 0)]
        ends[axis] = (first, size - side - first)
        tile = np.pad(tile, ends, mode="reflect" if side > 1 else "edge")
    top, left = before
    return np.ascontiguousarray(tile), (slice(top, top + shape[0]), slice(left, left + shape[1]))


def prepare(fit: SettledFit, shape: tuple[int, int], seed: int, device: str) -> Prior:
    """Make a fresh network for an image of a size that it can take; see :func:`pad_tile`."""
    on_card = torch.device(device).type == "cuda"
    if on_card:
        set_up_card(fit, device)
    else:
        torch.set_num_threads(fit.threads)
        keep_freed_memory()
    generators = Generators.seeded(seed, device)
    parameters = [p.to(device) for p in initial_parameters(fit.architecture, generators.host)]
    size = (1, INPUT_CHANNELS, *shape)
    z = torch.rand(size, generator=generators.device, device=device) * _INPUT_SCALE
    z = z.to(_DTYPES[fit.precision])
    run = forward
    if fit.fused:
        run = fast_forward
        parameters = [_laid_out(p) for p in parameters]
        z = pad_input(_laid_out(z))
    for parameter in parameters:
        parameter.requires_grad_()
    adam = torch.optim.Adam(parameters, lr=fit.learning_rate, fused=True)
    steps = fit.most_steps + 1  # one more than there are, for the look back after a late collapse
    noise = Noise.like(z, fit.perturbation, steps, generators) if fit.perturbation else None
    average = None if fit.averaging is None else torch.zeros(shape, device=device)
    nothing = torch.zeros(shape, device=device)
    blur = blur_kernel(0.0).to(device) if fit.optics else None
    return Prior(fit, parameters, adam, z, noise, run, nothing, blur=blur, average=average)


def set_up_card(fit: SettledFit, device: str) -> None:
    """Have convolutions computed as the fit wants it.

    Raises
    ------
    OptionError
        There is no card, or it cannot compute so.
    """
    if not torch.cuda.is_available():
        hint = "choose --device cpu, or install a build of torch for CUDA and its driver"
        raise OptionError("device", f"{device}, but torch {torch.__version__} finds no card", "", hint)
    capability = torch.cuda.get_device_capability(device)
    if fit.precision != "float32" and capability < _LEAST_CAPABILITY:
        found = f"{fit.precision} on {torch.cuda.get_device_name(device)}"
        raise OptionError(
            "precision", found, "a card of compute capability 8.0", "choose --precision float32"
        )
    torch.backends.cudnn.allow_tf32 = fit.precision != "float32"
    torch.backends.cudnn.deterministic = fit.deterministic
    torch.backends.cudnn.benchmark = not fit.deterministic  # may choose differently in each process


@dataclass
class Prior:
    """The network of one tile, its optimiser, its input, and the weights of the last check."""

    fit: SettledFit
    parameters: list[Tensor]
    adam: torch.optim.Adam
    z: Tensor
    noise: Noise | None
    network: Callable[[Tensor, Sequence[Tensor], Architecture], Tensor]
    target: Tensor
    blur: Tensor | None = None
    mask: Tensor | None = None
    output: Tensor | None = None
    average: Tensor | None = None
    weight: float = 0.0
    kept: list[Tensor] = field(default_factory=list)
    kept_average: tuple[Tensor | None, float] = (None, 0.0)
    kept_loss: float = float("inf")
    collapses: int = 0

    def load(self, weights: Sequence[Tensor]) -> None:
        """Take the weights of another fit; input, perturbation and optimiser stay those of a fresh one."""
        with torch.no_grad():
            for parameter, weight in zip(self.parameters, weights, strict=True):
                parameter.copy_(weight)

    def restart_as(self, fresh: Prior) -> None:
        """Take over the state of a freshly prepared prior of the same architecture and size, in place.

        Graphs that were captured of this prior, and the memory that they work on, stay valid.
        """
        self.fit = fresh.fit
        self.load(fresh.parameters)
        for state in self.adam.state.values():
            for moment in state.values():  # number of steps, mean of the gradient and of its square
                moment.zero_()
        self.z.copy_(fresh.z)
        if self.noise is not None and fresh.noise is not None:
            self.noise.restart_as(fresh.noise)
        if self.average is not None:
            self.average.zero_()
        self.weight, self.kept, self.kept_average = 0.0, [], (None, 0.0)
        self.kept_loss, self.collapses = float("inf"), 0

    def set_target(self, target: Tensor, mask: Tensor | None) -> None:
        """Say what is fitted.

        Parameters
        ----------
        target : Tensor
            (Y, X) float32.
        mask : Tensor or None
            (Y, X) bool, which pixels count; ``None`` for all.
        """
        self.target, self.mask = target, mask

    def set_blur(self, width_px: float) -> None:
        """Say through which blur the network is seen.

        Parameters
        ----------
        width_px : float
            Standard deviation in pixels; 0 for none.
        """
        if self.blur is not None:
            self.blur.copy_(blur_kernel(width_px))

    def backward(self) -> Tensor:
        """Compute the output and the gradients; return the mean squared error, without waiting for it."""
        output = self.forward()
        self.output = output.detach()
        self.adam.zero_grad()
        loss(output, self.target, self.mask, self.fit).backward()  # type: ignore[no-untyped-call]
        return mean_squared_error(self.output, self.target, self.mask)

    def step(self) -> None:
        """Make the Adam step of the last :meth:`backward`, and take its output into the average."""
        self.adam.step()
        if self.output is not None:
            self.average_in(self.output)

    def forward(self) -> Tensor:
        """Return the output (Y, X) float32 of the network as it is, for a newly perturbed input."""
        z = self.z if self.noise is None else self.noise.add_to(self.z)
        output = self.network(z, self.parameters, self.fit.architecture)
        return (output if self.blur is None else seen_through(self.blur, output))[0, 0]

    def average_in(self, output: Tensor) -> None:
        """Take an output into the exponential average; ``average / weight`` is the average so far."""
        decay = self.fit.averaging
        if decay is None or self.average is None:
            return
        self.average.lerp_(output, 1 - decay)
        self.weigh()

    def weigh(self) -> None:
        """Count one more output in the weight of the average."""
        decay = self.fit.averaging or 0.0
        self.weight = decay * self.weight + 1 - decay

    def check(self, loss: float) -> None:
        """Keep the weights, or go back to those of the last check if the fit collapsed since."""
        if self.collapsed(loss):
            self.restore()
            return
        self.kept_loss = loss
        self.kept = [parameter.detach().clone() for parameter in self.parameters]
        self.kept_average = (None if self.average is None else self.average.clone(), self.weight)

    def collapsed(self, loss: float) -> bool:
        """Say whether the PSNR to the noisy image fell too far since the last check.

        Raises
        ------
        FitError
            If the loss is not finite: then the optimiser is spoilt as well.
        """
        if not math.isfinite(loss):
            raise _diverged(loss)
        return loss > self.kept_loss * 10 ** (_COLLAPSE_DB / 10)

    def restore(self) -> None:
        """Go back to the weights and the average of the last check."""
        self.collapses += 1
        with torch.no_grad():
            for parameter, kept in zip(self.parameters, self.kept, strict=True):
                parameter.copy_(kept)
        average, self.weight = self.kept_average
        if self.average is not None and average is not None:
            self.average.copy_(average)


def _laid_out(x: Tensor) -> Tensor:
    """Lay images and kernels out channels last, as the network wants them."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
