"""Tables that a calibration writes are read as any other, also what they add to one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autodip_zarr.calibration import load_table
from autodip_zarr.calibration.choice import CHEAPEST, PAPER, Choice
from autodip_zarr.calibration.grid import Grid, parse_grid
from autodip_zarr.calibration.table import Measured, MeasuredPair, parse_table
from autodip_zarr.calibration.written import Naming, table_bytes
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import OptionError, TableError

GRID = Grid((4, 5), (16, "asc"), (0, 4), (100, 200))
MEASURED = Measured(
    preset="reference",
    output="preset",
    crop_px=128,
    device="cpu",
    software="autodip-zarr 0",
    results_sha256="0" * 64,
    seeds=(0, 1),
    grid=GRID,
    pairs=(MeasuredPair("a", "f1", "confocal", None), MeasuredPair("b", "f2", "confocal", "actin")),
)
NAMING = Naming("ours", "us", "2026-01-01", CHEAPEST)
CONFIG, OTHER = DipConfig(4, "asc", 0, 200), DipConfig(5, 16, 4, 100)
CHOICE = Choice(
    CHEAPEST, {"microscope": "confocal"}, CONFIG, CONFIG, 2, 2, 0.5, 0.5, 30.1234, 0.25, 0.125, 0.5, 0
)
OVERALL = replace(CHOICE, group={}, config=OTHER, left_out_db=None)


def test_what_is_written_is_read_back() -> None:
    content = table_bytes(NAMING, [CHOICE, OVERALL], MEASURED)
    table = parse_table(content, "ours.json")
    assert (table.id.name, table.default_metric, table.field_px) == ("ours", CHEAPEST, 128)
    assert table.measured == (MEASURED,)
    entry = table.find(CHEAPEST, {"microscope": "confocal"})
    assert entry is not None
    assert (entry.config, entry.images) == (CONFIG, 2)
    assert entry.found is not None
    assert (entry.found.psnr_db, entry.found.left_out_db, entry.found.fields) == (30.123, 0.5, 2)
    overall = table.find(CHEAPEST, {})
    assert overall is not None
    assert overall.found is not None
    assert overall.found.left_out_db is None


def test_a_table_that_is_extended_keeps_its_other_entries() -> None:
    published = load_table()
    chosen = [replace(CHOICE, rule=PAPER), replace(OVERALL, rule=PAPER), CHOICE, OVERALL]
    table = parse_table(table_bytes(NAMING, chosen, MEASURED, published), "more.json")
    assert len(table.entries) == len(published.entries) + 2
    changed = table.find(PAPER, {"microscope": "confocal"})
    assert changed is not None
    assert changed.config == CONFIG
    kept = table.find(PAPER, {})
    assert kept is not None
    assert (kept.config, kept.found) == (DipConfig(8, 64, 4, 700), None), "110 images outweigh two"
    assert table.default_metric == published.default_metric
    again = parse_table(table_bytes(NAMING, [CHOICE], MEASURED, table), "more.json")
    assert [one.found.by for one in again.entries if one.found] == [0, 0, 1]
    assert len(again.measured) == 2


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("entries", 0, "found", "by"), 1, "entries[0].found.by"),
        (("entries", 0, "found", "psnr_db"), "30", "entries[0].found.psnr_db"),
        (("entries", 0, "found", "regret_db"), 1e999, "entries[0].found.regret_db"),
        (("measured", 0, "grid", "depths"), [], "measured[0].grid.depths"),
        (("measured", 0, "grid", "widths"), ["wide"], "measured[0].grid.widths"),
        (("measured", 0, "seeds"), [-1], "measured[0].seeds"),
        (("measured", 0, "pairs", 0, "microscope"), 3, "measured[0].pairs.microscope"),
        (("measured", 0, "device"), "", "measured[0].device"),
        (("measured",), {}, "measured"),
        (("format_version",), 1, "measured"),
    ],
)
def test_what_is_not_valid_in_what_a_calibration_tells_is_named(
    path: tuple[str | int, ...], value: object, field: str
) -> None:
    document: Any = json.loads(table_bytes(NAMING, [CHOICE, OVERALL], MEASURED))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(TableError) as caught:
        parse_table(json.dumps(document).encode(), "bad.json")
    assert caught.value.where.startswith(f"bad.json: {field}")


def test_grids_are_read_as_people_type_them() -> None:
    assert parse_grid(None, None, None, None, Grid()) == Grid()
    assert len(list(Grid().networks())) == 70
    assert len(list(Grid().configurations())) == 2100
    assert parse_grid("5,4", "asc, 32,16", "4", "200,100,200", Grid()) == Grid(
        (4, 5), (16, 32, "asc"), (4,), (100, 200)
    )
    assert parse_grid("4", "asc", "0", "1", Grid()).widths == ("asc",)
    for name, wrong in (("depths", "0"), ("widths", "wide"), ("skips", ""), ("stops", "0")):
        parts: dict[str, str | None] = dict.fromkeys(("depths", "widths", "skips", "stops"))
        with pytest.raises(OptionError, match="joined by commas"):
            parse_grid(**{**parts, name: wrong}, usual=Grid())


def test_the_shipped_table_is_of_the_first_version(tmp_path: Path) -> None:
    assert load_table().measured == ()
    path = tmp_path / "ours.json"
    path.write_bytes(table_bytes(NAMING, [CHOICE, OVERALL], MEASURED))
    assert load_table(str(path)).id.sha256 == parse_table(path.read_bytes(), "x").id.sha256
