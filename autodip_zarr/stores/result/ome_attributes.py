"""What OME-Zarr wants to be said of a result: its axes and levels, and how it is rendered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autodip_zarr.domain import Axis, ChannelDisplay, TargetSpec
from autodip_zarr.stores.zarr.axes import AXIS_TYPES
from autodip_zarr.stores.zarr.nodes import Json


def multiscales(spec: TargetSpec) -> Json:
    """Return the axes and levels of a result: the one entry of its attribute ``multiscales``."""
    datasets: list[Json] = []
    for level in spec.levels:
        steps: list[Json] = [{"type": "scale", "scale": [float(value) for value in level.scale]}]
        if level.translation is not None:
            steps.append(
                {"type": "translation", "translation": [float(value) for value in level.translation]}
            )
        datasets.append({"path": level.path, "coordinateTransformations": steps})
    image: Json = {"name": spec.name, "axes": [_axis(axis) for axis in spec.axes], "datasets": datasets}
    image["type"] = "mean"
    image["metadata"] = {
        "description": "each pixel is the mean of the pixels that it covers on the level above",
        "method": "autodip_zarr.stores.finish_target",
    }
    return image if spec.zarr_format == 3 else {"version": "0.4", **image}


def _axis(axis: Axis) -> Json:
    entry: Json = {"name": axis.name}
    kind = axis.type or AXIS_TYPES.get(axis.name)
    if kind is not None:
        entry["type"] = kind
    if axis.unit is not None:
        entry["unit"] = axis.unit
    return entry


def omero(spec: TargetSpec, windows: Mapping[int, tuple[float, float, float, float]]) -> Json:
    """Return the rendering settings.

    Parameters
    ----------
    spec : TargetSpec
        The result.
    windows : mapping of int to (float, float, float, float)
        Minimum, maximum, start and end of the rendering window, by channel; the range of the pixel type
        where a channel is missing.
    """
    dtype = np.dtype(spec.dtype)
    whole = (0.0, 1.0)
    if dtype.kind in "ui":
        whole = (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
    count = spec.size("c")
    displays = [*spec.channels[:count]]
    displays += [ChannelDisplay(None, None, None)] * (count - len(displays))
    channels: list[Json] = []
    for index, display in enumerate(displays):
        low, high, start, end = windows.get(index, (*whole, *whole))
        channels.append(
            {
                "label": display.label or f"Channel {index}",
                "color": display.color or "FFFFFF",
                "active": True if display.active is None else display.active,
                "coefficient": 1.0,
                "family": "linear",
                "inverted": False,
                "window": {"min": low, "max": high, "start": start, "end": end},
            }
        )
    model = "color" if count > 1 or any(display.color for display in displays) else "greyscale"
    rdefs: Json = {"defaultT": 0, "defaultZ": spec.size("z") // 2, "model": model}
    version: Json = {} if spec.zarr_format == 3 else {"version": "0.4"}
    return {**version, "name": spec.name, "channels": channels, "rdefs": rdefs}
