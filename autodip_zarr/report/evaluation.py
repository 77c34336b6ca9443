"""What methods reached on pairs of images: as a document, a table, and a page of pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from autodip_zarr.domain import Skipped
from autodip_zarr.provenance import public_uri
from autodip_zarr.report.html import (
    Html,
    figure,
    heading,
    page,
    paragraph,
    pictures,
    subheading,
    table,
    warning_list,
)
from autodip_zarr.report.pictures import Panel, display_window, encode_panel
from autodip_zarr.report.tables import table_lines
from autodip_zarr.run.sources.crops import busiest_crop
from autodip_zarr.run.trials.evaluate import BLUR, UPPER_BOUND, EvaluatedPlane, Measurement

Document = dict[str, Any]

_MOST_PICTURES: Final = 40
"""Planes of which a page shows pictures; of all others it gives the numbers."""

_SIDE_PX: Final = 512
_MEASURES: Final = {"psnr": 2, "psnr_data_range": 2, "ssim": 4, "lpips": 4}
_NUMBERS: Final = ("PSNR", "by data range", "SSIM", "LPIPS", "seconds")
_COLUMNS: Final = ("image", "method", "with", *_NUMBERS)
_MEAN_COLUMNS: Final = ("method", "planes", *_NUMBERS)
_CONVENTIONS: Final = (
    "PSNR (in dB), SSIM and LPIPS compare images scaled by minimum and maximum of the noisy one; 'by data "
    "range' takes the range of the pixel type, for floats the span of the clean image. High PSNR and SSIM "
    "are good, and low LPIPS."
)


@dataclass(frozen=True)
class _Row:
    """The numbers of one method on one plane."""

    label: str
    """Image and plane."""
    how: str
    """With what the method was applied."""
    document: Document
    """The numbers, as ``evaluate --json`` prints them."""


class EvaluationReport:
    """Collects what was measured, plane by plane; keeps no pixels but the pictures of the page.

    Parameters
    ----------
    with_pictures : bool
        Whether a page will be asked for.
    """

    def __init__(self, *, with_pictures: bool) -> None:
        self._with_pictures = with_pictures
        self._rows: list[_Row] = []
        self._figures: list[Html] = []
        self._pictured = 0
        self._skipped: list[Skipped] = []
        self._notes: list[str] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured."""
        return not self._rows

    @property
    def skipped(self) -> Sequence[Skipped]:
        """What could not be done."""
        return self._skipped

    def note(self, warning: str) -> None:
        """Add something that a person should look at."""
        self._notes.append(warning)

    def skip(self, skipped: Skipped) -> None:
        """Add what could not be done."""
        self._skipped.append(skipped)

    def add(self, plane: EvaluatedPlane) -> None:
        """Add what methods made of a plane."""
        for measurement in plane.measurements:
            self._rows.append(_Row(plane.label, measurement.how, _document(plane, measurement)))
        if self._with_pictures and self._pictured < _MOST_PICTURES:
            self._pictured += 1
            self._figures += _figures(plane)

    def document(self) -> Document:
        """Return what was measured as ``evaluate --json`` prints it."""
        return {"pairs": [row.document for row in self._rows]}

    def lines(self) -> list[str]:
        """Return what was measured as lines of a table, with means over several planes and what it means."""
        lines = table_lines(_COLUMNS, self._cells())
        if self._means():
            lines += ["", *table_lines(_MEAN_COLUMNS, self._means())]
        return [*lines, "", *self._remarks()]

    def page(self) -> str:
        """Return a page with the numbers and with pictures side by side; it is whole in itself."""
        skips = [f"{skip.where}: {skip.reason}" for skip in self._skipped]
        parts = [warning_list([*self._notes, *skips])]
        if self._means():
            parts += [heading("Means over the planes"), table(_MEAN_COLUMNS, self._means())]
        parts += [heading("Every plane"), table(_COLUMNS, self._cells())]
        parts += [paragraph(remark, small=True) for remark in self._remarks()]
        if self._figures:
            parts.append(heading("Side by side"))
            if len({row.label for row in self._rows}) > self._pictured:
                parts.append(paragraph(f"Pictures of the first {self._pictured} planes."))
        return page("Evaluation of denoising methods", [*parts, *self._figures])

    def _cells(self) -> list[list[object]]:
        return [[row.label, row.document["method"], row.how, *_numbers(row.document)] for row in self._rows]

    def _means(self) -> list[list[object]]:
        """Return a line for each method with the means over its planes; none for a single plane."""
        lines: list[list[object]] = []
        for method in dict.fromkeys(row.document["method"] for row in self._rows):
            documents = [row.document for row in self._rows if row.document["method"] == method]
            if len(documents) > 1:
                means = {name: _mean(documents, name) for name in (*_MEASURES, "seconds")}
                lines.append([method, len(documents), *_numbers(means)])
        return lines

    def _remarks(self) -> list[str]:
        shows_blur = any(row.document["method"] == BLUR for row in self._rows)
        return [*([f"blur: {UPPER_BOUND}."] if shows_blur else []), _CONVENTIONS]


