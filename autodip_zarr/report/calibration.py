"""Calibrations in words: what one would measure, how far it is, and what it chose."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Final, Literal

from autodip_zarr.calibration.choice import Choice
from autodip_zarr.calibration.grid import Grid
from autodip_zarr.domain import Skipped
from autodip_zarr.report.calibration_plots import group_plots
from autodip_zarr.report.tables import duration_text, table_lines
from autodip_zarr.run.calibrating.calibrate import (
    Basis,
    Prepared,
    Question,
    carry_out,
    prepare,
    settle_machine,
    usual_grid,
)
from autodip_zarr.run.calibrating.measure import Unit
from autodip_zarr.run.calibrating.measuring import News, Watch
from autodip_zarr.run.calibrating.output import Output
from autodip_zarr.run.choices import Choices, Machine
from autodip_zarr.run.planning.totals import config_name, group_name
from autodip_zarr.run.sources.named import Sources, named_sources
from autodip_zarr.shown.html import heading, page, paragraph, table, warning_list
from autodip_zarr.shown.tabular import Tabular

_MOST_GROUPS: Final = 20
"""Groups of which a page shows plots."""

_BETWEEN_S: Final = 5.0
"""Least time between two lines of progress, in seconds."""

_HEADINGS: Final = (
    *("metric", "group", "depth/width/skip/steps", "pairs", "fields", "cost", "of the best"),
    *("PSNR", "regret", "left out"),
)
_EXPLAINED: Final = (
    "Costs are relative to the original prior on 512x512 pixels. Regret: how much the best configuration of "
    "each field is better, in dB; left out: the same on a field that had no part in the choice."
)


def plan_lines(prepared: Prepared, units: Sequence[Unit], machine: Machine) -> list[str]:
    """Return what a calibration has to measure, and how long that takes."""
    plan, settings = prepared.plan, prepared.plan.settings
    grid, fields = settings.grid, {pair.known.field for pair in plan.pairs}
    networks = len(grid.depths) * len(grid.widths) * len(grid.skips)
    lines = (
        []
        if not plan.pairs
        else [
            f"pairs: {len(plan.pairs)} of {len(fields)} fields, at most {settings.crop_px} px a side",
            f"networks: {networks}; stops: {len(grid.stops)}; seeds: {len(settings.seeds)}; "
            f"preset {settings.recipe.preset}",
        ]
    )
    if prepared.earlier:
        lines.append(f"joined with: {', '.join(prepared.earlier)}")
    if not units:
        return [*lines, "nothing left to measure"]
    every = prepared.every()
    time_left = duration_text(prepared.forecast(units, machine))
    most = "at most " if prepared.question.rungs else ""
    lines.append(f"left to measure: {most}{len(units)} of {every} fits, about {time_left}")
    again = len(units) - len(prepared.without_lpips().left())
    if again:
        lines.append(f"{again} of them for LPIPS alone, which was not to be had when they were measured")
    return lines


def plan_document(prepared: Prepared, units: Sequence[Unit], machine: Machine) -> dict[str, Any]:
    """Return the same as a JSON document."""
    plan, settings = prepared.plan, prepared.plan.settings
    return {
        "pairs": [asdict(pair.known) for pair in plan.pairs],
        "grid": asdict(settings.grid),
        "seeds": list(settings.seeds),
        "preset": settings.recipe.preset,
        "fits": prepared.every(),
        "fits_left": len(units),
        "hours_left": round(prepared.forecast(units, machine) / 3600, 4),
    }


def telling(say: Callable[[str], None]) -> Callable[[News], None]:
    """Return a watcher that says what happens, a line every few seconds at most but for warnings."""
    told = [float("-inf")]

    def watch(news: News) -> None:
        if not news.total or news.is_warning:
            say(news.message)
            return
        now = time.monotonic()
        if news.done < news.total and now - told[0] < _BETWEEN_S:
            return
        told[0] = now
        left = "" if news.seconds_left is None else f", {duration_text(news.seconds_left)} left"
        say(f"{news.done}/{news.total}{left}: {news.message}")

    return watch


@dataclass(frozen=True)
class CalibrationReport(Tabular):
    """What came of a calibration; a row for each metric and group of the table."""

    chosen: tuple[Choice, ...]
    """What the table holds; empty where nothing could be chosen yet."""
    skipped: tuple[Skipped, ...]
    """What could not be used or measured, with reasons."""
    left: int
    """Fits that are still to be measured."""
    problem: str | None
    """Why nothing could be chosen."""
    table: str | None
    """Path of the table."""
    measurements: str | None
    """Path of all measurements, a dataset of xarray in Zarr."""
    basis: Basis | None = field(repr=False)
    """What was chosen from."""

    @property
    def is_whole(self) -> bool:
        """Whether all was measured, and a table is written."""
        return self.table is not None and not self.left and not self.skipped

    def lines(self) -> list[str]:
        """Return what was chosen as lines of a table, and where all of it lies."""
        lines = [*table_lines(_HEADINGS, self._cells()), "", _EXPLAINED] if self.chosen else []
        untried = max((choice.untried for choice in self.chosen), default=0)
        if untried:
            lines.append(
                f"{untried} configurations are not measured on all pairs yet, and could not be chosen."
            )
        for name, path in (("table", self.table), ("measurements", self.measurements)):
            if path is not None:
                lines.append(f"{name}: {path}")
        return lines

    def document(self) -> dict[str, Any]:
        """Return it as ``calibrate --json`` prints it."""
        return {
            "table": self.table,
            "measurements": self.measurements,
            "fits_left": self.left,
            "chosen": [{**asdict(choice), "group": dict(choice.group)} for choice in self.chosen],
        }

    def page(self) -> str:
        """Return a page with what was chosen and with plots; it is whole in itself."""
        parts = [
            warning_list(self._warnings()),
            heading("What was chosen"),
            table(_HEADINGS, self._cells()),
            paragraph(_EXPLAINED, small=True),
        ]
        names = list(dict.fromkeys(group_name(choice.group) for choice in self.chosen))
        if self.basis is not None:
            for name in names[:_MOST_GROUPS]:
                chosen = [choice for choice in self.chosen if group_name(choice.group) == name]
                parts += [heading(name), group_plots(self.basis, chosen)]
        if len(names) > _MOST_GROUPS:
            parts.append(paragraph(f"Plots of the first {_MOST_GROUPS} of {len(names)} groups."))
        return page("Calibration", parts)

    def _cells(self) -> list[list[object]]:
        return [
            [
                choice.rule,
                group_name(choice.group),
                config_name(choice.config),
                choice.pairs,
                choice.fields,
                f"{choice.cost:.3g}",
                f"{choice.best_cost:.3g}",
                f"{choice.psnr_db:.2f}",
                f"{choice.regret_db:.2f}",
                None if choice.left_out_db is None else f"{choice.left_out_db:.2f}",
            ]
            for choice in self.chosen
        ]

    _COLUMNS: ClassVar[Sequence[str]] = (
        *("metric", "group", "depth", "width", "skip", "iterations", "pairs", "fields", "cost", "best_cost"),
        *("psnr_db", "regret_db", "spread_db", "left_out_db"),
    )

    def _rows(self) -> Iterator[Sequence[object]]:
        for choice in self.chosen:
            config = choice.config
            shape = (config.depth, config.width, config.skip, config.iterations)
            numbers = (choice.psnr_db, choice.regret_db, choice.spread_db, choice.left_out_db)
            counts = (choice.pairs, choice.fields, choice.cost, choice.best_cost)
            yield [choice.rule, group_name(choice.group), *shape, *counts, *numbers]

    def _headline(self) -> str:
        return f"{len(self.chosen)} configurations chosen; {self.left} fits left; {len(self.skipped)} skipped"

    def _warnings(self) -> Iterator[str]:
        if self.problem is not None:
            yield f"no table: {self.problem}"
        yield from (f"{skip.where}: {skip.reason}" for skip in self.skipped)


def calibrate(  # noqa: PLR0913 - keywords
    pairs: Sources,
    output: str | os.PathLike[str],
    *,
    grid: Grid | None = None,
    seeds: int = 1,
    crop_px: int = 512,
    layout: str = "auto",
    choose: Literal["cheapest", "paper"] = "cheapest",
    choices: Choices | None = None,
    machine: Machine | None = None,
    hours: float | None = None,
    watch: Watch = lambda _: None,
) -> CalibrationReport:
    """Find the configurations that suit pairs of noisy and clean images, and write them as a table.

    Parameters
    ----------
    pairs : str, path, or iterable of these
        Folders with the folders ``noisy`` and ``clean``, CSV files with the columns ``noisy`` and ``clean``,
        roots of public sets, and measurements of earlier runs (``.zarr``).
    output : str or path
        Table to write, ``.json``; measurements and journal lie beside it.
    grid : Grid, optional
        Configurations that are tried; the published grid without it.
    seeds : int
        Fits of each pair.
    crop_px : int
        Largest side of the part of each plane that is used, in pixels.
    layout : str
        ``auto``, or the name of a public set: ``fmd``, ``hagen``, ``biosr``, ``w2s``, ``shah``.
    choose : str
        Rule whose entries are the default ones of the table: ``cheapest`` within one standard error of the
        best, or the sum of ranks of the ``paper``.
    choices : Choices, optional
        Preset, first seed, tiles; what is said of all pairs.
    machine : Machine, optional
        Where the work is done.
    hours : float, optional
        No fit is begun that would end later.
    watch : callable, optional
        Told how far it is.

    Returns
    -------
    CalibrationReport
        What was chosen; ``page()`` is a page with plots.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense.
    SourceError, TargetError
        If earlier measurements cannot be read, or something cannot be written.
    """
    chosen = choices or Choices()
    machine = settle_machine(machine or Machine())
    question = Question(
        named_sources(pairs),
        Output(os.fspath(output), choose, "not said"),
        usual_grid(chosen.preset) if grid is None else grid,
        seeds,
        crop_px,
        layout,
    )
    return report_of(prepare(question, replace(chosen, output=None), machine.device), machine, watch, hours)


def report_of(prepared: Prepared, machine: Machine, watch: Watch, hours: float | None) -> CalibrationReport:
    """Carry a calibration out, and return what came of it."""
    outcome = carry_out(prepared, machine, watch, hours)
    return CalibrationReport(
        tuple(outcome.chosen),
        tuple(outcome.skipped),
        outcome.left,
        outcome.problem,
        outcome.table,
        outcome.results,
        outcome.basis,
    )
