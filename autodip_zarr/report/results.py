"""The page about results: what needs a look first, then a card an image, numbers and words."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from autodip_zarr.domain import Skipped
from autodip_zarr.errors import AutodipError
from autodip_zarr.provenance import public_uri
from autodip_zarr.report.cards.card import Card, Shown, channel_name
from autodip_zarr.report.cards.looks import Look, along, charts, checks, detail, thumbnail
from autodip_zarr.report.cards.standing import STANDINGS, standing
from autodip_zarr.report.cards.words import NUMBERS, WORDS
from autodip_zarr.report.streams import write_named_file
from autodip_zarr.run.results.review import (
    ReviewedChannel,
    ReviewedImage,
    ReviewedPixels,
    open_pixels,
    review_target,
)
from autodip_zarr.shown.html import (
    Html,
    contents,
    facts,
    group,
    items,
    joined,
    link,
    listed,
    page,
    paragraph,
    section,
    state,
    table,
    text,
)
from autodip_zarr.shown.tabular import Tabular
from autodip_zarr.stores import read_record

_MOST_PICTURES: Final = 40
"""Channels of which a page shows pictures, those that need a look first."""
_MOST_THUMBNAILS: Final = 400
"""Images that get a small picture."""
_LARGEST_THUMBNAIL_PX: Final = 16_000_000
"""Pixels of a plane beyond which it is not read for a small picture alone."""
_MOST_WARNINGS: Final = 200
"""Warnings that a page lists."""
_MOST_FAILURES: Final = 1000
"""Failed planes that a page lists."""
_NAMED: Final = 3
"""Images that a warning names."""
_COLUMNS: Final = (
    *("source", "channel", "microscope", "specimen", "tier", "group", "config"),
    *("planes", "denoised", "failed", "status"),
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

    @property
    def is_running(self) -> bool:
        """Whether some of the results are still being made."""
        return any(image.status == "running" for image in self.images)

    def in_one_line(self) -> str:
        """Say how many results there are, and how far they are."""
        return _summary(self.images)

    def _rows(self) -> Iterator[Sequence[object]]:
        for image in self.images:
            yield from _rows(image, "")

    def _headline(self) -> str:
        return f"{_summary(self.images)} Page: {self.path}"

    def _warnings(self) -> Iterator[str]:
        yield from (f"{skip.where}: {skip.reason}" for skip in self.skipped)
        yield from (f"{warning}: {image.label}" for image in self.images for warning in image.warnings())


def write_report(
    target: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    remote_sources: bool = False,
    again_s: float | None = None,
) -> WrittenReport:
    """Write a page about a result, or all results below a folder: warnings, pictures, charts, numbers.

    The page is one HTML file, which works offline. Its script filters, sorts and compares; without scripts
    everything is there, too. Without any result no page is written.

    Parameters
    ----------
    target : str or path
        Image group, store or folder.
    output : str or path
        The page to write.
    remote_sources : bool
        Whether sources on servers are read, too, for pictures of before; the results name them.
    again_s : float, optional
        Seconds after which a browser reads the page again, for who writes it again while a run goes on.

    Returns
    -------
    WrittenReport
        The page, what it is about, and what could not be read.

    Raises
    ------
    OptionError
        The page cannot be written.
    """
    images: list[ReviewedImage] = []
    unreadable: list[Skipped] = []
    for item in review_target(os.fspath(target)):
        if isinstance(item, Skipped):
            unreadable.append(item)
        else:
            images.append(item)
    written = WrittenReport(os.fspath(output) if images else None, tuple(images), tuple(unreadable))
    if written.path is not None:
        made = _Page(written, remote_sources=remote_sources)
        write_named_file("--output", written.path, made.text(public_uri(os.fspath(target)), again_s))
    return written


class _Page:
    """A page about results; keeps no pixels but its pictures.

    Parameters
    ----------
    report : WrittenReport
        What the page is about.
    remote_sources : bool
        Whether sources on servers may be read for the pictures.
    """

    def __init__(self, report: WrittenReport, *, remote_sources: bool) -> None:
        self._unreadable = report.skipped
        self._images = report.images
        self._root = _common_folder([image.source for image in report.images])
        rank = {stands: number for number, stands in enumerate(STANDINGS)}
        ordered = sorted(report.images, key=lambda image: rank[standing(image)])
        self._cards = [
            Card(image, image.label.removeprefix(self._root), f"image-{number}")
            for number, image in enumerate(ordered, 1)
        ]
        room = _MOST_PICTURES
        for number, card in enumerate(self._cards):
            if number < _MOST_THUMBNAILS and card.image.middle:
                room -= _look_at(card, room, remote_sources=remote_sources)
        self._pictured = _MOST_PICTURES - room

    def text(self, target: str, again_s: float | None) -> str:
        """Return the page, whole in itself."""
        sections = [
            ("look", "Needs a look", list(self._warnings()), ("warnings",)),
            ("images", "Images", list(self._gallery()), ()),
            ("failed", "Failed planes", list(self._failed()), ()),
            ("numbers", "All numbers", list(self._numbers()), ()),
            ("made", "Made with", self._made(), ()),
            ("words", "Words", [facts(((w, m, "") for w, m in WORDS.items()), "words")], ()),
        ]
        shown = [one for one in sections if any(one[2])]
        top = [paragraph(_summary(self._images)), self._tally()]
        if again_s is not None:
            top.append(paragraph(f"A run may be going on: this page is read again every {again_s:.0f} s."))
        top.append(contents((name, title) for name, title, _, _ in shown))
        parts = [section(name, title, inner, *classes) for name, title, inner, classes in shown]
        return page(f"Denoised images in {target}", [*top, *parts], again_s=again_s)

    def _tally(self) -> Html:
        counts = Counter(standing(image) for image in self._images)
        return items(
            (state(one.kind, f"{one.text}: {counts[one]}") for one in STANDINGS if counts[one]), "tally"
        )

    def _warnings(self) -> Iterator[Html]:
        """Yield what could not be read, and each warning once, with links to the images that it is about."""
        told: dict[str, list[Card]] = {}
        for card in self._cards:
            for warning in dict.fromkeys([*card.image.warnings(), *card.notes]):
                told.setdefault(warning, []).append(card)
        every = [text(f"{skip.where}: {skip.reason}") for skip in self._unreadable]
        every += [_told(warning, cards) for warning, cards in told.items()]
        rest = len(every) - _MOST_WARNINGS
        yield items([*every[:_MOST_WARNINGS], *([text(f"... and {rest} more")] if rest > 0 else [])])

    def _gallery(self) -> Iterator[Html]:
        if self._root:
            yield paragraph(f"Sources are below {self._root}", small=True)
        channels = sum(len(image.middle) for image in self._images)
        if channels > self._pictured:
            yield paragraph(
                f"Pictures are shown of {self._pictured} of {channels} denoised channels, those of images "
                "that need a look first.",
                small=True,
            )
        yield group((card.html() for card in self._cards), "cards")

    def _failed(self) -> Iterator[Html]:
        """Yield the failed planes with their reasons."""
        rows: list[Sequence[object]] = [
            (card.name, failure.t, failure.c, failure.z, failure.reason)
            for card in self._cards
            for failure in card.image.failures
        ]
        if not rows:
            return
        yield table(("source", "t", "c", "z", "reason"), rows[:_MOST_FAILURES])
        if len(rows) > _MOST_FAILURES:
            yield paragraph(f"... and {len(rows) - _MOST_FAILURES} more; verify --json lists all.")
        yield paragraph("The command that made the results tries just these planes again.", small=True)

    def _numbers(self) -> Iterator[Html]:
        """Yield what the record tells of the denoised planes, a line a channel."""
        rows = [
            [card.name, channel_name(channel), *_values(channel)]
            for card in self._cards
            for channel in card.image.channels
            if channel.numbers
        ]
        if rows:
            yield paragraph("Means over the denoised planes; the words are explained below.", small=True)
            yield table(("source", "channel", *(word.name for word in NUMBERS.values())), rows)

    def _made(self) -> list[Html]:
        return [paragraph(one, small=True) for one in dict.fromkeys(image.method for image in self._images)]


def _look_at(card: Card, room: int, *, remote_sources: bool) -> int:
    """Read the middle planes of an image for its card, and return of how many channels pictures were made."""
    found = open_pixels(card.image, remote_sources=remote_sources)
    if isinstance(found, str):
        card.notes.append(found)
        return 0
    if found.problem is not None:
        card.notes.append("the source cannot be read, there is no picture of before")
    channels = list(card.image.middle)[: max(room, 0)]
    if not channels and found.result.size("y") * found.result.size("x") > _LARGEST_THUMBNAIL_PX:
        return 0
    for c in channels or list(card.image.middle)[:1]:
        try:
            _show(card, found, c, whole=c in channels)
        except AutodipError as error:
            card.notes.append(f"no picture: {error}")
    return len(channels)


def _show(card: Card, found: ReviewedPixels, c: int, *, whole: bool) -> None:
    """Put pictures of a channel on a card, or a small one alone."""
    t, z = card.image.middle[c]
    look = Look(found, c, (t, z), f"{card.name}, channel {channel_name(card.image.channels[c])}, t={t} z={z}")
    plane = found.plane(c, t, z)
    if not card.thumbnail:
        card.thumbnail = thumbnail(look, plane)
    if whole:
        record = read_record(card.image.target)
        told = paragraph(f"The plane t={t} z={z}:", small=True)
        moving = group(along(look, record), "looking")
        pictures = [told, *detail(look, plane), moving, charts(look, plane, record)]
        card.channels[c] = Shown(pictures, list(checks(plane)))


def _summary(images: Sequence[ReviewedImage]) -> str:
    planes = sum(channel.denoised for image in images for channel in image.channels)
    failed = sum(len(image.failures) for image in images)
    complete = sum(image.status == "complete" for image in images)
    return (
        f"{len(images)} images, {complete} of them complete; "
        f"{planes} planes denoised, {failed} failed or not done."
    )


def _told(warning: str, cards: Sequence[Card]) -> Html:
    """Return a warning with links to the images that it is about, or to the first few of them."""
    rest = f"and {len(cards) - _NAMED} more" if len(cards) > _NAMED else ""
    named = listed(link(card.anchor, card.name) for card in cards[:_NAMED])
    return joined(text(f"{warning}:"), named, text(rest))


def _common_folder(sources: Sequence[str]) -> str:
    """Return the folder that all sources lie in, with its slash; nothing where there is none worth naming."""
    parts = [source.split("/")[:-1] for source in sources]
    shared: list[str] = []
    for names in zip(*parts, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return "/".join([*shared, ""]) if any(shared) else ""


def _rows(image: ReviewedImage, root: str) -> Iterator[list[object]]:
    for channel in image.channels:
        is_copied = channel.treatment == "copied"
        status = f"copied: {channel.reason or 'not chosen'}" if is_copied else image.status
        yield [
            image.label.removeprefix(root),
            channel_name(channel),
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


def _values(channel: ReviewedChannel) -> list[object]:
    return [
        f"{channel.numbers[name]:.{word.digits}f}" if name in channel.numbers else None
        for name, word in NUMBERS.items()
    ]
