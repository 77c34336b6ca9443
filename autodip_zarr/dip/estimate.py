"""What denoising a plane costs, counted before anything is run: work, time and memory; without torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from autodip_zarr.dip.architecture import Architecture
from autodip_zarr.dip.planes.tiles import cover
from autodip_zarr.dip.settled import SettledFit, batch_tiles, settle, warm_steps
from autodip_zarr.domain import DipConfig, Recipe

ORIGINAL_DIP: Final = DipConfig(depth=5, width=128, skip=4, iterations=1800)
"""The configuration of the original Deep Image Prior, to which costs are relative."""

_FIELD_PIXELS: Final = 512 * 512
"""Pixels of the field on which the original prior costs 1."""

_PASSES: Final = 3
"""A step is a forward pass and about two of its size backward (by input and by weight)."""

_ORIGINAL_SECONDS: Final = {"cpu": 2300.0, "cuda": 30.0}
"""Time of the arithmetic of the original prior (5/128/4/1800) on a 512x512 plane: one core, one card."""

_PIXEL_SECONDS: Final = {"cpu": 3.5e-7, "cuda": 3e-9}
"""Time that one step takes for one pixel besides, however narrow the network."""

_STEP_SECONDS: Final = {"cpu": 0.002, "cuda": 0.005}
"""Time that one step takes besides, however small the plane."""

_FILTERS_PIXEL_SECONDS: Final = 1e-5
"""Time that the filters of a mixed result take for one pixel of a tile, on a core, also beside a card."""

_BYTES_PER_ACTIVATION: Final = {"bfloat16": 7.5, "float32": 11.5, "tf32": 11.5}
"""Of the inputs and outputs of all convolutions, with what norms, gradients and copies keep of each."""

_BYTES_PER_WEIGHT: Final = 24
"""The weight in float32 and as it is computed with, its gradient, and the two moments of the optimiser."""

_SCRATCH_BYTES_PER_PIXEL: Final = 8
"""Of a plane that is fitted: its scaled copy, its mask, and the sum into which the tiles are blended."""

_TILES_BYTES_PER_PIXEL: Final = 5
"""Of a plane that is fitted: its tiles with their halo, in float32; as much for the deviation of starts."""

_MIXTURE_BYTES_PER_PIXEL: Final = 200
"""Of a tile whose result is mixed: its noise, and each filter's result and what is left by it."""


@dataclass(frozen=True)
class Estimate:
    """What a plane of one size costs with one configuration under one recipe on one kind of device."""

    cost: float
    """Arithmetic of all tiles, starts, steps, and filters; 1.0 is the original prior on a 512x512 plane."""
    starts: int
    """Fits of each tile; of several the spread is kept."""
    steps: int
    """Adam steps of a fresh fit."""
    next_steps: int
    """Adam steps of a plane that is fitted on from its neighbour, of both passes where there are two."""
    seconds_per_cost: float
    """Time of the arithmetic of cost 1, roughly."""
    other_seconds: float
    """Time besides, roughly."""
    network_bytes: int
    """About the most memory that the network of one tile takes; on a card it lies in the card's own."""
    plane_bytes: int
    """Memory of a plane while it is fitted, besides the noisy and the denoised one."""
    side_by_side: bool
    """Whether all planes of a block are fitted at once, as on a card, and not one after the other."""

    def seconds(self, cost: float | None = None) -> float:
        """Return roughly how long a plane takes; good enough to size blocks.

        Parameters
        ----------
        cost : float, optional
            Its cost where that is not the usual one, as in chains of planes.
        """
        return (self.cost if cost is None else cost) * self.seconds_per_cost + self.other_seconds

    def fitting_bytes(self, planes: int) -> int:
        """Return the memory that a block takes while it is fitted, besides what is read and written."""
        return (planes if self.side_by_side else 1) * self.plane_bytes

    def chain_cost(self, planes: int, chains: int) -> float:
        """Return the cost of chains of planes, if no plane in them has to begin with a fresh network.

        Parameters
        ----------
        planes : int
            Planes in all chains.
        chains : int
            How many chains they lie in.
        """
        steps = chains * self.steps + (planes - chains) * self.next_steps
        return self.cost * steps / max(self.steps, 1)


