"""Read the metadata of sources as they are understood, with the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from autodip_zarr.domain import Acquisition, ChannelPlan, Header, ImageRef, MetadataText, Skipped
from autodip_zarr.errors import AutodipError, HeaderError
from autodip_zarr.metadata import FIELDS, ImagePlace, read_ome_xml
from autodip_zarr.provenance import public_uri
from autodip_zarr.regular_files import read_regular
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.planner import Planner
from autodip_zarr.run.planning.totals import config_name, group_name
from autodip_zarr.run.sources.named import Sources, named_sources
from autodip_zarr.run.sources.overrides import UnderstoodImage, image_path
from autodip_zarr.run.sources.selection import choose_channels, choose_indices, is_chosen_place
from autodip_zarr.run.sources.survey import Survey
from autodip_zarr.shown.tabular import Tabular


@dataclass(frozen=True)
class InspectedImage:
    """What the metadata of one image says."""

    source: str
    """Path or URI, without credentials."""
    path: str
    """Path below the source that was named."""
    series: int | None
    """Index in a file that holds several images."""
    acquisition: Acquisition
    """What it says, after corrections."""
    channels: tuple[ChannelPlan, ...]
    """The chosen channels, with the configuration that each would get; costs are those of one plane."""
    warnings: tuple[str, ...] = ()
    """What was odd about the image, in words."""
    header: Header | None = None
    """How it was read; ``None`` for bare OME-XML."""


@dataclass(frozen=True)
class Inspection(Tabular):
    """What the metadata of some sources says; a row a channel."""

    images: tuple[InspectedImage, ...]
    """One an image."""
    skipped: tuple[Skipped, ...]
    """What could not be read, with reasons."""
    warnings: tuple[str, ...] = ()
    """What a person should look at that is not about one image, in words."""

    _COLUMNS: ClassVar[Sequence[str]] = (
        *("source", "series", "channel", "name", *FIELDS),
        *("tier", "group", "config", "reason", "conflicts"),
    )

    def _rows(self) -> Iterator[Sequence[object]]:
        for image in self.images:
            for channel in image.channels:
                known, match = channel.metadata, channel.match
                yield (
                    image.source,
                    image.series,
                    known.index,
                    known.name,
                    *(getattr(known, field) for field in FIELDS),
                    None if match is None else match.tier,
                    None if match is None else group_name(match.group),
                    None if match is None else config_name(match.config),
                    channel.reason,
                    known.conflicts,
                )

    def _headline(self) -> str:
        channels = sum(len(image.channels) for image in self.images)
        return f"{len(self.images)} images, {channels} channels; {len(self.skipped)} skipped"

    def _warnings(self) -> Iterator[str]:
        yield from self.warnings
        yield from (f"{skip.where}: {skip.reason}" for skip in self.skipped if skip.is_error)


class Inspector:
    """Reads the metadata of sources, one image after the other.

    Parameters
    ----------
    sources : str, path, or iterable of these
        Anything that can be denoised, and bare OME-XML files (``.xml``).
    choices : Choices
        Selection and corrections.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense.
    """

    def __init__(self, sources: Sources, choices: Choices | None = None) -> None:
        self._sources = sources = named_sources(sources)
        self._choices = choices or Choices()
        self._planner = Planner.prepare(self._choices)
        self._headers = [source for source in sources if source.lower().endswith(".xml")]
        stores = [source for source in sources if source not in self._headers]
        self._tour = Survey(stores, self._choices, self._planner.knowledge)

    def __iter__(self) -> Iterator[InspectedImage | Skipped]:
        for source in self._headers:
            yield from self._of_header(source)
        for item in self._tour:
            if isinstance(item, Skipped):
                yield item
            elif self._has_chosen_planes(item):
                ref, warnings = item.header.ref, item.header.warnings
                inspected = self._inspected(ref, image_path(ref), item.acquisition, warnings)
                yield replace(inspected, header=item.header)
            else:
                self._tour.leave_out(item.acquisition)
        yield from self._tour.nothing_left(self._sources)

    def warnings(self) -> tuple[str, ...]:
        """Return what a person should look at, once all images were read."""
        return self._tour.warnings()

    def _has_chosen_planes(self, understood: UnderstoodImage) -> bool:
        header, choices = understood.header, self._choices
        t = choose_indices(choices.t, header.size("t"), "--t")
        z = choose_indices(choices.z, header.size("z"), "--z")
        return bool(t and z and self._chosen(understood.acquisition))

    def _chosen(self, acquisition: Acquisition) -> frozenset[int]:
        return choose_channels(self._choices.channels, [channel.name for channel in acquisition.channels])

    def _inspected(
        self, ref: ImageRef, path: str, acquisition: Acquisition, warnings: tuple[str, ...]
    ) -> InspectedImage:
        chosen = self._chosen(acquisition)
        size = (self._choices.tile_px, self._choices.tile_px)
        channels = tuple(
            self._planner.plan_channel(channel, 1, size)
            for channel in acquisition.channels
            if channel.index in chosen
        )
        source = public_uri(ref.source)
        return InspectedImage(source, path, ref.series, acquisition, channels, warnings)

    def _of_header(self, source: str) -> Iterator[InspectedImage | Skipped]:
        """Yield the images of a bare OME-XML file; planes cannot be chosen there."""
        knowledge = self._planner.knowledge
        try:
            text = MetadataText("ome-xml", source, read_regular(source).decode("utf-8"))
            acquisitions = read_ome_xml(text, knowledge.vocabulary)
        except (OSError, UnicodeDecodeError) as error:
            reason = str(HeaderError(source, str(error), "an OME-XML file"))
            yield Skipped(source, reason, is_error=True)
            return
        except AutodipError as error:
            yield Skipped(source, str(error), is_error=True)
            return
        for index, read in enumerate(acquisitions):
            series = index if len(acquisitions) > 1 else None
            acquisition, lines = knowledge.correct(ImagePlace((source,), series, read.plate), read)
            self._tour.use(lines)
            is_within = is_chosen_place(read.plate, self._choices.wells, self._choices.fields)
            if is_within and self._chosen(acquisition):
                ref = ImageRef("ome-tiff", source, "", series, index, source)
                yield self._inspected(ref, source, acquisition, ())
            else:
                self._tour.leave_out(acquisition)


def inspect_sources(sources: Sources, choices: Choices | None = None) -> Inspection:
    """Read the metadata of files, folders, URIs, and bare OME-XML files.

    Parameters
    ----------
    sources : str, path, or iterable of these
        Anything that can be denoised, and ``.xml`` files.
    choices : Choices, optional
        Selection and corrections.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense; a source that cannot be read is skipped instead.
    """
    inspector = Inspector(sources, choices)
    found = list(inspector)
    images = tuple(item for item in found if isinstance(item, InspectedImage))
    skipped = tuple(item for item in found if isinstance(item, Skipped))
    return Inspection(images, skipped, inspector.warnings())
