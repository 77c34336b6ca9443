"""The nouns that all parts of the package share: frozen values without behaviour of their own.

Only the standard library is imported here, so that planning stays fast and ``dip`` runs beside
nothing but torch and numpy.

Conventions
-----------
A *plane* is one (Y, X) image at one time point ``t``, channel ``c`` and depth ``z``. Axes are known by
name; a source without a ``t``, ``c`` or ``z`` axis has size 1 there. Missing is ``None``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Width = int | Literal["asc"]
"""Channels of the network per level; ``"asc"`` doubles from level to level and ends at 512."""

Kind = Literal["ome-zarr", "ome-tiff", "picture"]
"""Format of a source image; a picture (PNG) is read by ``evaluate`` alone, never denoised as a source."""

TextKind = Literal["ome-xml", "omero-json", "ro-crate-json", "zarr-attributes-json"]
"""Kind of a metadata text: an OME-XML header, the ``omero`` attribute, or another JSON document."""

Treatment = Literal["denoised", "copied", "failed"]
"""What became of a channel in a result."""

MAX_CHANNELS: Final = 10_000
"""Channels above which a header is taken for broken or hostile."""


@dataclass(frozen=True)
class DipConfig:
    """Architecture and stop of a Deep Image Prior, as a calibration table gives them."""

    depth: int
    """Number of levels of the U-net."""
    width: Width
    """Channels of each level, or ``"asc"``."""
    skip: int
    """Channels of each skip branch; 0 for none."""
    iterations: int
    """Adam steps after which a 512x512 field is stopped."""


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

    @property
    def source(self) -> str:
        """Path or URI of the image itself: the TIFF file, or the image group inside the store."""
        return f"{self.uri.rstrip('/')}/{self.group}" if self.group else self.uri


@dataclass(frozen=True)
class Axis:
    """One dimension of an image array."""

    name: str
    """Name, usually one of ``t c z y x``."""
    type: str | None
    """``time``, ``channel``, ``space``, or what the source says."""
    unit: str | None
    """UDUNITS name as OME-Zarr writes it (``micrometer``, ``second``), where known."""


@dataclass(frozen=True)
class Level:
    """One resolution level of an image pyramid."""

    path: str
    """Array path relative to the image group; the level index as text for TIFF."""
    shape: tuple[int, ...]
    """Size along each axis, in the order of the header's axes."""
    scale: tuple[float, ...]
    """Physical size of one pixel along each axis, in the unit of that axis; 1.0 where unknown."""
    translation: tuple[float, ...] | None
    """Physical offset of the first pixel along each axis, where the source gives one."""


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


def _size_along(axis: str, axes: tuple[Axis, ...], shape: tuple[int, ...]) -> int:
    return next((size for one, size in zip(axes, shape, strict=True) if one.name == axis), 1)


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

    def size(self, axis: str) -> int:
        """Return the full-resolution size along a named axis, 1 where there is none."""
        return _size_along(axis, self.axes, self.levels[0].shape)


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


@dataclass(frozen=True)
class Evidence:
    """One clue about a channel, whether or not it was understood."""

    field: str
    """What it speaks about: ``microscope``, ``contrast``, ``specimen`` or ``organism``."""
    value: str | None
    """Vocabulary term it became, ``None`` where it was tried in vain."""
    source: str
    """File and XPath or JSON path."""
    raw: str
    """The text as found."""
    trust: int
    """0 to 100; the highest wins."""


@dataclass(frozen=True)
class ChannelMetadata:
    """What is known of one channel, with the evidence."""

    index: int
    """Position along the channel axis."""
    name: str | None
    """Name, from the header or the display settings."""
    microscope: str | None
    """Vocabulary term of the imaging modality, for example ``confocal``."""
    contrast: str | None
    """``fluorescence``, ``transmitted``, ``reflected``, ``electron``, or ``None``."""
    specimen: str | None
    """Vocabulary term of the labelled structure, for example ``nucleus``."""
    organism: str | None
    """Organism, as a scientific name where the vocabulary knows it."""
    evidence: tuple[Evidence, ...] = ()
    """Every clue, in falling order of trust within each field."""
    conflicts: tuple[str, ...] = ()
    """Contradictions that were resolved by trust, in words."""


