"""How much memory a worker needs: for itself, for the network of a fit, and for each block that it holds."""

from __future__ import annotations

from typing import Final

import numpy as np

from autodip_zarr.calibration.cost import convolutions
from autodip_zarr.dip.iterations import starts_for
from autodip_zarr.dip.planes.tiles import cover
from autodip_zarr.domain import DipConfig, Header, ImagePlan, Recipe, TargetSpec

PROCESS_BYTES: Final = 500_000_000
"""A worker without blocks: Python, torch, zarr, what they cache, and the strip that is being shrunk."""

_BYTES_PER_ACTIVATION: Final = {"bfloat16": 7.5, "float32": 11.5, "tf32": 11.5}
"""Of the inputs and outputs of all convolutions, with what norms, gradients and copies keep of each."""

_BYTES_PER_WEIGHT: Final = 24
"""The weight in float32 and as it is computed with, its gradient, and the two moments of the optimiser."""

_SCRATCH_BYTES_PER_PIXEL: Final = 8
"""Of a plane that is fitted: its scaled copy, its mask, and the sum into which the tiles are blended."""

_START_BYTES_PER_PIXEL: Final = 5
"""Of a plane that is fitted, for each start: its tiles with their halo, in float32."""


def fit_bytes(config: DipConfig | None, recipe: Recipe, size: tuple[int, int], device: str) -> int:
    """Return about the most memory that the network of one tile takes; on a card it lies in the card's own.

    Parameters
    ----------
    config : DipConfig, optional
        Configuration; ``None`` where nothing is fitted.
    recipe : Recipe
        Tiles and precision.
    size : (int, int)
        Size of a plane (Y, X), in pixels.
    device : str
        ``cpu`` or a CUDA device.

    Notes
    -----
    The factors bound the peaks that ``benchmarks/engine.py`` measured; see docs/explanation/memory.md.
    """
    if config is None or device.startswith("cuda"):
        return 0
    height, width = cover(size, recipe.tile_px, recipe.halo_px).tile
    layers = list(convolutions(config))
    activations = sum((one.inputs + one.outputs) / (1 << 2 * one.level) for one in layers) * height * width
    weights = sum(one.inputs * one.outputs * one.kernel**2 for one in layers)
    return int(activations * _BYTES_PER_ACTIVATION[recipe.precision] + weights * _BYTES_PER_WEIGHT)


def block_bytes(header: Header, spec: TargetSpec, starts: int, planes: int, device: str) -> int:
    """Return the most memory that a block takes from when it is read until it is written.

    Parameters
    ----------
    header : Header
        The source.
    spec : TargetSpec
        The result.
    starts : int
        Fits of each tile; of several the spread is kept.
    planes : int
        Planes of the block.
    device : str
        ``cpu``, where one plane of a block is fitted at a time, or a CUDA device, where all are.
    """
    source, result = np.dtype(header.dtype), np.dtype(spec.dtype)
    denoised = np.result_type(source, np.float32).itemsize
    spread = 4 if starts > 1 else 0
    written = result.itemsize + (4 if spec.uncertainty else 0)
    held = source.itemsize + denoised + spread + written
    fitted = planes if device.startswith("cuda") else 1
    scratch = _SCRATCH_BYTES_PER_PIXEL + _START_BYTES_PER_PIXEL * starts
    return header.size("y") * header.size("x") * (planes * held + fitted * scratch)


def least_bytes(image: ImagePlan, spec: TargetSpec, device: str) -> int:
    """Return the memory that a worker needs for one block of an image at a time.

    Parameters
    ----------
    image : ImagePlan
        What is to be done.
    spec : TargetSpec
        The result.
    device : str
        ``cpu`` or a CUDA device.
    """
    header, recipe = image.header, image.recipe
    size = (header.size("y"), header.size("x"))
    configs = [channel.match.config for channel in image.channels if channel.match is not None]
    starts = max((starts_for(config, recipe) for config in configs), default=1)
    held = block_bytes(header, spec, starts, spec.block_t * spec.block_z, device)
    return PROCESS_BYTES + held + max((fit_bytes(c, recipe, size, device) for c in configs), default=0)