def _document(plane: EvaluatedPlane, measurement: Measurement) -> Document:
    noisy, clean, known = plane.pair.noisy.header.ref, plane.pair.clean.ref, plane.channel
    series = {} if noisy.series is None else {"series": noisy.series}
    place = {"plane": {"t": plane.t, "c": known.index, "z": plane.z}} if plane.is_one_of_many else {}
    scores = {name: _finite(getattr(measurement.scores, name)) for name in _MEASURES}
    return {
        "noisy": public_uri(noisy.source),
        "clean": public_uri(clean.source),
        **series,
        **place,
        "method": measurement.method,
        "microscope": known.microscope,
        "specimen": known.specimen,
        **scores,
        "seconds": round(measurement.seconds, 3),
    }


def _finite(value: float | None) -> float | None:
    """Return a number that JSON has; equal images are infinitely close, and small ones have no value."""
    return value if value is not None and math.isfinite(value) else None


def _mean(documents: Sequence[Document], name: str) -> float | None:
    values = [document[name] for document in documents]
    return None if any(value is None for value in values) else float(np.mean(values))


def _numbers(document: Document) -> list[object]:
    shown: list[object] = [
        None if document[name] is None else f"{document[name]:.{digits}f}"
        for name, digits in _MEASURES.items()
    ]
    return [*shown, f"{document['seconds']:.1f}"]


def _figures(plane: EvaluatedPlane) -> list[Html]:
    """Return a heading and the pictures of a plane, all on one scale: noisy, each method, clean."""
    crop = busiest_crop(plane.clean, _SIDE_PX)
    window = display_window(plane.clean[crop])
    made = [(_caption(one), one.plane) for one in plane.measurements if one.method != "noisy"]
    noisy = next((_caption(one) for one in plane.measurements if one.method == "noisy"), "noisy")
    shown = [(noisy, plane.noisy), *made, ("clean", plane.clean)]
    figures = [
        figure(caption, encode_panel(Panel(caption, image[crop], window), _SIDE_PX))
        for caption, image in shown
    ]
    part = "" if max(plane.clean.shape) <= _SIDE_PX else f"A part of {_SIDE_PX} pixels of each plane. "
    known = f"{part}Microscope: {plane.channel.microscope or '-'}, specimen: {plane.channel.specimen or '-'}"
    return [subheading(plane.label), paragraph(known, small=True), pictures(figures)]


def _caption(measurement: Measurement) -> str:
    scores = measurement.scores
    lpips = "" if scores.lpips is None else f", LPIPS {scores.lpips:.3f}"
    numbers = f"PSNR {scores.psnr:.2f} dB, SSIM {scores.ssim:.3f}{lpips}"
    return f"{measurement.method} ({measurement.how})\n{numbers}"
