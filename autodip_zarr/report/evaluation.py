"""What methods reached on pairs of images: as a document, a table, and a page of pictures."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final, Literal

import numpy as np

from autodip_zarr.domain import Skipped
from autodip_zarr.errors import SourceError
from autodip_zarr.metrics import Lpips
from autodip_zarr.provenance import public_uri
from autodip_zarr.report.tables import table_lines
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.scheduling.machine import settle_device
from autodip_zarr.run.sources.crops import busiest_crop
from autodip_zarr.run.sources.named import Sources, named_sources
from autodip_zarr.run.trials.baselines import parse_baseline
from autodip_zarr.run.trials.evaluate import (
    BLUR,
    UPPER_BOUND,
    EvaluatedPlane,
    Evaluation,
    Measurement,
    Question,
)
from autodip_zarr.shown.html import (
    Html,
    figure,
    heading,
    page,
    paragraph,
    pictures,
    table,
    warning_list,
)
from autodip_zarr.shown.pictures import Panel, display_window, encode_panel
from autodip_zarr.shown.tabular import Tabular

Document = dict[str, Any]

_MOST_PICTURES: Final = 40
"""Planes of which a page shows pictures; of all others it gives the numbers."""

_SIDE_PX: Final = 512
_MEASURES: Final = {"psnr": 2, "psnr_data_range": 2, "ssim": 4, "lpips": 4}
_NUMBERS: Final = ("PSNR", "by data range", "SSIM", "LPIPS", "seconds", "cost")
_COLUMNS: Final = ("image", "method", "with", *_NUMBERS)
_MEAN_COLUMNS: Final = ("method", "planes", *_NUMBERS)
_CONVENTIONS: Final = (
    "PSNR (in dB), SSIM and LPIPS compare images scaled by minimum and maximum of the noisy one; 'by data "
    "range' takes the range of the pixel type, for floats the span of the clean image. High PSNR and SSIM "
    "are good, and low LPIPS."
)


@dataclass(frozen=True)
class EvaluatedMethod:
    """What one method reached on one plane."""

    noisy: str
    """Path or URI of the noisy image, without credentials."""
    clean: str
    """Path or URI of the clean image, without credentials."""
    series: int | None
    """Index of the noisy image in a file that holds several."""
    t: int
    """Time point."""
    c: int
    """Channel."""
    z: int
    """Depth."""
    method: str
    """Which one: ``noisy``, ``blur``, a baseline, ``original-dip``, a preset, or a folder of results."""
    how: str
    """With what, for example ``4/32/4/1200, confocal+nucleus``."""
    microscope: str | None
    """Imaging modality of the channel, as understood."""
    specimen: str | None
    """Labelled structure of the channel, as understood."""
    psnr: float
    """On the scale of minimum and maximum of the noisy plane, in dB; infinite for equal planes."""
    psnr_data_range: float
    """With the range of the pixel type, in dB; infinite for equal planes."""
    ssim: float
    """Structural similarity; NaN for planes that are too small."""
    lpips: float | None
    """Perceptual distance, low is good; NaN for planes that are too small, ``None`` without its weights."""
    seconds: float
    """Wall time."""
    is_one_of_many: bool
    """Whether its image has more planes than this one."""
    relative_cost: float | None = None
    """Arithmetic of a fit; 1.0 is the original prior on a 512x512 plane. ``None`` where nothing is fitted."""

    @property
    def label(self) -> str:
        """Image and plane for people."""
        series = "" if self.series is None else f" [{self.series}]"
        place = f" t={self.t} c={self.c} z={self.z}" if self.is_one_of_many else ""
        return f"{self.noisy}{series}{place}"


@dataclass(frozen=True)
class EvaluationReport(Tabular):
    """What methods reached on pairs of noisy and clean images; a row for each method on each plane."""

    rows: tuple[EvaluatedMethod, ...]
    """Plane after plane, the methods in the order asked for; those that failed are missing."""
    skipped: tuple[Skipped, ...]
    """What could not be done, with reasons."""
    warnings: tuple[str, ...]
    """What a person should look at, in words."""
    figures: tuple[Html, ...] = field(repr=False)
    """Pictures of the first 40 planes, as parts of a page."""
    pictured: int
    """Planes that have pictures."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured."""
        return not self.rows

    def document(self) -> Document:
        """Return what was measured as ``evaluate --json`` prints it."""
        return {"pairs": [_document(row) for row in self.rows]}

    def lines(self) -> list[str]:
        """Return what was measured as lines of a table, with means over several planes and what it means."""
        lines = table_lines(_COLUMNS, self._cells())
        if self._means():
            lines += ["", *table_lines(_MEAN_COLUMNS, self._means())]
        return [*lines, "", *self._remarks()]

    def page(self) -> str:
        """Return a page with the numbers and with pictures side by side; it is whole in itself."""
        skips = [f"{skip.where}: {skip.reason}" for skip in self.skipped]
        parts = [warning_list([*self.warnings, *skips])]
        if self._means():
            parts += [heading("Means over the planes"), table(_MEAN_COLUMNS, self._means())]
        parts += [heading("Every plane"), table(_COLUMNS, self._cells())]
        parts += [paragraph(remark, small=True) for remark in self._remarks()]
        if self.figures:
            parts.append(heading("Side by side"))
            if len({row.label for row in self.rows}) > self.pictured:
                parts.append(paragraph(f"Pictures of the first {self.pictured} planes."))
        return page("Evaluation of denoising methods", [*parts, *self.figures])

    def _cells(self) -> list[list[object]]:
        return [[row.label, row.method, row.how, *_numbers(_document(row))] for row in self.rows]

    def _means(self) -> list[list[object]]:
        """Return a line for each method with the means over its planes; none for a single plane."""
        lines: list[list[object]] = []
        for method in dict.fromkeys(row.method for row in self.rows):
            documents = [_document(row) for row in self.rows if row.method == method]
            if len(documents) > 1:
                means = {name: _mean(documents, name) for name in (*_MEASURES, "seconds", "relative_cost")}
                lines.append([method, len(documents), *_numbers(means)])
        return lines

    def _remarks(self) -> list[str]:
        bounds = dict.fromkeys(row.method for row in self.rows if _is_bound(row.method))
        return [*([f"{', '.join(bounds)}: {UPPER_BOUND}."] if bounds else []), _CONVENTIONS]

    def csv(self) -> str:
        """Return what was measured as CSV, a row for each method on each plane."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self._COLUMNS)
        writer.writerows(["" if cell is None else cell for cell in row] for row in self._rows())
        return text.getvalue()

    _COLUMNS: ClassVar[Sequence[str]] = (
        *("noisy", "clean", "series", "t", "c", "z", "method", "how", "microscope", "specimen"),
        *(*_MEASURES, "seconds", "relative_cost"),
    )

    def _rows(self) -> Iterator[Sequence[object]]:
        for row in self.rows:
            yield [getattr(row, name) for name in self._COLUMNS]

    def _headline(self) -> str:
        planes = len({row.label for row in self.rows})
        return f"{len(self.rows)} measurements on {planes} planes; {len(self.skipped)} skipped"

    def _warnings(self) -> Iterator[str]:
        yield from self.warnings
        yield from (f"{skip.where}: {skip.reason}" for skip in self.skipped)


def _is_bound(method: str) -> bool:
    """Return whether the clean image chose something of a method."""
    baseline = parse_baseline(method)
    return method == BLUR or (baseline is not None and baseline.is_bound)


class EvaluationInterrupted(KeyboardInterrupt):
    """Somebody has stopped an evaluation; what was measured until then is not lost.

    Parameters
    ----------
    measured : EvaluationReport
        What was measured.
    """

    def __init__(self, measured: EvaluationReport) -> None:
        super().__init__()
        self.measured = measured


def evaluate(  # noqa: PLR0913 - keywords
    noisy: Sources,
    clean: Sources,
    *,
    methods: Sequence[str] = ("noisy", BLUR, "standard"),
    crop: str | None = None,
    choices: Choices | None = None,
    device: str = "auto",
    lpips_range: Literal["unit", "signed"] = "unit",
    watch: Callable[[str], None] = lambda _: None,
) -> EvaluationReport:
    """Measure methods on pairs of noisy and clean images: PSNR, SSIM and LPIPS.

    Parameters
    ----------
    noisy, clean : str, path, or iterable of these
        As many of one as of the other: images (PNG, TIFF, OME-TIFF, OME-Zarr), or folders whose images are
        paired by name.
    methods : sequence of str
        Some of ``noisy``, ``blur`` (the best one by the clean image, an upper bound), ``original-dip``, the
        presets, the baselines that docs/how-to/evaluate.md lists, and folders of results.
    crop : str, optional
        ``Y,X,HEIGHT,WIDTH`` of each plane in pixels, or the side of the square in which the clean one varies
        most.
    choices : Choices, optional
        Seed, table, metric, tiles; what is said of all channels; which channels and planes.
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    lpips_range : str
        ``unit`` gives LPIPS values of 0 to 1, as the published calibration did, ``signed`` of -1 to 1.
    watch : callable, optional
        Told a line about each measurement as soon as it is made.

    Returns
    -------
    EvaluationReport
        A row for each method on each plane, and what could not be done; ``page()`` is a page of pictures.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense.
    EvaluationInterrupted
        On Ctrl-C, with what was measured until then.
    """
    device = settle_device(device)
    question = Question(tuple(named_sources(noisy)), tuple(named_sources(clean)), tuple(methods), crop)
    collected = _Collected()
    perceptual = _perceptual(collected.warnings, watch, signed=lpips_range == "signed")
    try:
        for item in Evaluation(question, choices or Choices(), device, perceptual, watch):
            collected.add(item)
    except KeyboardInterrupt as error:  # a fit takes hours: what is measured already is not thrown away
        raise EvaluationInterrupted(collected.report()) from error
    return collected.report()


def _perceptual(
    warnings: list[str], watch: Callable[[str], None], *, signed: bool
) -> Callable[..., float] | None:
    """Load LPIPS, or say why there is none."""
    try:
        return partial(Lpips.load(), signed=signed)
    except SourceError as error:
        warnings.append(f"no LPIPS: {error}")
        watch(f"warning: no LPIPS: {error}")
        return None


@dataclass
class _Collected:
    """What was measured so far; keeps no pixels but the pictures."""

    rows: list[EvaluatedMethod] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    figures: list[Html] = field(default_factory=list)
    pictured: int = 0

    def add(self, item: EvaluatedPlane | Skipped) -> None:
        """Add what methods made of a plane, or what could not be done."""
        if isinstance(item, Skipped):
            self.skipped.append(item)
            return
        self.rows += [_row(item, measurement) for measurement in item.measurements]
        if self.pictured < _MOST_PICTURES:
            self.pictured += 1
            self.figures += _figures(item)

    def report(self) -> EvaluationReport:
        """Return all of it."""
        return EvaluationReport(
            tuple(self.rows),
            tuple(self.skipped),
            tuple(self.warnings),
            tuple(self.figures),
            self.pictured,
        )


def _row(plane: EvaluatedPlane, measurement: Measurement) -> EvaluatedMethod:
    noisy, known, scores = plane.pair.noisy.header.ref, plane.channel, measurement.scores
    return EvaluatedMethod(
        noisy=public_uri(noisy.source),
        clean=public_uri(plane.pair.clean.ref.source),
        series=noisy.series,
        t=plane.t,
        c=known.index,
        z=plane.z,
        method=measurement.method,
        how=measurement.how,
        microscope=known.microscope,
        specimen=known.specimen,
        psnr=scores.psnr,
        psnr_data_range=scores.psnr_data_range,
        ssim=scores.ssim,
        lpips=scores.lpips,
        seconds=measurement.seconds,
        is_one_of_many=plane.is_one_of_many,
        relative_cost=measurement.relative_cost,
    )


def _document(row: EvaluatedMethod) -> Document:
    """Return a row as ``evaluate --json`` prints it."""
    return {
        "noisy": row.noisy,
        "clean": row.clean,
        **({} if row.series is None else {"series": row.series}),
        **({"plane": {"t": row.t, "c": row.c, "z": row.z}} if row.is_one_of_many else {}),
        "method": row.method,
        "microscope": row.microscope,
        "specimen": row.specimen,
        **{name: _finite(getattr(row, name)) for name in _MEASURES},
        "seconds": round(row.seconds, 3),
        "relative_cost": None if row.relative_cost is None else round(row.relative_cost, 6),
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
    cost = document["relative_cost"]
    return [*shown, f"{document['seconds']:.1f}", None if cost is None else f"{cost:.3g}"]


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
    return [heading(plane.label, level=3), paragraph(known, small=True), pictures(figures)]


def _caption(measurement: Measurement) -> str:
    scores = measurement.scores
    lpips = "" if scores.lpips is None else f", LPIPS {scores.lpips:.3f}"
    numbers = f"PSNR {scores.psnr:.2f} dB, SSIM {scores.ssim:.3f}{lpips}"
    return f"{measurement.method} ({measurement.how})\n{numbers}"
