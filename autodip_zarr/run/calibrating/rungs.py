"""Rungs of growing crops: all networks on the smallest, and at each further one those that did well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autodip_zarr.calibration.choice import Floats
from autodip_zarr.calibration.rungs import LEAST_TAU, agreement, is_worth, survivors
from autodip_zarr.domain import DipConfig
from autodip_zarr.run.calibrating.journal import Journal
from autodip_zarr.run.calibrating.measuring import Measuring
from autodip_zarr.run.calibrating.pairs import CalibrationPair
from autodip_zarr.run.calibrating.plan import CalibrationPlan

_NARROW = 64
"""Widest network that is tried on all pairs without having shown that it is worth its cost."""


class Climb:
    """From rung to rung.

    Parameters
    ----------
    plan : CalibrationPlan
        All pairs and networks, at the last rung.
    rungs : sequence of int
        Largest sides of crops in pixels, ascending; none for the one rung of the plan.
    complete : int
        Pairs, of different fields, that are measured with all networks on every rung.
    """

    def __init__(self, plan: CalibrationPlan, rungs: Sequence[int], complete: int) -> None:
        self.plan = plan
        """What the last rung measures, with the networks that are left."""
        self._whole = plan
        self._is_done = False
        self._rungs = tuple(rungs) or (plan.settings.crop_px,)
        self._complete = _of_different_fields(plan.pairs, complete)

    def plans(self) -> list[CalibrationPlan]:
        """Return what every rung measures if none drops a network."""
        return [self._at(crop_px) for crop_px in self._rungs]

    def _at(self, crop_px: int) -> CalibrationPlan:
        settings = self._whole.settings
        seeds = settings.seeds if crop_px == self._rungs[-1] else settings.seeds[:1]
        return replace(self._whole, settings=replace(settings, crop_px=crop_px, seeds=seeds))

    def measure(self, measuring: Measuring, journal: Journal) -> None:
        """Measure rung after rung, as far as the time allows; say how far they agree, and what is dropped."""
        if len(self._rungs) == 1:
            measuring.measure(self.plan, journal)
            self._is_done = True
            return
        every = self._worth_their_width(measuring, journal)
        before: CalibrationPlan | None = None
        for crop_px in self._rungs:
            plan = replace(self._at(crop_px), networks=frozenset(every))
            if before is not None:
                measuring.measure(replace(plan, pairs=self._complete), journal)
                kept = self._kept(before, plan, measuring, journal)
                plan = replace(plan, networks=frozenset(kept))
            self.plan = plan
            measuring.measure(plan, journal)
            before = replace(plan, pairs=_readable(plan.pairs, measuring))
            if any(_readable(unit.pairs, measuring) for unit in before.left(journal)):
                return  # there was no time for all of it
        self._is_done = True

    def left(self, journal: Journal) -> int:
        """Return how many fits are left; as long as the last rung is not reached, at most."""
        plans = [self.plan] if self._is_done else self.plans()
        return sum(1 for plan in plans for _ in plan.left(journal))

    def _worth_their_width(self, measuring: Measuring, journal: Journal) -> list[DipConfig]:
        """Return the networks without those that are wider than 64 for nothing, on the smallest crops."""
        networks = list(self._whole.settings.grid.networks())
        wide = sorted({one.width for one in networks if isinstance(one.width, int) and one.width > _NARROW})
        kept = [one for one in networks if one.width not in wide]
        if not kept:
            return networks
        for width in wide:
            more = [one for one in networks if one.width == width]
            plan = replace(self._at(self._rungs[0]), pairs=self._complete)
            plan = replace(plan, settings=replace(plan.settings, seeds=self._whole.settings.seeds))
            measuring.measure(replace(plan, networks=frozenset([*kept, *more])), journal)
            narrow, wider = (_best(plan, journal, some) for some in (kept, more))
            if narrow is None or wider is None or not is_worth(narrow, wider):
                measuring.tell(
                    f"networks of {width} channels and more are not worth their cost", is_warning=True
                )
                break
            kept += more
        return kept

    def _kept(
        self, before: CalibrationPlan, after: CalibrationPlan, measuring: Measuring, journal: Journal
    ) -> list[DipConfig]:
        """Return the networks that go on from one rung to the next, and say why."""
        networks = sorted(before.networks or (), key=list(self._whole.settings.grid.networks()).index)
        complete = [replace(plan, pairs=self._complete) for plan in (before, after)]
        lower, higher = (_levels(plan, journal, networks) for plan in complete)
        of_all = _levels(before, journal, networks)
        names = f"rungs of {before.settings.crop_px} and {after.settings.crop_px} px"
        if lower is None or higher is None or of_all is None:
            measuring.tell(f"{names} are not measured yet as far as to be compared", is_warning=True)
            return networks
        found = agreement(lower, higher)
        kept = [networks[index] for index in survivors(of_all)] if found.suffices else networks
        says = f"Kendall's tau {found.tau:.2f}, regret {found.regret_db:.2f} dB on {found.pairs} pairs"
        follows = f"{len(kept)} of {len(networks)} networks go on"
        if not found.suffices:
            follows = f"below {LEAST_TAU} nothing is dropped"
        measuring.tell(f"{names}: {says}; {follows}", is_warning=True)
        return kept


def _readable(pairs: Sequence[CalibrationPair], measuring: Measuring) -> tuple[CalibrationPair, ...]:
    """Return the pairs that could be read and fitted so far."""
    return tuple(pair for pair in pairs if pair.known.name not in measuring.failed)


def _of_different_fields(pairs: Sequence[CalibrationPair], count: int) -> tuple[CalibrationPair, ...]:
    """Return the first pair of each of the first fields."""
    first: dict[str, CalibrationPair] = {}
    for pair in pairs:
        first.setdefault(pair.known.field, pair)
    return tuple(first.values())[:count]


def _by_seed(
    plan: CalibrationPlan, journal: Journal, networks: Sequence[DipConfig]
) -> dict[tuple[str, int], list[float]]:
    """Return the PSNR at the best stop for each pair and seed, of each network; NaN where there is none."""
    records = {
        (record["pair"]["name"], record["seed"], *record["network"]): max(record["psnr"]["preset"])
        for record in replace(plan, networks=frozenset(networks)).measured(journal)
    }
    return {
        (pair.known.name, seed): [
            records.get((pair.known.name, seed, one.depth, one.width, one.skip), float("nan"))
            for one in networks
        ]
        for pair in plan.pairs
        for seed in plan.settings.seeds
    }


def _levels(plan: CalibrationPlan, journal: Journal, networks: Sequence[DipConfig]) -> Floats | None:
    """Return (pair, network) PSNR in dB with the first seed; ``None`` where some are not measured."""
    found = _by_seed(plan, journal, networks)
    values = np.array([found[pair.known.name, plan.settings.seeds[0]] for pair in plan.pairs])
    return values if values.size and np.isfinite(values).all() else None


def _best(plan: CalibrationPlan, journal: Journal, networks: Sequence[DipConfig]) -> Floats | None:
    """Return (pair, seed) PSNR in dB of the network that is best on average; ``None`` if some are missing."""
    found = _by_seed(plan, journal, networks)
    values = np.array([[found[pair.known.name, seed] for seed in plan.settings.seeds] for pair in plan.pairs])
    if not values.size or not np.isfinite(values).all():
        return None
    best: Floats = values[:, :, int(np.argmax(values.mean(axis=(0, 1))))]
    return best
