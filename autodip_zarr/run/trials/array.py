"""Denoise one array, of numpy or of xarray, without files and without Dask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.estimate import steps_of_planes
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.domain import ChannelMetadata
from autodip_zarr.errors import FitError, OptionError
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.planner import Planner
from autodip_zarr.run.trials.progress import TellProgress, metered

if TYPE_CHECKING:
    from dask.array import Array as DaskArray
    from typing_extensions import TypeIs
    from xarray import DataArray


@overload
def denoise_array(
    noisy: NDArray[Any],
    *,
    microscope: str | None = None,
    specimen: str | None = None,
    choices: Choices | None = None,
    device: str = "auto",
    progress: TellProgress | None = None,
) -> NDArray[np.float32]: ...


@overload
def denoise_array(
    noisy: DataArray,
    *,
    microscope: str | None = None,
    specimen: str | None = None,
    choices: Choices | None = None,
    device: str = "auto",
    progress: TellProgress | None = None,
) -> DataArray: ...


@overload
def denoise_array(
    noisy: DaskArray,
    *,
    microscope: str | None = None,
    specimen: str | None = None,
    choices: Choices | None = None,
    device: str = "auto",
    progress: TellProgress | None = None,
) -> DaskArray: ...


def denoise_array(  # noqa: PLR0913 - keywords
    noisy: NDArray[Any] | DataArray | DaskArray,
    *,
    microscope: str | None = None,
    specimen: str | None = None,
    choices: Choices | None = None,
    device: str = "auto",
    progress: TellProgress | None = None,
) -> NDArray[np.float32] | DataArray | DaskArray:
    """Denoise a plane or a stack of planes of one channel.

    Parameters
    ----------
    noisy : ndarray, xarray.DataArray or dask.array.Array
        (..., Y, X) of any integer or float type, in detector counts; of a DataArray the dimensions ``y`` and
        ``x`` are the plane, wherever they stand. Each plane is fitted on its own, or with
        ``choices.sequence`` on from the one before, in the order in which the array holds them. A dask array
        is denoised when it is computed, plane by plane wherever its scheduler runs.
    microscope, specimen : str, optional
        What took it and what it shows, for example ``"confocal"`` and ``"nucleus"``; decides the
        configuration. Without them those of `choices` count, and without these the global one is used.
    choices : Choices, optional
        Everything else: preset, metric, table, tiles, seed, recipe, the tier that is required, the most cost.
    device : str, optional
        ``cpu``, ``cuda`` or ``auto``.
    progress : callable, optional
        Told a `FitProgress` at the beginning, at the end, and at most four times a second between, also
        within the fit of one plane; what it raises ends the work. Not for dask arrays, which have bars.

    Returns
    -------
    ndarray, xarray.DataArray or dask.array.Array
        Float32, in detector counts, of the shape of what was given; a DataArray with its coordinates.

    Raises
    ------
    OptionError
        If a term is unknown, the array has no plane, the choices do not let it be denoised, or the progress
        of a dask array is asked for.
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
    chosen = choices or Choices()
    _check_of_arrays(chosen)
    microscope, specimen = microscope or chosen.microscope, specimen or chosen.specimen
    chosen = replace(chosen, microscope=microscope, specimen=specimen)
    if isinstance(noisy, np.ndarray):
        return _denoised(noisy, chosen, device, progress)
    if _is_dask(noisy):
        if progress is not None:
            raise OptionError("progress", "given with a dask array", "dask.diagnostics.ProgressBar instead")
        lazy: DaskArray = _lazily(noisy, chosen, device)
        return lazy
    if not {"y", "x"} <= set(noisy.dims):
        raise OptionError("noisy", f"the dimensions {noisy.dims}", "y and x among them")
    planes = noisy.transpose(..., "y", "x")
    return planes.copy(data=_denoised(planes.to_numpy(), chosen, device, progress)).transpose(*noisy.dims)


def _check_of_arrays(chosen: Choices) -> None:
    """Refuse what is told of headers alone."""
    for name in ("axes", "pixel_size"):
        if getattr(chosen, name) is not None:
            hint = "leave it out: the last two axes are Y and X, those of a DataArray go by name"
            raise OptionError(f"choices.{name}", "given with an array, which has no header", "a file", hint)


def _is_dask(noisy: object) -> TypeIs[DaskArray]:
    return type(noisy).__module__.partition(".")[0] == "dask"


def _lazily(noisy: Any, chosen: Choices, device: str) -> Any:  # noqa: ANN401 - dask has no types
    """Return a dask array that is denoised plane by plane when it is computed, a chain of planes at once."""
    planes = -1 if chosen.sequence != "none" else 1
    whole = noisy.rechunk((*[planes] * (noisy.ndim - 2), -1, -1))

    def block(values: NDArray[Any], block_info: Any = None) -> NDArray[np.float32]:  # noqa: ANN401
        starts = [start for start, _ in block_info[0]["array-location"][:-2]]
        first = int(np.ravel_multi_index(starts, noisy.shape[:-2])) if starts else 0
        return _denoised(values, chosen, device, None, first)

    return whole.map_blocks(block, dtype=np.float32)


def _denoised(
    noisy: NDArray[Any], chosen: Choices, device: str, progress: TellProgress | None, first: int = 0
) -> NDArray[np.float32]:
    """Denoise planes of which the first one is the plane of that number of its array."""
    if noisy.ndim < 2 or noisy.size == 0 or noisy.dtype.kind not in "uif":
        found = f"an array of shape {noisy.shape} and type {noisy.dtype}"
        raise OptionError("noisy", found, "integers or floats with at least the axes Y and X")
    planner = Planner.prepare(chosen, device)
    unknown = ChannelMetadata(0, None, microscope=None, contrast=None, specimen=None, organism=None)
    known = planner.knowledge.order(unknown)
    planes = list(noisy.reshape(-1, *noisy.shape[-2:]))
    size = (noisy.shape[-2], noisy.shape[-1])
    planned = planner.plan_channel(known, len(planes), size)
    if planned.match is None:
        raise OptionError("choices", f"{planned.reason}", "choices that let the array be denoised")
    job = FitJob(planned.match.config, planner.recipe, planner.device)
    denoised = []
    places = [(0, 0, 0, first + index) for index in range(len(planes))]
    with metered(progress, steps_of_planes(job.config, job.recipe, size, len(planes))) as meter:
        for result in planner.method.denoise(planes, job, places):
            if isinstance(result, FitError):
                raise result
            denoised.append(result.plane)
            meter.plane()
    return np.stack(denoised).reshape(noisy.shape)
