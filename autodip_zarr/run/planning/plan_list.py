"""A plan, and plans of many thousand images, kept small."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, overload

from autodip_zarr.domain import ImagePlan, Skipped, Totals
from autodip_zarr.provenance import public_uri
from autodip_zarr.run.planning.forecast import Forecast, forecast
from autodip_zarr.run.planning.speed import known_speed
from autodip_zarr.run.planning.totals import config_name, group_name
from autodip_zarr.shown.tabular import Tabular


class PlannedImages(Sequence[ImagePlan]):
    """Plans of images, each packed into a kilobyte or two until it is asked for.

    An image that is asked for twice is two equal values; nothing is kept unpacked.
    """

    def __init__(self) -> None:
        self._packed: list[bytes] = []

    def append(self, image: ImagePlan) -> None:
        """Add an image at the end."""
        content = pickle.dumps(image, protocol=pickle.HIGHEST_PROTOCOL)
        self._packed.append(zlib.compress(content, level=1))

    def __len__(self) -> int:
        return len(self._packed)

    def __iter__(self) -> Iterator[ImagePlan]:
        return map(_unpack, self._packed)

    @overload
    def __getitem__(self, index: int) -> ImagePlan: ...

    @overload
    def __getitem__(self, index: slice) -> list[ImagePlan]: ...

    def __getitem__(self, index: int | slice) -> ImagePlan | list[ImagePlan]:
        if isinstance(index, slice):
            return [_unpack(content) for content in self._packed[index]]
        return _unpack(self._packed[index])


def _unpack(content: bytes) -> ImagePlan:
    image = pickle.loads(zlib.decompress(content))  # noqa: S301 - packed by this process
    if not isinstance(image, ImagePlan):
        msg = f"packed was {type(image).__name__}"
        raise TypeError(msg)
    return image


@dataclass(frozen=True)
class Plan(Tabular):
    """Everything that a run will do, known before it reads a pixel; a row a channel that is denoised."""

    images: Sequence[ImagePlan]
    """All images, also those whose result is kept or left."""
    skipped: tuple[Skipped, ...]
    """Sources and channels that are not, with reasons."""
    warnings: tuple[str, ...] = ()
    """What a person should look at that is not about one image, in words."""
    totals: Totals = field(default_factory=Totals)
    """What it all comes to."""
    device: str = "cpu"
    """``cpu`` or a CUDA device, for which it is planned."""

    def forecast(self) -> Forecast:
        """Return how long the fits take here, as far as the speed is known; nothing is measured."""
        return forecast(self.totals, self.device, known_speed(self.device))

    _COLUMNS: ClassVar[Sequence[str]] = (
        *("source", "series", "channel", "name", "microscope", "specimen", "tier", "group"),
        *("config", "planes", "relative_cost", "action", "target"),
    )

    def _rows(self) -> Iterator[Sequence[object]]:
        for image in self.images:
            ref, target = image.header.ref, image.target
            for channel in image.channels:
                known, match = channel.metadata, channel.match
                if match is None:
                    continue
                yield (
                    public_uri(ref.source),
                    ref.series,
                    known.index,
                    known.name,
                    known.microscope,
                    known.specimen,
                    match.tier,
                    group_name(match.group),
                    config_name(match.config),
                    channel.planes,
                    channel.relative_cost,
                    image.decision.action,
                    None if target is None else public_uri(target.uri),
                )

    def _headline(self) -> str:
        totals = self.totals
        return (
            f"{totals.images} images to denoise, {totals.planes} planes, cost {totals.relative_cost:.3g}; "
            f"{totals.complete} complete, {len(self.skipped)} skipped"
        )

    def _warnings(self) -> Iterator[str]:
        yield from self.warnings
        yield from (f"{skip.where}: {skip.reason}" for skip in self.skipped if skip.is_error)