@dataclass(frozen=True)
class PixelSize:
    """Physical pixel size of an image from its OME-XML."""

    x_um: float | None
    """Width of a pixel in micrometers."""
    y_um: float | None
    """Height of a pixel in micrometers."""
    z_um: float | None
    """Distance of planes in micrometers."""
    t_s: float | None
    """Time between time points in seconds."""


@dataclass(frozen=True)
class Acquisition:
    """What the metadata of one image says: the channels, and what a writer needs besides."""

    name: str | None
    """Image name in the header."""
    channels: tuple[ChannelMetadata, ...]
    """One a channel, in order."""
    pixel_size: PixelSize
    """Physical pixel size."""
    colors: tuple[str | None, ...] = ()
    """``RRGGBB`` a channel, where the header gives one; may be shorter than ``channels``."""
    warnings: tuple[str, ...] = ()
    """What was broken, ambiguous or ignored, in words."""
    plate: FieldOfPlate | None = None
    """Place in a plate, from the store or the header; ``None`` outside plates."""


@dataclass(frozen=True)
class TableId:
    """Which calibration table a configuration came from."""

    name: str
    """Name of the table."""
    version: str
    """Version of the table."""
    sha256: str
    """Digest of the table file's bytes."""


@dataclass(frozen=True)
class Match:
    """The configuration transferred to a channel, and why this one."""

    config: DipConfig
    """Transferred configuration."""
    tier: str
    """Tier that matched: ``microscope+specimen``, ``microscope``, ``specimen`` or ``global``."""
    group: Mapping[str, str]
    """Terms of the calibration group, for example ``{"microscope": "confocal"}``; empty for ``global``."""
    agreed: tuple[str, ...]
    """Fields that agreed with the group."""
    missing: tuple[str, ...]
    """Fields that a better tier would have needed and that are unknown or not calibrated."""
    metric: str
    """Metric by which the table chose the configuration."""
    table: TableId
    """The table."""
    warnings: tuple[str, ...] = ()
    """What a person should look at, in words."""


@dataclass(frozen=True)
class WarmStart:
    """How planes of a stack or a time-lapse are fitted on from the networks of their neighbours."""

    axis: Literal["z", "t"]
    """Axis along which planes are neighbours."""
    both_ways: bool
    """Whether planes are fitted forward and then backward, and the two results averaged."""
    longest: int
    """Most planes in a chain; each chain begins with a fresh network."""
    share: float
    """Iterations of a plane that is fitted on from its neighbour, relative to those of a fresh fit."""
    least_iterations: int
    """Iterations that such a plane takes at least, so that its neighbour does not show through."""
    learning_rate: float
    """Step size of Adam for such a plane."""
    averaging: float
    """Decay per iteration of the exponential average of the outputs for such a plane."""
    least_correlation: float
    """Correlation with its neighbour, noise discounted, below which a plane begins with a fresh network."""


