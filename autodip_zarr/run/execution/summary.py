"""News of a run while it goes on, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from autodip_zarr.domain import DipConfig, Skipped
from autodip_zarr.provenance import public_uri
from autodip_zarr.run.execution.image_job import ImageResult
from autodip_zarr.run.results.export import Exported
from autodip_zarr.shown.tabular import Tabular

UNDONE: Final = frozenset({"failed", "partial", "changed"})
"""What becomes of an image that is not done."""


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

    def show_on(self, bar: Any) -> None:  # noqa: ANN401 - of any library
        """Move a bar with the attributes ``total`` and ``n`` and a ``refresh()``, such as one of tqdm."""
        bar.total, bar.n = self.planes_total, self.planes_done + self.planes_failed
        bar.refresh()


@dataclass
class Pace:
    """How long fits of one configuration took in a run."""

    config: DipConfig
    """Configuration."""
    planes: int = 0
    """Planes denoised."""
    fit_seconds: float = 0.0
    """Time for which they had a device to themselves."""
    expected_seconds: float = 0.0
    """The same as it was estimated."""


@dataclass(frozen=True)
class Summary(Tabular):
    """What became of a run; a row an image."""

    images: tuple[ImageResult, ...]
    """One an image that was planned."""
    skipped: tuple[Skipped, ...]
    """What was skipped, with reasons."""
    planes_copied: int = 0
    """Planes copied unchanged in this run."""
    planes_empty: int = 0
    """Planes of which the source holds nothing, and which were left so in this run."""
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
        failed = any(image.status in UNDONE for image in self.images)
        return not failed and not any(skipped.is_error for skipped in self.skipped)

    def in_one_line(self) -> str:
        """Say what became of the images and planes."""
        if self.images and all(image.status == "unchanged" for image in self.images):
            return f"nothing to do: all {len(self.images)} results are complete"
        counts = Counter(image.status for image in self.images)
        shown = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "none"
        planes = sum(image.planes_done for image in self.images)
        failed = sum(image.planes_failed for image in self.images)
        return f"images: {shown}; planes denoised: {planes}, failed: {failed}"

    _COLUMNS: ClassVar[Sequence[str]] = (
        *("source", "series", "target", "status", "planes_done", "planes_failed", "seconds", "messages"),
    )

    def _rows(self) -> Iterator[Sequence[object]]:
        for image in self.images:
            yield (
                public_uri(image.source),
                image.series,
                public_uri(image.target),
                image.status,
                image.planes_done,
                image.planes_failed,
                image.seconds,
                image.messages,
            )

    def _headline(self) -> str:
        return self.in_one_line()

    def _warnings(self) -> Iterator[str]:
        yield from (f"{skip.where}: {skip.reason}" for skip in self.skipped if skip.is_error)


Watch = Callable[[Progress], None]
"""A function that is told the news of a run."""


def ignore(news: Progress) -> None:
    """Watch a run without doing anything about it."""
