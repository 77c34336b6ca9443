"""Images of TIFF files and multi-file sets, and in which page of which file each plane lies."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass

from autodip_zarr.domain import ChannelDisplay, TextKind
from autodip_zarr.errors import AbsentPlaneError


@dataclass(frozen=True)
class PageRun:
    """Consecutive planes that lie in consecutive pages."""

    first: int
    """Number of the first plane in the order of the leading axes."""
    count: int | None
    """Planes; ``None`` for all that follow."""
    ifd: int
    """Page of the first plane."""
    file: str | None
    """Name of the member file, relative to the folder; ``None`` for the file itself."""
    uuid: str | None = None
    """Identifier of a member file whose name the header does not give."""


@dataclass(frozen=True)
class TiffImage:
    """One image of a TIFF file or multi-file set."""

    name: str | None
    """Name in the header."""
    sizes: Mapping[str, int]
    """Size along each of ``t c z y x``; ``c`` counts the samples of colour pixels singly."""
    leading: tuple[str, ...]
    """``t``, ``c`` and ``z`` in the order of the planes, slowest first."""
    samples: int
    """Samples in one pixel of a page."""
    pixel_sizes: Mapping[str, tuple[float, str | None]]
    """Physical size and unit along the axes that have one."""
    channels: tuple[ChannelDisplay, ...]
    """Names and colours; may be shorter than the channel axis."""
    runs: tuple[PageRun, ...]
    """Where the planes are, sorted by their first plane."""
    offset: int | None = None
    """Byte at which all planes follow one another without pages of their own (big ImageJ files)."""
    unexplained: tuple[tuple[str, int], ...] = ()
    """Name and size of each leading axis of the file, slowest first, where no header names all of them; the
    name is empty for these."""

    @property
    def first_page(self) -> tuple[str | None, int]:
        """Return (member file, page) of the first plane that there is."""
        return self.runs[0].file, self.runs[0].ifd

    @property
    def planes(self) -> tuple[int, int]:
        """Return how many planes have pages, and how many there would be in all."""
        total = self.sizes["t"] * self.sizes["z"] * self.sizes["c"] // self.samples
        ends = [run.first for run in self.runs[1:]] + [total]
        pages = (run.count or end - run.first for run, end in zip(self.runs, ends, strict=True))
        return min(sum(pages), total), total

    def locate(self, t: int, c: int, z: int) -> tuple[str | None, int, int]:
        """Return (member file, page, sample in its pixels) of a plane.

        Raises
        ------
        AbsentPlaneError
            The header names no page for it.
        """
        position, number = {"t": t, "c": c // self.samples, "z": z}, 0
        for axis in self.leading:
            size = self.sizes[axis] // (self.samples if axis == "c" else 1)
            number = number * size + position[axis]
        at = bisect.bisect_right(self.runs, number, key=lambda run: run.first) - 1
        if at < 0 or number - self.runs[at].first >= (self.runs[at].count or math.inf):
            raise AbsentPlaneError(
                f"plane t={t} c={c} z={z}", "the header names no page for it", "a TiffData element"
            )
        run = self.runs[at]
        return run.file, run.ifd + number - run.first, c % self.samples


@dataclass(frozen=True)
class OmeFile:
    """What the OME-XML of one TIFF file says about files and images."""

    uuid: str | None
    """Identifier of the file itself."""
    metadata_file: str | None
    """Name of the file with the real header, where this one is ``BinaryOnly``."""
    images: tuple[TiffImage, ...]
    """Images, in the order of the header."""

    @property
    def members(self) -> frozenset[str]:
        """Return the names of all other files that the images lie in."""
        return frozenset(run.file for run in self.runs if run.file is not None)

    @property
    def unnamed(self) -> frozenset[str]:
        """Return the identifiers of other files that the header does not name."""
        return frozenset(run.uuid for run in self.runs if run.uuid is not None)

    @property
    def runs(self) -> tuple[PageRun, ...]:
        """Return where the planes of all images are."""
        return tuple(run for image in self.images for run in image.runs)


@dataclass(frozen=True)
class TiffSource:
    """A TIFF file, or the multi-file set that it belongs to."""

    images: tuple[TiffImage, ...]
    """Images, in the order of the header."""
    text: str | None
    """OME-XML header, or what a plain TIFF says in words; ``None`` where there is none of both."""
    text_source: str
    """File that the header was read from."""
    members: frozenset[str]
    """Paths or URIs of the other files of the set."""
    refusal: str | None = None
    """Why a plain TIFF, or a copy of a member of a set, is not taken for an image."""
    text_kind: TextKind = "ome-xml"
    """What the text is."""