@dataclass(frozen=True)
class Recipe:
    """Everything besides the configuration that may change a pixel; hashed into the provenance."""

    preset: str
    """``reference``, ``standard`` or ``best``."""
    averaging: float | None
    """Decay per iteration of the exponential average of the outputs; ``None`` takes the last output."""
    perturbation: float
    """Standard deviation of the noise added to the input of a 512x512 field at each iteration; 0 for none."""
    starts: int
    """Number of independent fits whose results are averaged."""
    learning_rate: float
    """Step size of Adam."""
    tile_px: int
    """Side of a tile in pixels; a plane that fits is not tiled."""
    halo_px: int
    """Overlap of neighbouring tiles that is blended, in pixels."""
    seed: int
    """Seed from which that of each tile is derived."""
    precision: str
    """Arithmetic of the fit: ``float32``, ``bfloat16``, or on a card ``tf32``."""
    threads: int
    """CPU threads of one fit; part of the recipe because it changes rounding."""
    fused: bool = True
    """Whether the network is arranged for speed, which changes rounding; ``False`` runs it to the letter."""
    scaling: str = "robust"
    """``minmax`` scales a plane by its extremes, ``robust`` leaves hot pixels out; see ``dip.scaling``."""
    least_iterations: int = 0
    """Number of iterations of a 512x512 field to which shorter counts are raised, at most fourfold."""
    size_exponent: float = 0.0
    """Power of the side of a field by which smaller fields take fewer iterations; 0 for as many."""
    perturb_from: int = 0
    """Transferred number of iterations from which on fits are perturbed; else fine lines come too late."""
    unperturbed_exponent: float = 0.0
    """``size_exponent`` of fits that are not perturbed for their short count: they overfit sooner."""
    loss: str = "mse"
    """Distance to the noisy image that is minimised: ``mse``, ``l1``, ``poisson`` or ``ssim``."""
    tv_weight: float = 0.0
    """Weight of the total variation of the output in what is minimised."""
    deterministic: bool = False
    """Whether a card may use only kernels that give the same bits in every run; a CPU always does."""
    sequence: WarmStart | None = None
    """How planes are fitted on from their neighbours; ``None`` fits each on its own."""
    stop: str = "transferred"
    """``transferred`` makes the transferred number of iterations, ``auto`` half to twice as many."""
    averaged_share: float = 0.0
    """Share of the iterations that the average reaches back over, where that is more than ``averaging``."""
    stabilisation: float = 0.0
    """Photons added under the root that makes noise alike at all intensities; 0 takes no root."""
    ascending_times: int = 1
    """How many times as many starts a network gets that ascends from few channels: each invents others."""


@dataclass(frozen=True)
class Block:
    """Planes of one channel that are read, fitted and written together: the unit of work."""

    c: int
    """Channel."""
    t: range
    """Time points."""
    z: range
    """Depths."""

    @property
    def positions(self) -> tuple[tuple[int, int], ...]:
        """All (t, z) of the block, in the order in which its planes are stacked."""
        return tuple((t, z) for t in self.t for z in self.z)


@dataclass(frozen=True)
class TargetSpec:
    """Layout of a result image, fixed before its first plane is computed."""

    uri: str
    """Path or URI of the image group."""
    zarr_format: Literal[2, 3]
    """2 writes OME-Zarr 0.4, 3 writes 0.5."""
    name: str
    """Image name."""
    axes: tuple[Axis, ...]
    """Axes, in the order of the source."""
    levels: tuple[Level, ...]
    """Resolution levels, full first; paths ``0``, ``1``, ..."""
    dtype: str
    """Numpy name of the pixel type."""
    chunk: tuple[int, ...]
    """Chunk shape of level 0 along ``axes``."""
    shard: tuple[int, ...] | None
    """Shard shape of level 0 along ``axes``; ``None`` for no sharding (always in Zarr 2)."""
    block_t: int
    """Time points in a block."""
    block_z: int
    """Depths in a block."""
    channels: tuple[ChannelDisplay, ...]
    """Display settings of the channels."""
    uncertainty: bool = False
    """Whether the spread over several starts is written beside the record."""
    checksums: bool = True
    """Whether checksums of all that is stored are kept; ``False`` for results begun before there were any."""

    def size(self, axis: str) -> int:
        """Return the full-resolution size along a named axis, 1 where there is none."""
        return _size_along(axis, self.axes, self.levels[0].shape)


