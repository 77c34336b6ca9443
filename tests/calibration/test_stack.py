"""Tables that stand behind one another: which of them a configuration comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autodip_zarr.calibration import MatchOptions, find_in_stack, load_stack, load_table
from autodip_zarr.calibration.written import table_bytes
from autodip_zarr.domain import ChannelMetadata, DipConfig
from autodip_zarr.errors import OptionError

from .test_written import CHOICE, MEASURED, NAMING, OVERALL

MINE = DipConfig(4, "asc", 0, 200)


def channel(microscope: str | None = None, specimen: str | None = None) -> ChannelMetadata:
    return ChannelMetadata(0, None, microscope, "fluorescence", specimen, None)


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A table for confocal microscopes, calibrated with the preset reference."""
    path = tmp_path / "mine.json"
    path.write_bytes(table_bytes(NAMING, [CHOICE, OVERALL], MEASURED))
    return str(path)


def test_the_better_tier_counts_and_then_the_order_of_the_tables(mine: str) -> None:
    tables = load_stack(mine)
    assert [table.id.name for table in tables] == ["ours", "published"]
    options = MatchOptions()

    def found(*terms: str | None) -> tuple[str, str]:
        match = find_in_stack(channel(*terms), tables, options, "reference")
        return match.table.name, match.tier

    assert found("confocal", "tubulin") == ("ours", "microscope")
    assert found("confocal", "actin") == ("published", "microscope+specimen")
    assert found("widefield", "tubulin") == ("published", "microscope")
    assert found(None, None) == ("ours", "global")


def test_own_terms_come_before_related_ones_in_any_table(mine: str) -> None:
    options = MatchOptions(relations={"slit_scan": ("confocal",), "tirf": ("widefield", "confocal")})
    tables = load_stack(mine)
    assert find_in_stack(channel("slit_scan"), tables, options, "reference").config == MINE
    document: Any = json.loads(Path(mine).read_text())
    document["entries"][0]["group"] = {"microscope": "spinning_disk"}
    Path(mine).write_text(json.dumps(document))
    options = MatchOptions(relations={"confocal": ("spinning_disk",)})
    match = find_in_stack(channel("confocal"), load_stack(mine), options, "reference")
    assert match.table.name == "published"


def test_a_table_of_another_preset_is_warned_about(mine: str) -> None:
    match = find_in_stack(channel("confocal"), load_stack(mine), MatchOptions(), "standard")
    assert match.warnings == ("the table ours was calibrated with preset reference, and this is standard",)
    assert find_in_stack(channel("confocal"), load_stack(mine), MatchOptions(), "reference").warnings == ()


def test_tables_without_the_metric_are_passed_over(mine: str) -> None:
    match = find_in_stack(channel("confocal"), load_stack(mine), MatchOptions(metric="psnr"), "reference")
    assert match.table == load_table().id
    with pytest.raises(OptionError, match="one of cheapest, lpips_psnr"):
        find_in_stack(channel(), load_stack(mine), MatchOptions(metric="vif"), "reference")


def test_a_shipped_table_that_is_named_stands_alone() -> None:
    assert load_stack("published") == (load_table(),)
