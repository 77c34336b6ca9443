"""Denoise one plane, or a crop of it, to see what would come of it."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.estimate import steps_of_planes
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.domain import ChannelMetadata, Header, Match, Skipped
from autodip_zarr.errors import OptionError, SourceError
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.planner import Planner
from autodip_zarr.run.sources.crops import parse_crop
from autodip_zarr.run.sources.overrides import UnderstoodImage
from autodip_zarr.run.sources.selection import choose_channels, choose_indices
from autodip_zarr.run.sources.survey import Survey
from autodip_zarr.run.trials.progress import TellProgress, metered
from autodip_zarr.shown.pictures import before_and_after, compose
from autodip_zarr.stores import read_planes


@dataclass(frozen=True)
class PlaneChoice:
    """Which plane, and which part of it."""

    channel: str
    """Names or indices; the first channel of the image that is among them is shown."""
    t: str | None
    """Time points; the first is shown."""
    z: str | None
    """Depths; the middle one is shown."""
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
    whole_px: int
    """Pixels of a whole plane, of which the crop is a part."""

    def _repr_png_(self) -> bytes:
        """Return noisy, denoised and residual side by side, as a notebook shows them."""
        buffer = io.BytesIO()
        compose([before_and_after(self.noisy, self.denoised)]).save(buffer, format="PNG")
        return buffer.getvalue()


def preview(  # noqa: PLR0913 - keywords
    source: str | os.PathLike[str],
    *,
    channel: str | int = 0,
    crop: str | None = None,
    choices: Choices | None = None,
    device: str = "auto",
    progress: TellProgress | None = None,
) -> Preview:
    """Denoise one plane, or a crop of it, to see what would come of an image.

    Parameters
    ----------
    source : str or path
        File, folder or URI; of several images the first.
    channel : str or int, optional
        Name or index.
    crop : str, optional
        ``Y,X,HEIGHT,WIDTH`` in pixels.
    choices : Choices, optional
        How; ``t`` and ``z`` choose the plane, the middle depth without them.
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    progress : callable, optional
        Told a `FitProgress` at the beginning, at the end, and at most four times a second between; what it
        raises ends the work.

    Returns
    -------
    Preview
        The plane before and after, (Y, X), with what is known of it and what it took.

    Raises
    ------
    SourceError, OptionError, FitError
        If there is no such plane, or it cannot be read or fitted.
    """
    chosen = choices or Choices()
    if chosen.recipe is None:  # whoever asks for a channel wants to see it
        chosen = replace(chosen, any_contrast=True)
    where = PlaneChoice(str(channel), chosen.t, chosen.z, crop)
    return preview_plane(os.fspath(source), where, chosen, device, progress)


def preview_plane(
    source: str,
    where: PlaneChoice,
    choices: Choices,
    device: str = "auto",
    progress: TellProgress | None = None,
) -> Preview:
    """Denoise one plane or crop of the first image of a source that lies in the chosen wells and fields.

    Parameters
    ----------
    source : str
        File, folder or URI.
    where : PlaneChoice
        Which plane.
    choices : Choices
        How, and which wells and fields.
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    progress : callable, optional
        Told how far the fit is.

    Raises
    ------
    SourceError, OptionError, FitError
        If there is no such plane, or it cannot be read or fitted.
    """
    from autodip_zarr.dip.planes.denoise import denoise_plane  # noqa: PLC0415 - torch, not for planning

    planner = Planner.prepare(choices, device)
    survey = Survey([source], choices, planner.knowledge)
    understood = next((item for item in (*_first(survey), *survey.nothing_left([source]))), None)
    if understood is None or isinstance(understood, Skipped):
        found = understood.reason if understood else "holds no image"
        raise SourceError(source, found, "an OME-Zarr or OME-TIFF image")
    header, acquisition = understood.header, understood.acquisition
    chosen = choose_channels(where.channel, [channel.name for channel in acquisition.channels])
    if not chosen:
        names = ", ".join(f"{c.index} {c.name or ''}".strip() for c in acquisition.channels)
        raise OptionError("--channel", f"{where.channel!r} names no channel", f"some of {names}")
    channel = acquisition.channels[min(chosen)]
    t, z = _position(header, where)
    rows, columns = parse_crop(where.crop, (header.size("y"), header.size("x")))
    ref = header.ref
    noisy = read_planes(header, channel.index, [(t, z)])[0][rows, columns]
    size = (noisy.shape[0], noisy.shape[1])
    planned = planner.plan_channel(channel, 1, size)
    if planned.match is None:
        name = channel.name or channel.index
        raise OptionError(
            f"channel {name}", f"{planned.reason}", "a channel that the options let be denoised"
        )
    job = FitJob(planned.match.config, planner.recipe, planner.device)
    with metered(progress, steps_of_planes(job.config, job.recipe, size, 1)) as meter:
        result = denoise_plane(noisy, job, (ref.series or 0, t, channel.index, z))
        meter.plane()
    planes, whole_px = header.size("t") * header.size("z"), header.size("y") * header.size("x")
    return Preview(noisy, result.plane, channel, planned.match, result.seconds, planes, whole_px)


def _first(survey: Survey) -> list[UnderstoodImage | Skipped]:
    """Return what a survey finds first, if anything."""
    return list(islice(survey, 1))


def _position(header: Header, where: PlaneChoice) -> tuple[int, int]:
    chosen = []
    for name, text in (("t", where.t), ("z", where.z)):
        size = header.size(name)
        indices = choose_indices(text, size, f"--{name}")
        if not indices:
            raise OptionError(f"--{name}", repr(text), f"0 to {size - 1}")
        chosen.append(indices)
    times, depths = chosen
    return times[0], depths[len(depths) // 2]
