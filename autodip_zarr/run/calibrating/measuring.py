"""The measuring of a calibration: fits handed out, answers kept, progress told, the budget kept to."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from autodip_zarr.errors import AutodipError
from autodip_zarr.run.calibrating.journal import Journal
from autodip_zarr.run.calibrating.measure import Failed, Unit, run_unit
from autodip_zarr.run.calibrating.plan import CalibrationPlan
from autodip_zarr.run.choices import Machine
from autodip_zarr.run.planning.speed import keep_run, known_speed
from autodip_zarr.run.scheduling.connect import connect, hand_over_credentials
from autodip_zarr.run.scheduling.dispatch import SILENCE_S, Call
from autodip_zarr.run.scheduling.schedule import CallConditions, drive
from autodip_zarr.run.scheduling.serial import drive_here


@dataclass(frozen=True)
class News:
    """How far a calibration is."""

    done: int
    """Fits that are measured, of those that were left."""
    total: int
    """Fits that were left."""
    seconds_left: float | None
    """How long the rest takes if it goes as what is done; ``None`` before that is known."""
    message: str
    """What happened, in one line."""
    is_warning: bool = False
    """Whether it must not be passed over."""


Watch = Callable[[News], None]


class Measuring:
    """The measuring of a calibration."""

    def __init__(self, machine: Machine, watch: Watch, until: float | None) -> None:
        self.machine, self.watch, self.until = machine, watch, until
        self.failed: dict[str, str] = {}
        self._fitted_s = self._expected_s = 0.0
        self.unreadable: set[str] = set()
        self._begin((), 0.0)

    def _begin(self, units: Sequence[Unit], now_s: float) -> None:
        self.done, self.total = 0, len(units)
        self.seconds_done, self.seconds_total = 0.0, sum(unit.seconds for unit in units)
        self.started = now_s

    def measure(self, plan: CalibrationPlan, journal: Journal) -> None:
        """Measure all that is left of a plan, as far as the time allows."""
        units = list(plan.left(journal))
        self._begin(units, time.monotonic())
        calls = self._calls(plan, units)
        first = next(calls, None)
        if first is None:
            return
        try:
            self._drive(plan, journal, chain([first], calls))
        finally:
            if self.machine.is_local:
                keep_run(plan.settings.device, self._fitted_s, self._expected_s)
                self._fitted_s = self._expected_s = 0.0

    def _drive(self, plan: CalibrationPlan, journal: Journal, calls: Iterator[Call]) -> None:
        take = functools.partial(self._take, plan, journal)
        if self.machine.in_process:
            drive_here(calls, take)
            return
        with connect(self.machine) as client:
            hand_over_credentials(client)
            start_limit_s = SILENCE_S if self.machine.is_local else None
            device, limit = plan.settings.device, self.machine.time_limit_s
            tell = functools.partial(self.tell, is_warning=True)
            conditions = CallConditions(device, limit, tell, start_limit_s)
            drive(client, calls, take, conditions)

    def _calls(self, plan: CalibrationPlan, units: Iterable[Unit]) -> Iterator[Call]:
        measure = functools.partial(run_unit, alone=self.machine.in_process)
        for unit in units:
            if all(pair.known.name in self.unreadable for pair in unit.pairs):
                self._count(plan, unit)
                continue
            if self.until is not None:
                unit = replace(unit, seconds=unit.seconds * self._pace(plan), until=self.until)  # noqa: PLW2901
                if time.time() + unit.seconds > self.until:
                    return  # the rest takes longer still
            alike = (unit.config, unit.pairs[0].size)
            yield Call(measure, unit, unit.seconds, alike, *plan.memory(unit))

    def _pace(self, plan: CalibrationPlan) -> float:
        """Return the time of what is done over what was expected of it."""
        known = known_speed(plan.settings.device).factor
        if self.machine.in_process and self.seconds_done:
            return (time.monotonic() - self.started) / self.seconds_done
        return known

    def _take(self, plan: CalibrationPlan, journal: Journal, call: Call, answer: object) -> Iterable[Call]:
        unit: Unit = call.argument
        if answer is None:  # no time was left
            return ()
        if not isinstance(answer, list):
            reason = str(answer) if isinstance(answer, AutodipError) else f"{type(answer).__name__}: {answer}"
            answer = [Failed(pair.known.name, reason) for pair in unit.pairs]
        for one in answer:
            if not isinstance(one, Failed):
                journal.add(one)
                self._fitted_s += max(one["seconds"])
                self._expected_s += plan.expected_fit(unit) / len(unit.pairs)
                continue
            if one.is_unreadable:
                self.unreadable.add(one.pair)
            if one.pair not in self.failed:
                self.failed[one.pair] = one.reason
                self.tell(f"{one.pair}: {one.reason}", is_warning=True)
        self._count(plan, unit)
        network = f"{unit.config.depth}/{unit.config.width}/{unit.config.skip}"
        self.tell(f"{network}, seed {unit.recipe.seed}: {', '.join(pair.known.name for pair in unit.pairs)}")
        return ()

    def _count(self, plan: CalibrationPlan, unit: Unit) -> None:
        self.done += 1
        self.seconds_done += plan.expected(unit)

    def tell(self, message: str, *, is_warning: bool = False) -> None:
        """Tell what happened, and how far it is."""
        passed = time.monotonic() - self.started
        rest = self.seconds_total - self.seconds_done
        left = passed / self.seconds_done * rest if self.seconds_done else None
        self.watch(News(self.done, self.total, left, message, is_warning))
