"""Calibration tables as they are written: JSON of the version that is current, that ``load_table`` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from autodip_zarr.calibration.choice import CHEAPEST, PAPER, Choice
from autodip_zarr.calibration.table import FORMAT, FORMAT_VERSION, Calibrated, Entry, Found, Measured, Table
from autodip_zarr.domain import DipConfig

_ORIGINAL: Mapping[str, int] = {"depth": 5, "width": 128, "skip": 4, "iterations": 1800}

_SOURCE: Mapping[str, str] = {
    "method": "AUTO-DIP",
    "reference": "arXiv:2601.12055",
    "authors": "whoever calibrated",
    "licence": "as its makers say",
    "notice": "none",
}


@dataclass(frozen=True)
class Naming:
    """What a table is called, and who says what of it."""

    name: str
    """Name of the table."""
    who: str
    """Who calibrated."""
    when: str
    """Date."""
    default_metric: str
    """Metric that is used where none is asked for."""


def table_bytes(
    naming: Naming, chosen: Sequence[Choice], measured: Measured, before: Table | None = None
) -> bytes:
    """Return a table of what was chosen; of another table it keeps what was not chosen anew.

    Parameters
    ----------
    naming : Naming
        What it is called.
    chosen : sequence of Choice
        One for each rule and group.
    measured : Measured
        What they rest on.
    before : Table, optional
        A table that is extended: its entries of other metrics and groups stay, and so does that of all images
        of a metric, which no few new pairs outweigh.
    """
    earlier = () if before is None else before.measured
    entries = [_entry(one, len(earlier)) for one in chosen]
    if before is not None:
        entries = _joined(before.entries, entries)
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": naming.name,
        "version": "1",
        "description": "Depth, width, skip channels and iterations of a Deep Image Prior, found by "
        f"`autodip-zarr calibrate`: metric {PAPER} by the sum of ranks, {CHEAPEST} the cheapest that is "
        "within one standard error of the best.",
        "source": dict(_SOURCE if before is None else before.source),
        "calibrated": _calibrated(naming, measured, before),
        "field_px": max(16, measured.crop_px) if before is None else before.field_px,
        "default_metric": naming.default_metric if before is None else before.default_metric,
        "original_dip": dict(_ORIGINAL),
        "entries": [_entry_document(entry) for entry in entries],
        "measured": [_measured_document(one) for one in (*earlier, measured)],
    }
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _entry(choice: Choice, by: int) -> Entry:
    found = Found(
        by=by,
        fields=choice.fields,
        psnr_db=round(choice.psnr_db, 3),
        regret_db=round(choice.regret_db, 3),
        spread_db=round(choice.spread_db, 3),
        left_out_db=None if choice.left_out_db is None else round(choice.left_out_db, 3),
    )
    return Entry(choice.rule, choice.group, choice.config, choice.pairs, found)


def _joined(old: Sequence[Entry], new: Sequence[Entry]) -> list[Entry]:
    def key(entry: Entry) -> tuple[str, frozenset[tuple[str, str]]]:
        return entry.metric, frozenset(entry.group.items())

    kept_globals = {entry.metric for entry in old if not entry.group}
    news = {key(entry): entry for entry in new if entry.group or entry.metric not in kept_globals}
    return [*(entry for entry in old if key(entry) not in news), *news.values()]


def _calibrated(naming: Naming, measured: Measured, before: Table | None) -> dict[str, str]:
    fields = len({pair.field for pair in measured.pairs})
    grid = measured.grid
    on = f"{len(measured.pairs)} pairs of {fields} fields, at most {measured.crop_px} pixels a side"
    tried = "; ".join(
        f"{name} {', '.join(map(str, values))}"
        for name, values in (("depths", grid.depths), ("widths", grid.widths), ("skips", grid.skips))
    )
    how = f"{measured.software}, preset {measured.preset}; {tried}; {len(grid.stops)} stops"
    made = Calibrated(naming.who, naming.when, on, f"{how} up to {max(grid.stops)}")
    if before is not None:
        old = before.calibrated
        made = replace(made, who=f"{old.who}; {made.who}", when=f"{old.when}; {made.when}")
        made = replace(made, on=f"{old.on}; {made.on}", with_what=f"{old.with_what}; {made.with_what}")
    return {"who": made.who, "when": made.when, "on": made.on, "with": made.with_what}


def _config(config: DipConfig) -> dict[str, Any]:
    return {
        "depth": config.depth,
        "width": config.width,
        "skip": config.skip,
        "iterations": config.iterations,
    }


def _entry_document(entry: Entry) -> dict[str, Any]:
    document = {"metric": entry.metric, "group": dict(entry.group), **_config(entry.config)}
    found = {} if entry.found is None else {"found": asdict(entry.found)}
    return {**document, "images": entry.images, **found}


def _measured_document(measured: Measured) -> dict[str, Any]:
    return asdict(measured)
