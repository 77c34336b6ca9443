"""Denoise one array, of numpy or of xarray, without files and without Dask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.domain import ChannelMetadata
from autodip_zarr.errors import FitError, OptionError
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.planner import Planner

if TYPE_CHECKING:
    from xarray import DataArray


@overload
def denoise_array(
    noisy: NDArray[Any],
    *,
    microscope: str | None = None,
    specimen: str | None = None,
    choices: Choices | None = None,
    device: str = "auto",
) -> NDArray[np.float32]: ...


@overload
def denoise_array(
    noisy: DataArray,
    *,
    microscope: str | None = None,
    specimen: str | None = None,
    choices: Choices | None = None,
    device: str = "auto",
) -> DataArray: ...


def denoise_array(
    noisy: NDArray[Any] | DataArray,
    *,
    microscope: str | None = None,
    specimen: str | None = None,
    choices: Choices | None = None,
    device: str = "auto",
) -> NDArray[np.float32] | DataArray:
    """Denoise a plane or a stack of planes of one channel.

    Parameters
    ----------
    noisy : ndarray or xarray.DataArray
        (..., Y, X) of any integer or float type, in detector counts; of a DataArray the dimensions ``y`` and
        ``x`` are the plane, wherever they stand. Each plane is fitted on its own, or with
        ``choices.sequence`` on from the one before, in the order in which the array holds them.
    microscope, specimen : str, optional
        What took it and what it shows, for example ``"confocal"`` and ``"nucleus"``; decides the
        configuration. Without them the global one is used.
    choices : Choices, optional
        Everything else: preset, metric, table, tiles, seed.
    device : str, optional
        ``cpu``, ``cuda`` or ``auto``.

    Returns
    -------
    ndarray or xarray.DataArray
        Float32, in detector counts, of the shape of what was given; a DataArray with its coordinates.

    Raises
    ------
    OptionError
        If a term is unknown, or the array has no plane.
    FitError
        If a fit diverges twice.

    Examples
    --------
    >>> import numpy as np
    >>> from autodip_zarr import denoise_array
    >>> flat = np.full((32, 32), 100, dtype=np.uint16)
    >>> denoise_array(flat, microscope="widefield", specimen="nucleus").max()
    np.float32(100.0)
    """
    chosen = replace(choices or Choices(), microscope=microscope, specimen=specimen)
    if isinstance(noisy, np.ndarray):
        return _denoised(noisy, chosen, device)
    if not {"y", "x"} <= set(noisy.dims):
        raise OptionError("noisy", f"the dimensions {noisy.dims}", "y and x among them")
    planes = noisy.transpose(..., "y", "x")
    return planes.copy(data=_denoised(planes.to_numpy(), chosen, device)).transpose(*noisy.dims)


def _denoised(noisy: NDArray[Any], chosen: Choices, device: str) -> NDArray[np.float32]:
    if noisy.ndim < 2 or noisy.size == 0 or noisy.dtype.kind not in "uif":
        found = f"an array of shape {noisy.shape} and type {noisy.dtype}"
        raise OptionError("noisy", found, "integers or floats with at least the axes Y and X")
    planner = Planner.prepare(chosen, device)
    unknown = ChannelMetadata(0, None, microscope=None, contrast=None, specimen=None, organism=None)
    match = planner.match(unknown)
    job = FitJob(match.config, planner.recipe, planner.device)
    planes = list(noisy.reshape(-1, *noisy.shape[-2:]))
    denoised = []
    for result in planner.method.denoise(planes, job, [(0, 0, 0, index) for index in range(len(planes))]):
        if isinstance(result, FitError):
            raise result
        denoised.append(result.plane)
    return np.stack(denoised).reshape(noisy.shape)
