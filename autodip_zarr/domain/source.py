"""Where an image is, and all that its store tells before a pixel is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from autodip_zarr.domain.axes import Axis, Level, PageOrder, size_along

Kind = Literal["ome-zarr", "ome-tiff", "picture"]
"""Format of a source image; a picture (PNG) is read by ``evaluate`` alone, never denoised as a source."""

TextKind = Literal["ome-xml", "omero-json", "ro-crate-json", "zarr-attributes-json", "plain-text"]
"""Kind of a metadata text: an OME-XML header, the ``omero`` attribute, another JSON document, or prose."""

MAX_CHANNELS: Final = 10_000
"""Channels above which a header is taken for broken or hostile."""


@dataclass(frozen=True)
class FieldOfPlate:
    """Where in a plate an image lies."""

    row: str
    """Row name, for example ``"B"``."""
    column: str
    """Column name, for example ``"3"`` or ``"03"``."""
    field: str
    """Path of the field in its well, for example ``"0"``."""
    acquisition: int | None
    """Id of the plate acquisition, where the well names one."""


@dataclass(frozen=True)
class ImageRef:
    """Where one image is; what the walk yields."""

    kind: Kind
    """Format of the source."""
    uri: str
    """TIFF file or root of the Zarr store: a plain path, or a URI if remote."""
    group: str
    """Path of the image group below the root of the Zarr store, ``""`` for the root; ``""`` for TIFF."""
    series: int | None
    """Index of the image in a file that holds several (TIFF series); ``None`` where it holds one."""
    image_index: int
    """Which ``Image`` element of the OME-XML describes it, counted from 0."""
    relative: str
    """Path of file or store below the source that the user named, ``/``-separated; for mirroring the tree."""
    plate: FieldOfPlate | None = None
    """Place in a plate; ``None`` outside plates."""
    given_axes: PageOrder | None = None
    """Axes of its pages that a person gave; ``None`` in a header where nothing of it was needed."""

    @property
    def source(self) -> str:
        """Path or URI of the image itself: the TIFF file, or the image group inside the store."""
        return f"{self.uri.rstrip('/')}/{self.group}" if self.group else self.uri


@dataclass(frozen=True)
class ChannelDisplay:
    """How viewers name and draw a channel."""

    label: str | None
    """Name shown to people."""
    color: str | None
    """``RRGGBB`` in hexadecimal, without ``#``."""
    active: bool | None
    """Whether viewers show it at first; ``None`` where not said."""


@dataclass(frozen=True)
class MetadataText:
    """One piece of metadata as it stands in the source, not yet understood."""

    kind: TextKind
    """How to read it."""
    source: str
    """File or URI it was read from, without credentials."""
    content: str
    """The text."""


@dataclass(frozen=True)
class Fingerprint:
    """What tells cheaply whether a source is still the same."""

    size_bytes: int | None
    """Size of the file (TIFF), or of the metadata document of the image group (Zarr)."""
    modified: str | None
    """Time of last change, ISO 8601 in UTC, where the store tells."""
    etag: str | None
    """Entity tag, where a remote store gives one."""
    checksum: str | None
    """``sha256:`` and the digest of the metadata document (Zarr) or of the header text (TIFF)."""


@dataclass(frozen=True)
class Header:
    """All that can be known of an image without reading a pixel."""

    ref: ImageRef
    """Where it is."""
    name: str | None
    """Name that the source gives the image."""
    axes: tuple[Axis, ...]
    """Axes of the stored array, in its order; a TIFF is presented as ``t c z y x``."""
    levels: tuple[Level, ...]
    """Resolution levels, full resolution first."""
    dtype: str
    """Numpy name of the pixel type in native byte order, for example ``"uint16"``."""
    chunk: tuple[int, ...]
    """Chunk (or TIFF tile or strip) shape along ``axes``; the unit that is read at once."""
    channels: tuple[ChannelDisplay, ...]
    """Display settings, one a channel, in order."""
    zarr_format: Literal[2, 3] | None
    """Zarr format of the source; ``None`` for TIFF."""
    ome_version: str | None
    """Version of the OME-Zarr specification it is written in; ``None`` for TIFF."""
    texts: tuple[MetadataText, ...]
    """Metadata texts that may describe it; empty in a plan, where they have been understood."""
    fingerprint: Fingerprint
    """Its state when the header was read."""
    warnings: tuple[str, ...] = ()
    """What was odd but could be read."""
    absent_planes: int = 0
    """Planes for which the header of a TIFF names no page, samples of colour counted singly."""
    fill_value: float | None = None
    """Value of pixels of an OME-Zarr that were never written; ``None`` where it is not known."""
    given_um: tuple[tuple[str, float], ...] = ()
    """Axes whose physical size a person gave because the source tells none, with it in micrometers."""

    def size(self, axis: str) -> int:
        """Return the full-resolution size along a named axis, 1 where there is none."""
        return size_along(axis, self.axes, self.levels[0].shape)


@dataclass(frozen=True)
class Skipped:
    """Something that is not denoised, with the reason."""

    source: str
    """Path or URI."""
    reason: str
    """Why, in one line."""
    channel: int | None = None
    """The channel, or ``None`` for a whole image or file."""
    is_error: bool = False
    """Whether it could not be done (counts towards exit code 1) or simply is not to be done."""
    at: str = ""
    """Where exactly in the source, with the field in the file; empty for the source itself."""

    @property
    def where(self) -> str:
        """The most exact place that is known, for messages."""
        return self.at or self.source
