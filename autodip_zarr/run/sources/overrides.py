"""What is known beside the metadata of images: a person's vocabulary, patterns, corrections and orders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from autodip_zarr.calibration import Table
from autodip_zarr.domain import Acquisition, ChannelMetadata, Evidence, Header, ImageRef
from autodip_zarr.errors import OptionError, SourceError
from autodip_zarr.metadata import (
    ChannelMapping,
    ImagePlace,
    NamePattern,
    Terms,
    Trust,
    Vocabulary,
    load_vocabulary,
    overrule,
    read_acquisition,
    read_mapping,
    read_patterns,
)
from autodip_zarr.provenance import public_uri
from autodip_zarr.regular_files import read_regular
from autodip_zarr.run.choices import KnowledgeChoices
from autodip_zarr.run.sources.given import NOTHING, Given
from autodip_zarr.stores import read_file

_SHOWN = 10


@dataclass(frozen=True)
class UnderstoodImage:
    """An image whose metadata has been understood."""

    header: Header
    """What the store knows, without its metadata texts."""
    acquisition: Acquisition
    """What is known of its channels, after corrections."""
    lines: frozenset[int] = frozenset()
    """Lines of the mapping that spoke about it."""


@dataclass(frozen=True)
class Knowledge:
    """Reads the metadata of images, and lets people correct it."""

    vocabulary: Vocabulary
    """Terms of microscopes, specimens and organisms."""
    patterns: tuple[NamePattern, ...]
    """What names of files and folders mean."""
    mapping: ChannelMapping
    """Corrections by path and channel."""
    orders: tuple[Evidence, ...]
    """What the command line says of all channels."""
    given: Given = NOTHING
    """What the command line says of the images themselves."""

    @classmethod
    def prepare(cls, choices: KnowledgeChoices, *tables: Table) -> Knowledge:
        """Read the files that were named.

        Parameters
        ----------
        choices : KnowledgeChoices
            Names of the files, and what is said of all channels.
        *tables : Table
            Calibration tables; the terms of their groups are known words, too.

        Raises
        ------
        OptionError, TableError
            If a file or a term is not valid.
        """
        vocabulary = load_vocabulary(Path(choices.vocabulary) if choices.vocabulary else None)
        entries = [entry for table in tables for entry in table.entries]
        calibrated = frozenset((name, term) for entry in entries for name, term in entry.group.items())
        terms = Terms(vocabulary, calibrated)
        mapping = ChannelMapping(())
        patterns: tuple[NamePattern, ...] = ()
        if choices.mapping:
            where = f"--mapping {choices.mapping}"
            mapping = read_mapping(_content(choices.mapping, where), where, terms)
        if choices.patterns:
            where = f"--patterns {choices.patterns}"
            patterns = read_patterns(_content(choices.patterns, where), where)
        return cls(vocabulary, patterns, mapping, _orders(choices, terms), Given.read(choices))

    def understand(self, header: Header) -> UnderstoodImage:
        """Say what is known about the channels of an image.

        Its metadata texts, which may be long and shared by many images, are left behind.

        Raises
        ------
        HeaderError
            If the metadata cannot be understood.
        """
        ref = header.ref
        public = replace(ref, uri=public_uri(ref.uri))
        acquisition = read_acquisition(replace(header, ref=public), self.vocabulary, self.patterns)
        place = ImagePlace(_paths(public), ref.series, acquisition.plate)
        corrected, lines = self.correct(place, acquisition)
        header = self.given.to(header, acquisition)
        return UnderstoodImage(replace(header, texts=()), corrected, lines)

    def correct(self, place: ImagePlace, acquisition: Acquisition) -> tuple[Acquisition, frozenset[int]]:
        """Let the mapping and the command line speak about the channels of an image.

        Returns
        -------
        Acquisition
            Corrected.
        frozenset of int
            Lines of the mapping that are about the image, whether or not they changed anything.
        """
        rows = self.mapping.of_image(place)
        lines: set[int] = set()
        channels: list[ChannelMetadata] = []
        for channel in acquisition.channels:
            about = [row for row in rows if row.is_about_channel(channel, len(acquisition.channels))]
            lines |= {row.line for row in about}
            said = {one.field: one for row in about for one in row.values}
            # a cell that says what is read anyway is no correction: the table of `inspect` given back
            # unchanged must neither settle conflicts nor turn guesses into statements
            news = [one for one in said.values() if one.value != getattr(channel, one.field)]
            channels.append(self.order(overrule(channel, news, self.vocabulary)))
        return replace(acquisition, channels=tuple(channels)), frozenset(lines)

    def order(self, channel: ChannelMetadata) -> ChannelMetadata:
        """Let the command line alone speak about a channel."""
        return overrule(channel, self.orders, self.vocabulary)

    def unused(self, lines: frozenset[int]) -> tuple[str, ...]:
        """Return warnings about rows of the mapping that spoke about no image.

        Parameters
        ----------
        lines : frozenset of int
            Lines that did.
        """
        idle = [row for row in self.mapping.rows if row.line not in lines]
        if not idle:
            return ()
        shown = ", ".join(f"line {row.line} ({row.source}, channel {row.channel})" for row in idle[:_SHOWN])
        rest = f" and {len(idle) - _SHOWN} more" if len(idle) > _SHOWN else ""
        every = len(self.mapping.rows)
        return (f"--mapping: {len(idle)} of {every} rows match no channel of these images: {shown}{rest}",)


def _content(name: str, where: str) -> str:
    """Return the text of a file or URI that was named."""
    try:
        content = read_file(name) if "://" in name else read_regular(name)
        if content is None:
            raise OptionError(where, "is missing", "a file")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise OptionError(where, f"cannot be read ({error.strerror})", "a file") from error
    except SourceError as error:
        raise OptionError(where, error.found, "a file", error.hint) from error
    except UnicodeDecodeError as error:
        hint = "save it as 'CSV UTF-8' where a spreadsheet asks"
        raise OptionError(where, f"not UTF-8 ({error.reason})", "text in UTF-8", hint) from error


def _orders(choices: KnowledgeChoices, terms: Terms) -> tuple[Evidence, ...]:
    orders: list[Evidence] = []
    for field in ("microscope", "specimen"):
        text = getattr(choices, field)
        if text is None:
            continue
        term = terms.understand(field, text)
        if term is None:
            raise terms.error(f"--{field}", field, text)
        orders.append(Evidence(field, term, f"--{field}", text, int(Trust.ORDER)))
    return tuple(orders)


def image_path(ref: ImageRef) -> str:
    """Return the path of an image below the source that was named."""
    return f"{ref.relative}/{ref.group}" if ref.group else ref.relative


def _paths(ref: ImageRef) -> tuple[str, ...]:
    """Return all paths by which a mapping may name an image."""
    paths = [image_path(ref), ref.source]
    here = Path.cwd()
    if "://" not in ref.source and Path(ref.source).is_relative_to(here):
        paths.append(Path(ref.source).relative_to(here).as_posix())
    return tuple(dict.fromkeys(paths))
