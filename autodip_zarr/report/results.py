"""The page about results: warnings first, then a table, numbers, failed planes, and pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from autodip_zarr.domain import Skipped
from autodip_zarr.provenance import public_uri
from autodip_zarr.report.pictures import Panel, before_and_after, display_window, encode_panel
from autodip_zarr.report.streams import write_named_file
from autodip_zarr.run.results.review import (
    ReviewedChannel,
    ReviewedImage,
    ReviewedPlane,
    read_middle,
    review_target,
)
from autodip_zarr.run.sources.crops import busiest_crop
from autodip_zarr.shown.html import (
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
from autodip_zarr.shown.tabular import Tabular

_MOST_PICTURES: Final = 40
"""Planes of which a page shows pictures."""
_MOST_FAILURES: Final = 1000
"""Failed planes that a page lists."""

_SIDE_PX: Final = 256
_NAMED: Final = 3
_COLUMNS: Final = (
    *("source", "channel", "microscope", "specimen", "tier", "group", "config"),
    *("planes", "denoised", "failed", "status"),
)
_NUMBERS: Final = {
    "iterations": ("iterations", 0),
    "seconds": ("seconds a plane", 1),
    "noise_before": ("noise before", 2),
    "noise_after": ("noise after", 2),
    "residual_std": ("residual", 2),
    "residual_lag1": ("its correlation", 3),
    "hot_pixels": ("hot pixels", 1),
    "missing_pixels": ("missing pixels", 1),
    "restarts": ("restarts", 2),
    "overshoot": ("overshoot", 2),
    "stop": ("stop", 0),
    "prior_share": ("share of the prior", 2),
}
_MEANING: Final = (
    "Means over the denoised planes. Noise is estimated from the finest details, in detector counts; the "
    "residual is what was taken away, by its standard deviation. Its correlation between neighbouring pixels "
    "is near 0 for white noise, and higher where noise is correlated or structure was taken away. Overshoot "
    "above 1 tells of noise that came back at the end of the fit. The stop is the iteration after which "
    "the fit was taken; the share of the prior is its part in the result, the rest is of classical filters."
)


@dataclass(frozen=True)
class WrittenReport(Tabular):
    """A page about results that was written, and what it is about; a row a channel."""

    path: str | None
    """The page; ``None`` where there was no result to write of."""
    images: tuple[ReviewedImage, ...]
    """What each result says of itself."""
    skipped: tuple[Skipped, ...]
    """What could not be read, with reasons."""

    _COLUMNS: ClassVar[Sequence[str]] = _COLUMNS

    def _rows(self) -> Iterator[Sequence[object]]:
        for image in self.images:
            yield from _rows(image, "")

    def _headline(self) -> str:
        return f"{_summary(self.images)} Page: {self.path}"

    def _warnings(self) -> Iterator[str]:
        yield from (f"{skip.where}: {skip.reason}" for skip in self.skipped)
        yield from (f"{warning}: {image.label}" for image in self.images for warning in image.warnings())


def write_report(
    target: str | os.PathLike[str], output: str | os.PathLike[str], *, remote_sources: bool = False
) -> WrittenReport:
    """Write a page about a result, or all results below a folder: warnings, tables, pictures.

    The page is one HTML file, which works offline and needs no scripts. Without any result none is written.

    Parameters
    ----------
    target : str or path
        Image group, store or folder.
    output : str or path
        The page to write.
    remote_sources : bool
        Whether sources on servers are read, too, for pictures of before; the results name them.

    Returns
    -------
    WrittenReport
        The page, what it is about, and what could not be read.

    Raises
    ------
    OptionError
        The page cannot be written.
    """
    report = _ResultsReport(os.fspath(target), remote_sources=remote_sources)
    for item in review_target(os.fspath(target)):
        if isinstance(item, Skipped):
            report.unreadable.append(item)
        else:
            report.add(item)
    written = None if report.is_empty else os.fspath(output)
    if written is not None:
        write_named_file("--output", written, report.page())
    return WrittenReport(written, tuple(report.images), tuple(report.unreadable))


class _ResultsReport:
    """Collects results, and writes a page about them; keeps no pixels but the pictures.

    Parameters
    ----------
    target : str
        Result or folder that was named.
    remote_sources : bool
        Whether sources on servers may be read for the pictures.
    """

    def __init__(self, target: str, *, remote_sources: bool) -> None:
        self._target = public_uri(target)
        self._remote_sources = remote_sources
        self.images: list[ReviewedImage] = []
        """What each result says of itself."""
        self._warnings: dict[str, list[str]] = {}
        self._figures: list[Html] = []
        self._pictured = 0
        self.unreadable: list[Skipped] = []
        """What could not be read."""

    def add(self, image: ReviewedImage) -> None:
        """Add a result, and read a plane of each denoised channel while there is room for pictures."""
        self.images.append(image)
        for warning in dict.fromkeys(image.warnings()):
            self._warn(warning, image)
        for c in image.middle:
            if self._pictured < _MOST_PICTURES:
                self._pictured += 1
                self._figures += self._pictures(image, c)

    def _warn(self, warning: str, image: ReviewedImage) -> None:
        self._warnings.setdefault(warning, []).append(image.label)

    @property
    def is_empty(self) -> bool:
        """Whether there is no result."""
        return not self.images

    def page(self) -> str:
        """Return the page, whole in itself."""
        every = [f"{skip.where}: {skip.reason}" for skip in self.unreadable]
        every += [_told(warning, labels) for warning, labels in self._warnings.items()]
        root = _common_folder([image.source for image in self.images])
        parts = [paragraph(_summary(self.images)), warning_list(every)]
        parts.append(heading("Images"))
        parts += [paragraph(f"Sources are below {root}", small=True)] if root else []
        parts.append(table(_COLUMNS, [row for image in self.images for row in _rows(image, root)]))
        parts += self._failed(root)
        parts += self._numbers(root)
        if self._figures:
            parts.append(heading("Before, after, and what was taken away"))
            channels = sum(len(image.middle) for image in self.images)
            if channels > self._pictured:
                parts.append(paragraph(f"The first {self._pictured} of {channels} denoised channels."))
        methods = dict.fromkeys(image.method for image in self.images)
        made = [heading("Made with"), *(paragraph(method, small=True) for method in methods)]
        return page(f"Denoised images in {self._target}", [*parts, *self._figures, *made])

    def _failed(self, root: str) -> Iterator[Html]:
        """Yield the failed planes with their reasons."""
        rows: list[Sequence[object]] = [
            (_short(image.label, root), failure.t, failure.c, failure.z, failure.reason)
            for image in self.images
            for failure in image.failures
        ]
        if not rows:
            return
        yield heading("Failed planes")
        yield table(("source", "t", "c", "z", "reason"), rows[:_MOST_FAILURES])
        if len(rows) > _MOST_FAILURES:
            yield paragraph(f"... and {len(rows) - _MOST_FAILURES} more; verify --json lists all.")
        yield paragraph("The command that made the results tries just these planes again.", small=True)

    def _numbers(self, root: str) -> Iterator[Html]:
        """Yield what the record tells of the denoised planes."""
        rows = [
            [_short(image.label, root), _channel_name(channel), *_values(channel)]
            for image in self.images
            for channel in image.channels
            if channel.numbers
        ]
        if rows:
            yield heading("Numbers")
            yield table(("source", "channel", *(title for title, _ in _NUMBERS.values())), rows)
            yield paragraph(_MEANING, small=True)

    def _pictures(self, image: ReviewedImage, c: int) -> list[Html]:
        """Return the pictures of the middle plane of a channel, under a heading."""
        t, z = image.middle[c]
        channel = image.channels[c]
        title = subheading(f"{image.label}, channel {_channel_name(channel)}, t={t} z={z}")
        where = paragraph(f"Result: {image.target}", small=True)
        found = read_middle(image, c, remote_sources=self._remote_sources)
        if isinstance(found, str):
            self._warn(found, image)
            return [title, where, paragraph(found)]
        if found.problem is not None:
            self._warn("the source cannot be read, there is no picture of before", image)
        return [title, where, *_figures(found)]


def _summary(images: Sequence[ReviewedImage]) -> str:
    planes = sum(channel.denoised for image in images for channel in image.channels)
    failed = sum(len(image.failures) for image in images)
    complete = sum(image.status == "complete" for image in images)
    return (
        f"{len(images)} images, {complete} of them complete; "
        f"{planes} planes denoised, {failed} failed or not done."
    )


def _told(warning: str, labels: Sequence[str]) -> str:
    """Return a warning with the images that it is about, or the first few of them."""
    named = ", ".join(labels[:_NAMED])
    rest = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
    return f"{warning}: {named}{rest}"


def _common_folder(sources: Sequence[str]) -> str:
    """Return the folder that all sources lie in, with its slash; nothing where there is none worth naming."""
    parts = [source.split("/")[:-1] for source in sources]
    shared: list[str] = []
    for names in zip(*parts, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return "/".join([*shared, ""]) if any(shared) else ""


def _short(label: str, root: str) -> str:
    return label.removeprefix(root)


def _rows(image: ReviewedImage, root: str) -> Iterator[list[object]]:
    for channel in image.channels:
        is_copied = channel.treatment == "copied"
        status = f"copied: {channel.reason or 'not chosen'}" if is_copied else image.status
        yield [
            _short(image.label, root),
            _channel_name(channel),
            channel.microscope,
            channel.specimen,
            channel.tier,
            channel.group,
            channel.config,
            channel.planes,
            channel.denoised,
            channel.failed,
            status,
        ]


def _channel_name(channel: ReviewedChannel) -> str:
    return f"{channel.index} {channel.name or ''}".strip()


def _values(channel: ReviewedChannel) -> list[object]:
    return [
        f"{channel.numbers[name]:.{digits}f}" if name in channel.numbers else None
        for name, (_, digits) in _NUMBERS.items()
    ]


def _figures(plane: ReviewedPlane) -> Iterator[Html]:
    """Yield the pictures of a plane: its busiest part before and after, and where it lies in the whole."""
    crop = busiest_crop(plane.denoised, _SIDE_PX)
    after = plane.denoised[crop]
    panels = (
        [Panel("denoised", after, display_window(after))]
        if plane.noisy is None
        else before_and_after(plane.noisy[crop], after)
    )
    if max(plane.denoised.shape) > _SIDE_PX:
        size = " x ".join(str(length) for length in plane.denoised.shape)
        panels.append(Panel(f"denoised, all {size} pixels", plane.denoised, display_window(plane.denoised)))
    yield pictures(figure(panel.caption, encode_panel(panel, _SIDE_PX)) for panel in panels)
    if plane.problem is not None:
        yield paragraph(f"No picture of before: {plane.problem}")