def estimate(config: DipConfig, recipe: Recipe, size: tuple[int, int], device: str) -> Estimate:
    """Count what a plane costs.

    Parameters
    ----------
    config : DipConfig
        Configuration.
    recipe : Recipe
        Tiles, starts, precision and the rest.
    size : tuple of int
        Size of a plane (Y, X), in pixels.
    device : str
        ``cpu`` or a CUDA device.

    Notes
    -----
    The times of a core agree within a fifth with the steps of five configurations that
    docs/explanation/engine.md lists; those of a card are guesses. The memory bounds the peaks that
    ``benchmarks/engine.py`` measured; see docs/explanation/memory.md.
    """
    covering = cover(size, recipe.tile_px, recipe.halo_px)
    height, width = covering.tile
    fit = settle(config, recipe, covering.tile)
    tile = relative_cost(replace(config, iterations=fit.most_steps), height * width)
    pixels = size[0] * size[1]
    kind = "cuda" if device.startswith("cuda") else "cpu"
    tiles = len(covering.corners)
    step = pixels * _PIXEL_SECONDS[kind] + _STEP_SECONDS[kind]
    filters = tiles * height * width * _FILTERS_PIXEL_SECONDS if fit.looks and recipe.filters else 0.0
    filters_cost = filters / _ORIGINAL_SECONDS["cpu"]
    return Estimate(
        cost=tile * tiles * fit.starts + filters_cost,
        starts=fit.starts,
        steps=fit.steps,
        next_steps=_next_steps(fit, recipe),
        seconds_per_cost=_ORIGINAL_SECONDS[kind],
        other_seconds=fit.most_steps * fit.starts * step + filters - filters_cost * _ORIGINAL_SECONDS[kind],
        network_bytes=0 if kind == "cuda" else _network_bytes(fit, covering.tile),
        plane_bytes=_plane_bytes(fit, pixels, height * width, batch_tiles(fit.starts, device)),
        side_by_side=kind == "cuda",
    )


def steps_of_planes(config: DipConfig, recipe: Recipe, size: tuple[int, int], planes: int) -> list[int]:
    """Return the most Adam steps of each plane of a stack, over all its tiles and starts.

    Planes of a sequence count as fitted on from the one before, of both passes where there are two.

    Parameters
    ----------
    config : DipConfig
        Configuration.
    recipe : Recipe
        Tiles, starts, sequence and the rest.
    size : tuple of int
        Size of a plane (Y, X), in pixels.
    planes : int
        How many there are.
    """
    covering = cover(size, recipe.tile_px, recipe.halo_px)
    fit = settle(config, recipe, covering.tile)
    fits = len(covering.corners) * fit.starts
    following = _next_steps(fit, recipe) * fit.most_steps // max(fit.steps, 1)
    return [fits * fit.most_steps, *[fits * following] * (planes - 1)]


def flops_per_step(architecture: Architecture, pixels: int) -> float:
    """Return the floating-point operations of one step of a fit.

    Only convolutions are counted (two operations per multiply-add, forward and backward); norms, activations
    and upsampling are bound by memory and add little but on the narrowest networks.

    Parameters
    ----------
    architecture : Architecture
        The network.
    pixels : int
        Pixels of the plane.
    """
    forward = sum(
        one.inputs * one.outputs * one.kernel * one.kernel / (1 << 2 * one.level)
        for one in architecture.convolutions()
    )
    return 2.0 * _PASSES * forward * pixels


def relative_cost(config: DipConfig, pixels: int = _FIELD_PIXELS) -> float:
    """Return the arithmetic of one field relative to original DIP on a field of 512x512 pixels.

    Parameters
    ----------
    config : DipConfig
        Configuration, with the steps that are made.
    pixels : int
        Pixels of the field.
    """
    original = flops_per_step(Architecture.of(ORIGINAL_DIP), _FIELD_PIXELS) * ORIGINAL_DIP.iterations
    return flops_per_step(Architecture.of(config), pixels) * config.iterations / original


def _next_steps(fit: SettledFit, recipe: Recipe) -> int:
    warm = recipe.sequence
    if warm is None:
        return fit.steps
    return (2 if warm.both_ways else 1) * warm_steps(fit.steps, warm)


def _plane_bytes(fit: SettledFit, pixels: int, tile_pixels: int, tiles: int) -> int:
    plane = pixels * (_SCRATCH_BYTES_PER_PIXEL + _TILES_BYTES_PER_PIXEL * (2 if fit.starts > 1 else 1))
    kept = 4 * (fit.looks + 1) * fit.starts * tiles
    return plane + tile_pixels * (kept + (_MIXTURE_BYTES_PER_PIXEL if fit.looks else 0))


def _network_bytes(fit: SettledFit, tile: tuple[int, int]) -> int:
    layers = fit.architecture.convolutions()
    halvings = sum((one.inputs + one.outputs) / (1 << 2 * one.level) for one in layers)
    weights = sum(one.inputs * one.outputs * one.kernel**2 for one in layers)
    activations = halvings * tile[0] * tile[1]
    return int(activations * _BYTES_PER_ACTIVATION[fit.precision] + weights * _BYTES_PER_WEIGHT)
