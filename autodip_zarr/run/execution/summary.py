"""News of a run while it goes on, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autodip_zarr.domain import DipConfig, Skipped
from autodip_zarr.run.execution.image_job import ImageResult
from autodip_zarr.run.results.export import Exported


@dataclass(frozen=True)
class Progress:
    """News of a run, for those who watch."""

    planes_total: int
    """Planes that are to be denoised."""
    planes_done: int
    """Planes that are denoised."""
    planes_failed: int
    """Planes that failed."""
    share_done: float = 0.0
    """Part of the work that is behind, by the cost of the planes, from 0 to 1."""
    message: str | None = None
    """Something to tell, in one line; ``None`` where only the numbers changed."""
    event: Mapping[str, object] | None = None
    """What happened, for machines: ``event`` and what belongs to it, JSON; ``None`` where it is a message."""


@dataclass
class Pace:
    """How long fits of one configuration took in a run."""

    config: DipConfig
    """Configuration."""
    planes: int = 0
    """Planes denoised."""
    fit_seconds: float = 0.0
    """Time for which they had a device to themselves."""


@dataclass(frozen=True)
class Summary:
    """What became of a run."""

    images: tuple[ImageResult, ...]
    """One an image that was planned."""
    skipped: tuple[Skipped, ...]
    """What was skipped, with reasons."""
    planes_copied: int = 0
    """Planes copied unchanged in this run."""
    seconds: float = 0.0
    """Wall time, planning left out."""
    paces: tuple[Pace, ...] = ()
    """One a configuration that was fitted, in the order in which they came first."""

    exported: tuple[Exported, ...] = ()
    """One a result that was, or was to be, exported as OME-TIFF."""

    @property
    def is_complete(self) -> bool:
        """Whether every source and every plane was done, and every file was written."""
        if any(file.status == "failed" for file in self.exported):
            return False
        failed = any(image.status in {"failed", "partial", "changed"} for image in self.images)
        return not failed and not any(skipped.is_error for skipped in self.skipped)


Watch = Callable[[Progress], None]
"""A function that is told the news of a run."""


def ignore(news: Progress) -> None:
    """Watch a run without doing anything about it."""
