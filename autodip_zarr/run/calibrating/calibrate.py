"""Calibrate: find pairs, measure what is left, choose, and write table and measurements."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autodip_zarr.calibration import Table, load_table
from autodip_zarr.calibration.choice import CHEAPEST, PAPER, Choice, Floats, Scored, choices
from autodip_zarr.calibration.grid import Grid
from autodip_zarr.dip.presets import PRESETS
from autodip_zarr.dip.settled import MOST_TIMES
from autodip_zarr.domain import Skipped
from autodip_zarr.errors import OptionError, SourceError
from autodip_zarr.metadata import Terms
from autodip_zarr.metrics import Lpips
from autodip_zarr.run.calibrating.journal import Journal, open_journal
from autodip_zarr.run.calibrating.measure import Unit
from autodip_zarr.run.calibrating.measuring import Measuring, News, Watch
from autodip_zarr.run.calibrating.output import Output
from autodip_zarr.run.calibrating.pairs import Asked, CalibrationPair, Scales
from autodip_zarr.run.calibrating.plan import CalibrationPlan, Settings
from autodip_zarr.run.calibrating.results import dataset_of, grid_of, joined, refuse_other_recipe, scored_of
from autodip_zarr.run.calibrating.rungs import Climb
from autodip_zarr.run.calibrating.sources import calibration_pairs
from autodip_zarr.run.choices import Choices, Machine
from autodip_zarr.run.planning.planner import Planner
from autodip_zarr.run.planning.speed import known_speed
from autodip_zarr.run.scheduling.cluster_file import settle_cluster
from autodip_zarr.run.scheduling.machine import settle_device, usable_cores
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
    rungs: tuple[int, ...] = ()
    """Largest sides of rungs of growing crops, the last of which is ``crop_px``; none for one rung."""
    complete: int = 2
    """Pairs, of different fields, that are measured with all networks on every rung."""


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
        """Return what is not measured yet, reading what an earlier run of the same output has done.

        Of several rungs that is the most that there may be, if none of them drops a network.
        """
        journal = self.question.output.journal()
        climb = Climb(self.plan, self.question.rungs, self.question.complete)
        return [unit for plan in climb.plans() for unit in plan.left(journal)]

    def every(self) -> int:
        """Return how many fits there are, measured or not."""
        climb = Climb(self.plan, self.question.rungs, self.question.complete)
        return sum(1 for plan in climb.plans() for _ in plan.units())

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


def usual_grid(preset: str) -> Grid:
    """Return the grid of a preset where nothing else is asked for: the published one, with stops that differ.

    Presets that raise and lower counts make as many steps of all counts beyond a quarter of the most.
    """
    recipe = PRESETS[preset]
    if not recipe.most_iterations:
        return Grid()
    last = recipe.most_iterations // MOST_TIMES
    return replace(Grid(), stops=tuple(range(last // 6, last + 1, last // 6)))


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
    measuring = Measuring(machine, watch, None if hours is None else time.time() + 3600 * hours)
    climb = Climb(prepared.plan, prepared.question.rungs, prepared.question.complete)
    with open_journal(prepared.question.output.journal_path) as journal:
        interrupted: KeyboardInterrupt | None = None
        try:
            climb.measure(measuring, journal)
        except KeyboardInterrupt as error:
            interrupted = error
        # read anew: an interruption may have come between the disk and what is known of it here
        outcome = _write(prepared, climb, measuring.failed, prepared.question.output.journal())
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


def _write(prepared: Prepared, climb: Climb, failed: dict[str, str], journal: Journal) -> Outcome:
    """Write measurements and table, as far as there is something to choose from."""
    plan, question, settings = climb.plan, prepared.question, climb.plan.settings
    outcome = Outcome(skipped=[*plan.skipped, *_lost(failed)])
    outcome.left = climb.left(journal)
    dataset = _dataset(prepared, plan, journal)
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
    outcome.table = question.output.write(outcome.chosen, dataset, settings, prepared.before)
    return outcome


def _dataset(prepared: Prepared, plan: CalibrationPlan, journal: Journal) -> Dataset | None:
    records = plan.measured(journal)
    found = [dataset_of(records, plan.settings)] if records else []
    earlier = [read_dataset(path) for path in prepared.earlier]
    for dataset in earlier:
        refuse_other_recipe(dataset, plan.settings.recipe)
    found += earlier
    return functools.reduce(joined, found) if found else None


def _lost(failed: dict[str, str]) -> list[Skipped]:
    return [Skipped(name, reason, is_error=True) for name, reason in failed.items()]
