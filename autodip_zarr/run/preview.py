"""Denoise one plane, or a crop of it, to see what would come of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import ChannelMetadata, Header, Match, Skipped
from autodip_zarr.errors import OptionError, SourceError
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.plan import Planner
from autodip_zarr.run.selection import choose_channels
from autodip_zarr.stores import read_planes, walk


@dataclass(frozen=True)
class PlaneChoice:
    """Which plane, and which part of it."""

    channel: str
    """Name or index."""
    t: int
    """Time point."""
    z: int | None
    """Depth; ``None`` for the middle one."""
    crop: str | None
    """``Y,X,HEIGHT,WIDTH`` in pixels; ``None`` for all."""


@dataclass(frozen=True)
class Preview:
    """A plane before and after, and what it took."""

    noisy: NDArray[np.generic]
    """(Y, X), as read."""
    denoised: NDArray[np.float32]
    """(Y, X) float32, in detector counts."""
    channel: ChannelMetadata
    """What is known of the channel."""
    match: Match
    """Transferred configuration."""
    seconds: float
    """Wall time of the fit, on one worker."""
    planes: int
    """Planes of the channel in the image."""


def preview_plane(source: str, where: PlaneChoice, choices: Choices, device: str = "auto") -> Preview:
    """Denoise one plane or crop of the first image of a source.

    Parameters
    ----------
    source : str
        File, folder or URI.
    where : PlaneChoice
        Which plane.
    choices : Choices
        How.
    device : str
        ``cpu``, ``cuda`` or ``auto``.

    Raises
    ------
    SourceError, OptionError, FitError
        If there is no such plane, or it cannot be read or fitted.
    """
    from autodip_zarr.dip.planes import FitJob, denoise_plane  # noqa: PLC0415 - torch, not for planning

    planner = Planner.prepare(choices, device)
    ref = next(iter(walk([source])), None)
    if ref is None or isinstance(ref, Skipped):
        raise SourceError(source, ref.reason if ref else "holds no image", "an OME-Zarr or OME-TIFF image")
    header, acquisition = planner.read(ref)
    chosen = choose_channels(where.channel, [channel.name for channel in acquisition.channels])
    if len(chosen) != 1:
        names = ", ".join(f"{c.index} {c.name or ''}".strip() for c in acquisition.channels)
        raise OptionError("--channel", f"{where.channel!r} names {len(chosen)} channels", f"one of {names}")
    channel = acquisition.channels[min(chosen)]
    t, z = _position(header, where)
    rows, columns = _crop(where.crop, (header.size("y"), header.size("x")))
    noisy = read_planes(header, channel.index, [(t, z)])[0][rows, columns]
    match = planner.match(channel)
    job = FitJob(match.config, planner.recipe, planner.device)
    result = denoise_plane(noisy, job, (ref.series or 0, t, channel.index, z))
    planes = header.size("t") * header.size("z")
    return Preview(noisy, result.plane, channel, match, result.seconds, planes)


def _position(header: Header, where: PlaneChoice) -> tuple[int, int]:
    z = header.size("z") // 2 if where.z is None else where.z
    for option, index, size in (("--t", where.t, header.size("t")), ("--z", z, header.size("z"))):
        if not 0 <= index < size:
            raise OptionError(option, str(index), f"0 to {size - 1}")
    return where.t, z


def _crop(text: str | None, size: tuple[int, int]) -> tuple[slice, slice]:
    if text is None:
        return slice(None), slice(None)
    try:
        y, x, height, width = (int(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError("--crop", repr(text), "Y,X,HEIGHT,WIDTH in pixels") from error
    if not (0 <= y < y + height <= size[0] and 0 <= x < x + width <= size[1]):
        raise OptionError("--crop", repr(text), f"a part of the plane of {size[0]} x {size[1]} pixels")
    return slice(y, y + height), slice(x, x + width)
