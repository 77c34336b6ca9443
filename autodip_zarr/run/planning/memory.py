"""How much memory a worker needs: for itself, for the network of a fit, and for each block that it holds."""

from __future__ import annotations

import numpy as np

from autodip_zarr.dip.estimate import Estimate
from autodip_zarr.domain import Header, ImagePlan, TargetSpec
from autodip_zarr.run.method import Method
from autodip_zarr.run.scheduling.machine import PROCESS_BYTES


def block_bytes(header: Header, spec: TargetSpec, planes: int, fit: Estimate | None) -> int:
    """Return the most memory that a block takes from when it is read until it is written.

    Parameters
    ----------
    header : Header
        The source.
    spec : TargetSpec
        The result.
    planes : int
        Planes of the block.
    fit : Estimate, optional
        What fitting a plane costs; ``None`` where planes are copied.
    """
    source, result = np.dtype(header.dtype), np.dtype(spec.dtype)
    denoised = np.result_type(source, np.float32).itemsize
    spread = 4 if fit is not None and fit.starts > 1 else 0
    written = result.itemsize + (4 if spec.uncertainty else 0)
    held = source.itemsize + denoised + spread + written
    fitting = 0 if fit is None else fit.fitting_bytes(planes)
    return header.size("y") * header.size("x") * planes * held + fitting


def least_bytes(image: ImagePlan, spec: TargetSpec, device: str, method: Method) -> int:
    """Return the memory that a worker needs for one block of an image at a time.

    Parameters
    ----------
    image : ImagePlan
        What is to be done.
    spec : TargetSpec
        The result.
    device : str
        ``cpu`` or a CUDA device.
    method : Method
        How planes are denoised.
    """
    size = (image.header.size("y"), image.header.size("x"))
    configs = {channel.match.config for channel in image.channels if channel.match is not None}
    fits = [method.estimate(config, image.recipe, size, device) for config in configs]
    planes = spec.block_t * spec.block_z
    held = max(block_bytes(image.header, spec, planes, fit) for fit in (None, *fits))
    return PROCESS_BYTES + held + max((fit.network_bytes for fit in fits), default=0)
