"""What a run will do, image by image, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from autodip_zarr.domain.acquisition import ChannelMetadata
from autodip_zarr.domain.method import Match, Recipe
from autodip_zarr.domain.result import TargetSpec
from autodip_zarr.domain.source import FieldOfPlate, Header


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
    core_seconds: float = 0.0
    """Time of the fits of all its planes as estimated, on one core or card, in seconds."""

    @property
    def plane_cost(self) -> float:
        """Relative cost of one of its planes."""
        return self.relative_cost / max(self.planes, 1)


Action = Literal["create", "continue", "keep", "repair", "redo", "leave", "refuse"]
"""What is done about the result of an image.

``create`` it; ``continue`` a half; ``keep`` what is complete; ``repair`` what is damaged in a complete one,
as asked; ``redo`` it from the start, as asked; ``leave`` it although its source has changed since; ``refuse``
to touch what was made differently.
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
    warnings: tuple[str, ...] = ()
    """What is odd about the image itself, in words; that about its channels stands with them."""

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
    """Images whose result was made differently or before the source changed; not among ``images``."""
    planes: int = 0
    """Planes to be denoised; of a result that is half done, all of them."""
    bytes_in: int = 0
    """Size of the pixels that are read, uncompressed; planes that are copied are read, too."""
    bytes_out: int = 0
    """Size of the pixels that are written, uncompressed, all resolution levels; 0 without a destination."""
    groups: tuple[GroupTotal, ...] = ()
    """One a calibration group, the most costly first."""
    tiers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By tier, best first: channels that are matched at it, and images with such a channel."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Channels and images that are not to be done, by reason up to its first semicolon, commonest first."""
    errors: int = 0
    """Images and sources that cannot be done."""
    core_seconds: float = 0.0
    """Time of all fits as estimated, on one core or card of the machine of the estimate, in seconds."""

    @property
    def relative_cost(self) -> float:
        """Cost of all planes; 1.0 is one 512x512 plane with the original prior (5/128/4/1800)."""
        return sum(group.relative_cost for group in self.groups)
