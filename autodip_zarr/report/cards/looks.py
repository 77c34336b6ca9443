"""Pictures of a channel of a result: a detail before and after, where it lies, and planes along z and t."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.errors import AutodipError
from autodip_zarr.report.cards.curves import (
    histograms,
    power_spectrum,
    residual_correlation,
    worst_level_bias,
)
from autodip_zarr.run.results.review import ReviewedPixels, ReviewedPlane
from autodip_zarr.run.sources.crops import busiest_crop
from autodip_zarr.shown.charts import Axes, Line, chart
from autodip_zarr.shown.html import Html, figure, group, image, paragraph, pictures, placed, strip
from autodip_zarr.shown.pictures import Panel, before_and_after, display_window, encode_panel
from autodip_zarr.stores import RECORD_FIELDS, STATUS_DENOISED

_SIDE_PX: Final = 256
"""Side of a detail, which is shown pixel by pixel."""
_FRAME_PX: Final = 160
_FRAMES: Final = 7
"""Planes along an axis that are shown."""
_LARGEST_FRAME_PX: Final = 4_500_000
"""Pixels of a plane beyond which no others than the middle one are read."""
_THUMBNAIL_PX: Final = 96

Record = NDArray[np.float64]
Check = tuple[str, float, str]
"""Name, value and explanation of what a plane tells of its own quality."""


@dataclass(frozen=True)
class Look:
    """A channel of a result that is looked at."""

    pixels: ReviewedPixels
    """The result and its source."""
    c: int
    """Channel."""
    at: tuple[int, int]
    """Time point and depth of the plane in the middle."""
    title: str
    """Image and channel, for those who do not see the pictures."""

    @property
    def color(self) -> str | None:
        """Return the colour of the channel, ``RRGGBB``; ``None`` where it has none."""
        channels = self.pixels.result.channels
        return channels[self.c].color if self.c < len(channels) else None


def thumbnail(look: Look, plane: ReviewedPlane) -> Html:
    """Return a small picture of a whole plane of a result."""
    panel = Panel("", plane.denoised, display_window(plane.denoised))
    picture = encode_panel(panel, _THUMBNAIL_PX, look.color, lossy=True)
    return image(f"{look.title}, denoised", picture, "thumbnail")


def detail(look: Look, plane: ReviewedPlane) -> Iterator[Html]:
    """Yield the busiest part of a plane before and after, what was taken away, and where it lies."""
    crop = busiest_crop(plane.denoised, _SIDE_PX)
    after = plane.denoised[crop]
    if plane.noisy is None:
        panels = [Panel("denoised", after, display_window(after))]
    else:
        panels = before_and_after(plane.noisy[crop], after)
    figures = [
        figure(
            panel.caption,
            encode_panel(panel, _SIDE_PX, None if "residual" in panel.caption else look.color),
            f"{look.title}: {panel.caption}",
        )
        for panel in panels
    ]
    if max(plane.denoised.shape) > _SIDE_PX:
        figures.append(_whole(look, plane.denoised, crop))
    yield pictures(figures, *(["pair"] if plane.noisy is not None else []))
    if plane.problem is not None:
        yield paragraph(f"No picture of before: {plane.problem}")


def _whole(look: Look, plane: NDArray[np.generic], crop: tuple[slice, slice]) -> Html:
    height, width = plane.shape
    rows, columns = (part.indices(length) for part, length in zip(crop, plane.shape, strict=True))
    part = (
        columns[0] / width,
        rows[0] / height,
        (columns[1] - columns[0]) / width,
        (rows[1] - rows[0]) / height,
    )
    panel = Panel("", plane, display_window(plane))
    caption = f"denoised, all {height} x {width} pixels; the frame is the detail"
    picture = encode_panel(panel, _SIDE_PX, look.color)
    return placed(caption, picture, f"{look.title}: denoised, the whole plane", part)


def along(look: Look, record: Record) -> Iterator[Html]:
    """Yield planes before and after along z and along t, where there are several of a size to be read."""
    result = look.pixels.result
    if result.size("y") * result.size("x") > _LARGEST_FRAME_PX:
        return
    status = record[:, look.c, :, RECORD_FIELDS.index("status")]
    t, z = look.at
    for axis, line in (("z", status[t]), ("t", status[:, z])):
        done = np.flatnonzero(line == STATUS_DENOISED)
        if len(done) < 2:
            continue
        chosen = done[np.unique(np.linspace(0, len(done) - 1, _FRAMES).round().astype(int))]
        places = [(t, int(one)) if axis == "z" else (int(one), z) for one in chosen]
        yield strip(axis, _frames(look, "z" if axis == "z" else "t", places))


def _frames(
    look: Look, axis: Literal["z", "t"], places: Sequence[tuple[int, int]]
) -> Iterator[tuple[str, list[Html]]]:
    for t, z in places:
        at = f"{axis} = {z if axis == 'z' else t}"
        try:
            plane = look.pixels.plane(look.c, t, z)
        except AutodipError as error:
            yield f"{at}: {error}", []
            continue
        window = display_window(plane.denoised if plane.noisy is None else plane.noisy)
        shown = [("noisy", plane.noisy), ("denoised", plane.denoised)]
        yield (
            at,
            [
                image(
                    f"{look.title}, {at}: {name}",
                    encode_panel(Panel("", pixels, window), _FRAME_PX, look.color, lossy=True),
                )
                for name, pixels in shown
                if pixels is not None
            ],
        )


def charts(look: Look, plane: ReviewedPlane, record: Record) -> Html:
    """Return charts of a plane before and after, and of the record along the stack or the time-lapse."""
    shown = [("denoised", plane.denoised)]
    if plane.noisy is not None:
        shown.insert(0, ("noisy", plane.noisy))
    spectra = [Line(name, *map(list, power_spectrum(pixels))) for name, pixels in shown]
    middles, shares = histograms([pixels for _, pixels in shown])
    lines = [Line(name, list(middles), list(share)) for (name, _), share in zip(shown, shares, strict=True)]
    return group(
        [
            chart("Power spectrum", Axes("cycles a pixel", "power", is_log=True), spectra),
            chart("Histogram", Axes("intensity", "share of pixels", is_log=True), lines),
            *_record_charts(record[:, look.c]),
        ],
        "columns",
    )


def _record_charts(record: Record) -> Iterator[Html]:
    """Yield charts of a channel's record (T, Z, field) over its planes."""
    planes = record.reshape(-1, record.shape[-1])
    places = [float(one) for one in range(len(planes))]
    axis = "z" if record.shape[0] == 1 else ("t" if record.shape[1] == 1 else "plane, z before t")

    def line(name: str, field: str) -> Line:
        return Line(name, places, planes[:, RECORD_FIELDS.index(field)].tolist())

    noise = [line("noise before", "noise_before"), line("taken away", "residual_std")]
    yield chart("Noise along the planes", Axes(axis, "standard deviation"), noise)
    fits = [line("share of the prior", "prior_share"), line("overshoot", "overshoot")]
    yield chart("How the fits went", Axes(axis, "value"), fits)


def checks(plane: ReviewedPlane) -> Iterator[Check]:
    """Yield what the plane in the middle tells of its own quality; nothing without its source."""
    if plane.noisy is None:
        return
    correlation = residual_correlation(plane.noisy, plane.denoised)
    if correlation is not None:
        meaning = (
            "Of what was taken away with the result, over the plane shown. Near 0 where noise was taken "
            "away; far from it where bright places became darker or brighter as a whole."
        )
        yield "correlation of residual and result", correlation, meaning
    bias = worst_level_bias(plane.noisy, plane.denoised)
    if bias is not None:
        meaning = (
            "Largest mean difference of source and result among ten levels of intensity, over the range of "
            "the result. Above about 0.02 intensities are no longer those that were measured."
        )
        yield "worst bias of a level", bias, meaning
