"""Calibrate: find pairs, measure what is left, choose, and write table and measurements."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from autodip_zarr.calibration import Table, load_table
from autodip_zarr.calibration.choice import CHEAPEST, PAPER, Choice, Floats, Scored, choices
from autodip_zarr.calibration.grid import Grid
from autodip_zarr.dip.presets import PRESETS
from autodip_zarr.dip.settled import MOST_TIMES
from autodip_zarr.domain import Skipped
from autodip_zarr.errors import AutodipError, OptionError, SourceError
from autodip_zarr.metadata import Terms
from autodip_zarr.metrics import Lpips
from autodip_zarr.run.calibrating.journal import Journal, open_journal
from autodip_zarr.run.calibrating.measure import Failed, Unit, run_unit
from autodip_zarr.run.calibrating.output import Output
from autodip_zarr.run.calibrating.pairs import Asked, CalibrationPair, Scales
from autodip_zarr.run.calibrating.plan import CalibrationPlan, Settings
from autodip_zarr.run.calibrating.results import dataset_of, grid_of, joined, refuse_other_recipe, scored_of
from autodip_zarr.run.calibrating.sources import calibration_pairs
from autodip_zarr.run.choices import Choices, Machine
from autodip_zarr.run.planning.planner import Planner
from autodip_zarr.run.planning.speed import known_speed
from autodip_zarr.run.scheduling.cluster_file import settle_cluster
from autodip_zarr.run.scheduling.connect import connect, hand_over_credentials
from autodip_zarr.run.scheduling.dispatch import SILENCE_S, Call
from autodip_zarr.run.scheduling.machine import settle_device, usable_cores
from autodip_zarr.run.scheduling.schedule import CallConditions, drive
from autodip_zarr.run.scheduling.serial import drive_here
from autodip_zarr.stores.datasets import read_dataset, write_dataset

if TYPE_CHECKING:
    from xarray import Dataset

_RESULTS = ".zarr"


@dataclass(frozen=True)
class Question:
    """What is to be calibrated."""

    sources: tuple[str, ...]
    """Folders, lists, and measurements of earlier runs (``.zarr``) that are joined."""
    output: Output
    """Where table and measurements go, and what the table is called."""
    grid: Grid
    """Configurations."""
    seeds: int
    """Seeds that each pair is fitted with, counted from that of the choices."""
    crop_px: int
    """Largest side of what is cut out of the planes, in pixels."""
    layout: str = "auto"
    """How sources lie on disk."""
    levels: tuple[str, ...] | None = None
    """Noise levels of a layout; ``None`` for its usual one."""
    captures: int = 1
    """Most captures of one field and level."""
    scales: Scales = "auto"
    """Whether the scales of pairs differ."""
    add: str | None = None
    """Table that is extended."""


@dataclass(frozen=True)
class Prepared:
    """A calibration before its first fit."""

    question: Question
    """What was asked for."""
    plan: CalibrationPlan
    """What has to be measured."""
    earlier: tuple[str, ...]
    """Measurements of earlier runs that are joined."""
    before: Table | None
    """Table that is extended."""

    def left(self) -> list[Unit]:
        """Return what is not measured yet, reading what an earlier run of the same output has done."""
        return list(self.plan.left(self.question.output.journal()))

    def without_lpips(self) -> Prepared:
        """Return the same without LPIPS."""
        settings = replace(self.plan.settings, with_lpips=False)
        return replace(self, plan=replace(self.plan, settings=settings))

    def forecast(self, units: Iterable[Unit], machine: Machine) -> float:
        """Return how long units take on this machine, in seconds by the clock, roughly."""
        device = self.plan.settings.device
        one = device != "cpu" or machine.in_process
        workers = 1 if one else machine.workers or usable_cores()
        return sum(unit.seconds for unit in units) * known_speed(device).factor / workers


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


@dataclass(frozen=True)
class Basis:
    """What a choice was made from."""

    scored: Scored
    """Scores of each pair with each configuration."""
    grid: Grid
    """The configurations, in the same order."""
    noise_std: Floats
    """(pair,) standard deviation of the noise over the range of each noisy plane."""


@dataclass
class Outcome:
    """What came of a calibration."""

    chosen: list[Choice] = field(default_factory=list)
    """What the table holds, a rule and a group each; empty where nothing could be chosen yet."""
    problem: str | None = None
    """Why nothing could be chosen."""
    skipped: list[Skipped] = field(default_factory=list)
    """What could not be used or measured, with reasons."""
    left: int = 0
    """Fits that are still to be measured."""
    table: str | None = None
    """Path of the table."""
    results: str | None = None
    """Path of the measurements."""
    basis: Basis | None = None
    """What was chosen from."""


Watch = Callable[[News], None]


def usual_stops(preset: str) -> str | None:
    """Return the stops of a preset where none are asked for; ``None`` for those of the published grid.

    Presets that raise and lower counts make 600 steps of every count from 150 on, so that only those up to
    there differ.
    """
    recipe = PRESETS[preset]
    if not recipe.most_iterations:
        return None
    last = recipe.most_iterations // MOST_TIMES
    return ",".join(str(count) for count in range(last // 6, last + 1, last // 6))


def settle_machine(machine: Machine) -> Machine:
    """Return a machine whose device is sure to be there, as far as this machine can tell.

    Raises
    ------
    OptionError
        It is not, or its options contradict each other.
    """
    machine = settle_cluster(machine)
    return replace(machine, device=settle_device(machine.device)) if machine.is_local else machine


def prepare(question: Question, chosen: Choices, device: str) -> Prepared:
    """Find the pairs and everything else that is known before the first fit; reads no plane but PNGs.

    Raises
    ------
    OptionError, TableError
        If the question or the choices make no sense.
    """
    planner = Planner.prepare(chosen, device)
    recipe = planner.recipe
    if not recipe.starts or recipe.stop == "auto" or recipe.sequence is not None:
        raise OptionError("--preset", recipe.preset, "one that fits, as reference or standard")
    before = None if question.add is None else load_table(question.add)
    calibrated = planner.tables[0].entries if before is None else before.entries
    groups = frozenset((name, term) for entry in calibrated for name, term in entry.group.items())
    terms = Terms(planner.knowledge.vocabulary, groups)
    asked = Asked(question.layout, question.levels, question.captures, question.scales, terms)
    earlier = tuple(one for one in question.sources if one.rstrip("/").endswith(_RESULTS))
    pairs: dict[str, CalibrationPair] = {}
    skipped: list[Skipped] = []
    for source in question.sources:
        if source in earlier:
            continue
        for item in calibration_pairs(source, asked, planner.knowledge):
            if isinstance(item, Skipped):
                skipped.append(item)
            elif item.known.name in pairs:
                skipped.append(Skipped(item.known.name, "has the name of another pair", is_error=True))
            else:
                pairs[item.known.name] = item
    seeds = tuple(range(recipe.seed, recipe.seed + question.seeds))
    settings = Settings(question.grid, seeds, recipe, question.crop_px, planner.device)
    plan = CalibrationPlan(settings, tuple(pairs.values()), tuple(skipped))
    return Prepared(question, plan, earlier, before)


def carry_out(prepared: Prepared, machine: Machine, watch: Watch, hours: float | None = None) -> Outcome:
    """Measure what is left, as far as the time allows, choose, and write.

    Whatever ends it, a kill too, what was measured is kept, and the same call goes on where it stopped.

    Raises
    ------
    OptionError
        If there is nothing to choose from.
    SourceError, TargetError
        If earlier measurements cannot be read, or something cannot be written.
    KeyboardInterrupt
        Once what was measured is written.
    """
    if prepared.left():
        prepared = _with_lpips_if_any(prepared, watch)
    run = _Run(prepared, machine, watch, None if hours is None else time.time() + 3600 * hours)
    with open_journal(prepared.question.output.journal_path) as journal:
        interrupted: KeyboardInterrupt | None = None
        try:
            run.measure(journal)
        except KeyboardInterrupt as error:
            interrupted = error
        outcome = run.write(journal)
        if interrupted is not None:
            raise interrupted
    return outcome


def _with_lpips_if_any(prepared: Prepared, watch: Watch) -> Prepared:
    """Go on without LPIPS where its weights are not to be had, and say so.

    Raises
    ------
    OptionError
        The rule that was chosen needs it.
    """
    try:
        Lpips.load()
    except SourceError as error:
        if prepared.question.output.rule == PAPER:
            hint = "choose cheapest, or get the weights as docs/how-to/evaluate.md says"
            raise OptionError("--choose paper", f"no LPIPS: {error}", "LPIPS", hint) from error
        watch(News(0, 0, None, f"warning: no LPIPS: {error}"))
        return prepared.without_lpips()
    return prepared


class _Run:
    """The measuring of a calibration."""

    def __init__(self, prepared: Prepared, machine: Machine, watch: Watch, until: float | None) -> None:
        self.prepared, self.machine, self.watch = prepared, machine, watch
        self.until = until
        self.plan = prepared.plan
        self.failed: dict[str, str] = {}
        self.unreadable: set[str] = set()
        self.done = self.total = 0
        self.seconds_total = self.seconds_done = 0.0
        self.started = time.monotonic()

    def measure(self, journal: Journal) -> None:
        """Measure all that is left."""
        units = list(self.plan.left(journal))
        self.total, self.seconds_total = len(units), sum(unit.seconds for unit in units)
        calls = self._calls(units)
        first = next(calls, None)
        if first is None:
            return
        take = functools.partial(self._take, journal)
        if self.machine.in_process:
            drive_here(chain([first], calls), take)
            return
        with connect(self.machine) as client:
            hand_over_credentials(client)
            start_limit_s = SILENCE_S if self.machine.is_local else None
            device, limit = self.plan.settings.device, self.machine.time_limit_s
            tell = functools.partial(self._tell, is_warning=True)
            conditions = CallConditions(device, limit, tell, start_limit_s)
            drive(client, chain([first], calls), take, conditions)

    def _calls(self, units: Iterable[Unit]) -> Iterator[Call]:
        measure = functools.partial(run_unit, alone=self.machine.in_process)
        for unit in units:
            if all(pair.known.name in self.unreadable for pair in unit.pairs):
                self._count(unit)
                continue
            if self.until is not None:
                unit = replace(unit, seconds=unit.seconds * self._pace(), until=self.until)  # noqa: PLW2901
                if time.time() + unit.seconds > self.until:
                    return  # the rest takes longer still
            alike = (unit.config, unit.pairs[0].size)
            yield Call(measure, unit, unit.seconds, alike, *self.plan.memory(unit))

    def _pace(self) -> float:
        """Return the time of what is done over what was expected of it."""
        known = known_speed(self.plan.settings.device).factor
        if self.machine.in_process and self.seconds_done:
            return (time.monotonic() - self.started) / self.seconds_done
        return known

    def _take(self, journal: Journal, call: Call, answer: object) -> Iterable[Call]:
        unit: Unit = call.argument
        if answer is None:  # no time was left
            return ()
        if not isinstance(answer, list):
            reason = str(answer) if isinstance(answer, AutodipError) else f"{type(answer).__name__}: {answer}"
            answer = [Failed(pair.known.name, reason) for pair in unit.pairs]
        for one in answer:
            if not isinstance(one, Failed):
                journal.add(one)
                continue
            if one.is_unreadable:
                self.unreadable.add(one.pair)
            if one.pair not in self.failed:
                self.failed[one.pair] = one.reason
                self._tell(f"{one.pair}: {one.reason}", is_warning=True)
        self._count(unit)
        network = f"{unit.config.depth}/{unit.config.width}/{unit.config.skip}"
        self._tell(f"{network}, seed {unit.recipe.seed}: {', '.join(pair.known.name for pair in unit.pairs)}")
        return ()

    def _count(self, unit: Unit) -> None:
        self.done += 1
        self.seconds_done += self.plan.expected(unit)

    def _tell(self, message: str, *, is_warning: bool = False) -> None:
        passed = time.monotonic() - self.started
        rest = self.seconds_total - self.seconds_done
        left = passed / self.seconds_done * rest if self.seconds_done else None
        self.watch(News(self.done, self.total, left, message, is_warning))

    def write(self, journal: Journal) -> Outcome:
        """Write measurements and table, as far as there is something to choose from."""
        question, settings = self.prepared.question, self.plan.settings
        outcome = Outcome(skipped=[*self.plan.skipped, *_lost(self.failed)])
        outcome.left = sum(1 for _ in self.plan.left(journal))
        dataset = self._dataset(journal)
        if dataset is None:
            outcome.problem = "nothing was measured"
            return outcome
        outcome.results = question.output.results_path
        write_dataset(dataset, outcome.results)
        scored = scored_of(dataset, settings.recipe)
        outcome.basis = Basis(scored, grid_of(dataset), dataset["noise_std"].to_numpy())
        rules = (CHEAPEST, PAPER) if scored.has_lpips else (CHEAPEST,)
        if question.output.rule not in rules:
            rules = (*rules, question.output.rule)  # which says what is missing
        try:
            outcome.chosen = choices(scored, rules)
        except OptionError as error:
            outcome.problem = str(error)
            return outcome
        outcome.table = question.output.write(outcome.chosen, dataset, settings, self.prepared.before)
        return outcome

    def _dataset(self, journal: Journal) -> Dataset | None:
        records = self.plan.measured(journal)
        found = [dataset_of(records, self.plan.settings)] if records else []
        earlier = [read_dataset(path) for path in self.prepared.earlier]
        for dataset in earlier:
            refuse_other_recipe(dataset, self.plan.settings.recipe)
        found += earlier
        return functools.reduce(joined, found) if found else None


def _lost(failed: dict[str, str]) -> list[Skipped]:
    return [Skipped(name, reason, is_error=True) for name, reason in failed.items()]
