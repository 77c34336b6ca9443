"""What the metadata of an image is understood to say, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass

from autodip_zarr.domain.source import FieldOfPlate


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
