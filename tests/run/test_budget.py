"""A limit of cost takes a cheaper metric of the same group, or leaves the channel, and says so."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from autodip_zarr.calibration import MatchOptions, find_match, load_table
from autodip_zarr.cli import main
from autodip_zarr.dip.estimate import relative_cost
from autodip_zarr.domain import ChannelMetadata, Match
from autodip_zarr.run.planning.budget import within_budget
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample

TABLE = load_table()


def match(microscope: str, specimen: str | None) -> Match:
    channel = ChannelMetadata(0, None, microscope, "fluorescence", specimen, None)
    return find_match(channel, TABLE, MatchOptions())


def test_what_is_within_the_limit_stays() -> None:
    cheap = match("widefield", "nucleus")
    assert within_budget(cheap, TABLE, relative_cost, relative_cost(cheap.config)) is cheap


def test_the_dearest_configuration_of_the_same_group_within_the_limit_is_taken() -> None:
    costly = match("twophoton", "nucleus")
    assert relative_cost(costly.config) > 10
    for limit in (1.0, 0.1):
        kept = within_budget(costly, TABLE, relative_cost, limit)
        assert isinstance(kept, Match)
        assert kept.group == costly.group
        assert kept.metric != costly.metric
        assert relative_cost(kept.config) <= limit
        between = [
            entry
            for entry in TABLE.entries
            if dict(entry.group) == dict(costly.group)
            and relative_cost(kept.config) < relative_cost(entry.config) <= limit
        ]
        assert not between
        assert f"--max-cost {limit:g}" in kept.warnings[-1]
        assert kept.metric in kept.warnings[-1]


def test_where_nothing_is_cheap_enough_the_reason_says_what_the_cheapest_costs() -> None:
    reason = within_budget(match("twophoton", "nucleus"), TABLE, relative_cost, 0.001)
    assert isinstance(reason, str)
    assert reason.startswith(
        "every configuration of its group costs more than --max-cost 0.001; a plane costs "
    )


def plan(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["plan", *map(str, arguments)], catch_exceptions=False)
    return result.exit_code, result.stdout


def test_the_plan_says_what_became_cheaper_and_what_is_left_out(tmp_path: Path) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 2, 1, 512, 512)))
    terms = ["--microscope", "twophoton"]
    code, out = plan(source, *terms, "--max-cost", 0.1, "--json")
    document = json.loads(out)
    (nucleus, mito) = document["images"][0]["channels"]
    assert code == 0
    assert nucleus["relative_cost"] <= 0.1
    assert "--max-cost 0.1" in nucleus["warnings"][-1]
    assert not mito["warnings"]
    code, out = plan(source, *terms, "--max-cost", 0.046, "--json")
    document = json.loads(out)
    assert code == 0
    (skip,) = document["skipped"]
    assert skip["channel"] == 1
    assert "--max-cost 0.046" in skip["reason"]
    assert document["totals"]["skipped"] == {
        "every configuration of its group costs more than --max-cost 0.046": 1
    }
    code, out = plan(source, *terms, "--max-cost", 0.046)
    assert "skipped once: every configuration" in out
    assert plan(source, "--max-cost", 0)[0] == 2
