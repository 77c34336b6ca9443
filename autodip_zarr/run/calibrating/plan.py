"""What a calibration has to measure, and how long that takes: known before it starts, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from autodip_zarr.calibration.grid import Grid
from autodip_zarr.dip.architecture import Architecture
from autodip_zarr.dip.estimate import estimate
from autodip_zarr.dip.settled import settle
from autodip_zarr.domain import DipConfig, Recipe, Skipped
from autodip_zarr.run.calibrating.journal import Journal
from autodip_zarr.run.calibrating.measure import Record, Unit
from autodip_zarr.run.calibrating.pairs import CalibrationPair

_PIXEL_SECONDS = {False: 6e-7, True: 3e-6}
"""Time that the scores of one image take for one pixel on one core, without and with LPIPS, roughly."""

_OUTPUTS = 3
_AT_ONCE = 8
"""Pairs that a card fits in one call."""


@dataclass(frozen=True)
class Settings:
    """What is tried, and how."""

    grid: Grid
    """Configurations."""
    seeds: tuple[int, ...]
    """Seeds that each pair is fitted with."""
    recipe: Recipe
    """Everything else that may change a pixel."""
    crop_px: int
    """Largest side of what is cut out of the planes."""
    device: str
    """``cpu`` or a CUDA device."""
    with_lpips: bool = True
    """Whether LPIPS is measured; what was measured without it is then left to be measured."""


@dataclass(frozen=True)
class CalibrationPlan:
    """What has to be measured, cheapest networks first, so that whatever time there is suffices for some."""

    settings: Settings
    """What is tried, and how."""
    pairs: tuple[CalibrationPair, ...]
    """Pairs that can be read."""
    skipped: tuple[Skipped, ...]
    """What cannot be used, with reasons."""
    networks: frozenset[DipConfig] | None = None
    """Networks of the grid that are left; ``None`` for all."""

    def units(self) -> Iterator[Unit]:
        """Yield all that there is to measure, for one pair at a time; on a card for several."""
        settings = self.settings
        at_once = _AT_ONCE if settings.device.startswith("cuda") else 1
        sizes = [list(alike) for _, alike in groupby(sorted(self.pairs, key=self._size), key=self._size)]
        networks = (one for one in settings.grid.networks() if self.networks is None or one in self.networks)
        for config in sorted(networks, key=self._cost):
            for seed in settings.seeds:
                recipe = replace(settings.recipe, seed=seed)
                for alike in sizes:
                    for first in range(0, len(alike), at_once):
                        yield self._unit(tuple(alike[first : first + at_once]), config, recipe)

    def left(self, journal: Journal) -> Iterator[Unit]:
        """Yield what is not measured yet; stops of a fit that are go along with those that are not."""
        for unit in self.units():
            known = [journal.records.get(key) for key in unit.record_keys()]
            asked = set(unit.stops)
            if all(record is not None and self._suffices(record, asked) for record in known):
                continue
            stops = asked.union(*(record["stops"] for record in known if record is not None))
            yield replace(unit, stops=tuple(sorted(stops)))

    def _suffices(self, record: Record, stops: set[int]) -> bool:
        return stops <= set(record["stops"]) and (record["with_lpips"] or not self.settings.with_lpips)

    def measured(self, journal: Journal) -> list[Record]:
        """Return what is measured of all that is asked for."""
        found = (journal.records.get(key) for unit in self.units() for key in unit.record_keys())
        return [_only(record, self.settings.grid.stops) for record in found if record is not None]

    def expected(self, unit: Unit) -> float:
        """Return how long a unit takes on a machine as estimates assume, in seconds."""
        return len(unit.pairs) * self._seconds(unit.config, self._size(unit.pairs[0]))

    def memory(self, unit: Unit) -> tuple[int, int]:
        """Return the memory that a unit takes on a worker, in bytes: all the time, and while it fits."""
        size = self._size(unit.pairs[0])
        fit = estimate(unit.config, unit.recipe, size, unit.device)
        kept = 2 * len(unit.stops) * max(1, settle(unit.config, unit.recipe, size).looks // 2)
        images = (
            len(unit.pairs) * size[0] * size[1] * (kept * fit.starts * 4 + len(unit.stops) * _OUTPUTS * 8)
        )
        return len(unit.pairs) * fit.plane_bytes, fit.network_bytes + images

    def _unit(self, pairs: tuple[CalibrationPair, ...], config: DipConfig, recipe: Recipe) -> Unit:
        settings = self.settings
        unit = Unit(
            pairs, config, recipe, settings.grid.stops, settings.crop_px, settings.device, settings.with_lpips
        )
        return replace(unit, seconds=self.expected(unit))

    def _size(self, pair: CalibrationPair) -> tuple[int, int]:
        height, width = (min(side, self.settings.crop_px) for side in pair.size)
        return height, width

    def expected_fit(self, unit: Unit) -> float:
        """Return how long the fits of a unit take alone, as estimated, in seconds."""
        return len(unit.pairs) * self._fit_seconds(unit.config, self._size(unit.pairs[0]))

    def _seconds(self, config: DipConfig, size: tuple[int, int]) -> float:
        settings = self.settings
        images = len(settings.grid.stops) * _OUTPUTS
        scores = images * size[0] * size[1] * _PIXEL_SECONDS[settings.with_lpips]
        return self._fit_seconds(config, size) + scores

    def _fit_seconds(self, config: DipConfig, size: tuple[int, int]) -> float:
        longest = self._longest(config, size)
        padded = Architecture.of(config).padded_shape(size)  # deep networks pad small crops
        return estimate(longest, self.settings.recipe, padded, self.settings.device).seconds()

    def _longest(self, config: DipConfig, size: tuple[int, int]) -> DipConfig:
        """Return a network with the stop that takes the most steps."""
        stops = (replace(config, iterations=stop) for stop in self.settings.grid.stops)
        return max(stops, key=lambda one: settle(one, self.settings.recipe, size).steps)

    def _cost(self, config: DipConfig) -> float:
        return self._seconds(config, (self.settings.crop_px, self.settings.crop_px))


def _only(record: Record, stops: Sequence[int]) -> Record:
    """Return a record with those of its stops that are asked for."""
    kept = [index for index, stop in enumerate(record["stops"]) if stop in stops]

    def some(values: Sequence[float]) -> list[float]:
        return [values[index] for index in kept]

    changed = {name: some(record[name]) for name in ("stops", "steps", "seconds")}
    scores = {
        name: {output: some(values) for output, values in value.items()}
        for name, value in record.items()
        if isinstance(value, dict) and name not in ("pair", "about")
    }
    return {**record, **changed, **scores}
