"""Calibrations in words: what one would measure, how far it is, and what it chose."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from autodip_zarr.calibration.choice import Choice
from autodip_zarr.report.tables import duration_text, table_lines
from autodip_zarr.run.calibrating.calibrate import Outcome, Prepared
from autodip_zarr.run.calibrating.measure import Unit
from autodip_zarr.run.calibrating.measuring import News
from autodip_zarr.run.choices import Machine
from autodip_zarr.run.planning.totals import config_name, group_name

_BETWEEN_S: Final = 5.0
"""Least time between two lines of progress, in seconds."""

CHOICE_COLUMNS: Final = (
    *("metric", "group", "depth/width/skip/steps", "pairs", "fields", "cost", "of the best"),
    *("PSNR", "regret", "left out"),
)
EXPLAINED: Final = (
    "Costs are relative to the original prior on 512x512 pixels. Regret: how much the best configuration of "
    "each field is better, in dB; left out: the same on a field that had no part in the choice."
)


def plan_lines(prepared: Prepared, units: Sequence[Unit], machine: Machine) -> list[str]:
    """Return what a calibration has to measure, and how long that takes."""
    plan, settings = prepared.plan, prepared.plan.settings
    grid, fields = settings.grid, {pair.known.field for pair in plan.pairs}
    networks = len(grid.depths) * len(grid.widths) * len(grid.skips)
    lines = [
        f"pairs: {len(plan.pairs)} of {len(fields)} fields, at most {settings.crop_px} px a side",
        f"networks: {networks}; stops: {len(grid.stops)}; seeds: {len(settings.seeds)}; "
        f"preset {settings.recipe.preset}",
    ]
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


def choice_rows(outcome: Outcome) -> list[list[object]]:
    """Return what a calibration chose, as cells of a table."""
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
            "-" if choice.left_out_db is None else f"{choice.left_out_db:.2f}",
        ]
        for choice in outcome.chosen
    ]


def choice_lines(outcome: Outcome) -> list[str]:
    """Return what a calibration chose, as lines of a table."""
    rows = choice_rows(outcome)
    lines = [*table_lines(CHOICE_COLUMNS, rows), "", EXPLAINED] if rows else []
    untried = max((choice.untried for choice in outcome.chosen), default=0)
    if untried:
        lines.append(f"{untried} configurations are not measured on all pairs yet, and could not be chosen.")
    for name, path in (("table", outcome.table), ("measurements", outcome.results)):
        if path is not None:
            lines.append(f"{name}: {path}")
    return lines


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """Return the same as a JSON document."""
    return {
        "table": outcome.table,
        "measurements": outcome.results,
        "fits_left": outcome.left,
        "chosen": [_choice_document(choice) for choice in outcome.chosen],
    }


def _choice_document(choice: Choice) -> dict[str, Any]:
    return {**asdict(choice), "group": dict(choice.group)}