@dataclass(frozen=True)
class ChannelPlan:
    """What is to be done with one channel of an image."""

    metadata: ChannelMetadata
    """What is known of it."""
    match: Match | None
    """Transferred configuration; ``None`` where the channel is copied."""
    reason: str | None
    """Why it is copied; ``None`` where it is denoised."""
    planes: int
    """Planes to be denoised."""
    relative_cost: float
    """Cost of all its planes; 1.0 is one 512x512 plane with the original prior (5/128/4/1800)."""
    warnings: tuple[str, ...] = ()
    """What a person should look at, in words."""

    @property
    def plane_cost(self) -> float:
        """Relative cost of one of its planes."""
        return self.relative_cost / max(self.planes, 1)


Action = Literal["create", "continue", "keep", "repair", "redo", "leave", "refuse"]
"""What is done about the result of an image.

``create`` it; ``continue`` a half; ``keep`` what is complete; ``repair`` what is damaged in a complete one,
as asked; ``redo`` it afresh, as asked; ``leave`` it although its source has changed since; ``refuse`` to
touch what was made otherwise.
"""


@dataclass(frozen=True)
class Decision:
    """What is done about the result of an image, after what an earlier run has left."""

    action: Action
    """What is done."""
    reasons: tuple[str, ...] = ()
    """What has changed or differs, in words."""

    @property
    def is_work(self) -> bool:
        """Whether planes are to be denoised."""
        return self.action in {"create", "continue", "repair", "redo"}


@dataclass(frozen=True)
class ImagePlan:
    """What is to be done with one image."""

    header: Header
    """The source."""
    channels: tuple[ChannelPlan, ...]
    """One a channel, in order."""
    t: tuple[int, ...]
    """Time points to be denoised; the others are copied."""
    z: tuple[int, ...]
    """Depths to be denoised; the others are copied."""
    recipe: Recipe
    """Everything else that may change a pixel."""
    target: TargetSpec | None
    """The result; ``None`` where no destination was named."""
    plate: FieldOfPlate | None = None
    """Place in a plate, from the store or the header; ``None`` outside plates."""
    decision: Decision = Decision("create")
    """What is done about its result."""

    @property
    def planes(self) -> int:
        """Planes to be denoised."""
        return sum(channel.planes for channel in self.channels)


@dataclass(frozen=True)
class GroupTotal:
    """What one calibration group of a plan comes to."""

    group: str
    """Terms of the group joined by ``+``, or ``global``."""
    channels: int
    """Channels that take its configuration."""
    planes: int
    """Planes to be denoised with it."""
    relative_cost: float
    """Cost of these planes; 1.0 is one 512x512 plane with the original prior (5/128/4/1800)."""


@dataclass(frozen=True)
class Totals:
    """What a plan comes to: counted image by image, so that it is known of plans of any size."""

    images: int = 0
    """Images to be denoised."""
    complete: int = 0
    """Images whose result is complete, so that nothing is left to do; not among ``images``."""
    left: int = 0
    """Images whose result was made otherwise or before the source changed; not among ``images``."""
    planes: int = 0
    """Planes to be denoised; of a result that is half done, all of them."""
    bytes_in: int = 0
    """Size of the pixels that are read, uncompressed; planes that are copied are read, too."""
    bytes_out: int = 0
    """Size of the pixels that are written, uncompressed, all resolution levels; 0 without a destination."""
    groups: tuple[GroupTotal, ...] = ()
    """One a calibration group, the dearest first."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Channels and images that are not to be done, by reason up to its first semicolon, commonest first."""
    errors: int = 0
    """Images and sources that cannot be done."""

    @property
    def relative_cost(self) -> float:
        """Cost of all planes; 1.0 is one 512x512 plane with the original prior (5/128/4/1800)."""
        return sum(group.relative_cost for group in self.groups)


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do, known before it reads a pixel."""

    images: Sequence[ImagePlan]
    """All images, also those whose result is kept or left."""
    skipped: tuple[Skipped, ...]
    """Sources and channels that are not, with reasons."""
    warnings: tuple[str, ...] = ()
    """What a person should look at that is not about one image, in words."""
    totals: Totals = Totals()
    """What it all comes to."""
