"""A match takes the best tier that agrees, and says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.calibration import MatchOptions, Table, find_match, load_table
from autodip_zarr.calibration.table import tables_folder
from autodip_zarr.domain import ChannelMetadata, DipConfig
from autodip_zarr.errors import OptionError

RELATIONS = {"spinning_disk": ("confocal",), "threephoton": ("twophoton",)}


def channel(
    microscope: str | None = None, specimen: str | None = None, organism: str | None = None
) -> ChannelMetadata:
    return ChannelMetadata(0, None, microscope, None, specimen, organism)


def test_microscope_and_specimen_agree() -> None:
    match = find_match(channel("confocal", "nucleus"), load_table(), MatchOptions())
    assert match.config == DipConfig(4, 32, 4, 1200)
    assert match.tier == "microscope+specimen"
    assert match.group == {"microscope": "confocal", "specimen": "nucleus"}
    assert match.agreed == ("microscope", "specimen")
    assert match.missing == ()
    assert match.warnings == ()
    assert match.metric == "lpips_psnr"
    assert match.table == load_table().id


@pytest.mark.parametrize("specimen", [None, "tubulin"])
def test_without_a_calibrated_specimen_the_microscope_decides(specimen: str | None) -> None:
    match = find_match(channel("confocal", specimen), load_table(), MatchOptions())
    assert match.tier == "microscope"
    assert match.config == DipConfig(4, "asc", 4, 1200)
    assert match.missing == ("specimen",)
    assert match.warnings == ()


def test_specimen_alone_is_off_by_default_and_can_be_put_into_the_order() -> None:
    assert find_match(channel(None, "nucleus"), load_table(), MatchOptions()).tier == "global"
    tiers = ("microscope+specimen", "microscope", "specimen", "global")
    match = find_match(channel(None, "nucleus"), load_table(), MatchOptions(tiers=tiers))
    assert match.tier == "specimen"
    assert match.group == {"specimen": "nucleus"}
    assert match.missing == ("microscope",)


def test_nothing_known_is_a_result_with_a_warning() -> None:
    match = find_match(channel(), load_table(), MatchOptions())
    assert match.tier == "global"
    assert match.config == DipConfig(8, 64, 4, 700)
    assert match.missing == ("microscope", "specimen")
    assert "microscope is unknown" in match.warnings[0]


def test_a_modality_that_is_not_calibrated_is_named() -> None:
    match = find_match(channel("light_sheet", "nucleus"), load_table(), MatchOptions(relations=RELATIONS))
    assert match.tier == "global"
    assert match.missing == ("microscope",)
    assert "'light_sheet' is not calibrated" in match.warnings[0]


def test_a_related_modality_is_used_and_said() -> None:
    match = find_match(channel("spinning_disk", "actin"), load_table(), MatchOptions(relations=RELATIONS))
    assert match.tier == "microscope+specimen"
    assert match.config == DipConfig(6, 256, 4, 1300)
    assert match.group == {"microscope": "confocal", "specimen": "actin"}
    assert match.agreed == ("specimen",)
    assert "spinning_disk" in match.warnings[0]
    assert "confocal" in match.warnings[0]


def test_only_stated_relations_are_used() -> None:
    assert find_match(channel("spinning_disk", "actin"), load_table(), MatchOptions()).tier == "global"
    off = MatchOptions(relations=RELATIONS, use_relations=False)
    assert find_match(channel("spinning_disk", "actin"), load_table(), off).tier == "global"


def test_metrics_are_chosen_by_name() -> None:
    match = find_match(channel("twophoton", "nucleus"), load_table(), MatchOptions(metric="psnr"))
    assert match.config == DipConfig(5, 32, 4, 400)
    assert match.metric == "psnr"
    with pytest.raises(OptionError, match="lpips_psnr"):
        find_match(channel(), load_table(), MatchOptions(metric="vif"))


def test_a_local_table_may_match_on_the_organism_and_own_terms_come_first(tmp_path: Path) -> None:
    document = json.loads((tables_folder() / "published.json").read_text())
    one = {"metric": "lpips_psnr", "depth": 4, "width": 16, "skip": 4, "iterations": 100, "images": 3}
    document["entries"] += [
        {**one, "group": {"microscope": "spinning_disk", "organism": "Danio rerio"}},
        {**one, "group": {"microscope": "spinning_disk", "specimen": "nucleus"}, "iterations": 200},
    ]
    path = tmp_path / "ours.json"
    path.write_text(json.dumps(document))
    table = load_table(str(path))
    tiers = ("microscope+organism", "microscope+specimen", "microscope", "global")
    options = MatchOptions(tiers=tiers, relations=RELATIONS)
    fish = find_match(channel("spinning_disk", "nucleus", "Danio rerio"), table, options)
    assert (fish.tier, fish.config.iterations) == ("microscope+organism", 100)
    other = find_match(channel("spinning_disk", "nucleus", "Mus musculus"), table, options)
    assert (other.tier, other.config.iterations, other.warnings) == ("microscope+specimen", 200, ())
    assert other.missing == ("organism",)


@pytest.mark.parametrize(
    "tiers", [(), ("microscope",), ("global", "microscope"), ("stand", "global"), ("global",) * 2]
)
def test_orders_that_make_no_sense(tiers: tuple[str, ...]) -> None:
    with pytest.raises(OptionError):
        MatchOptions(tiers=tiers)


TERMS = st.sampled_from([None, "confocal", "spinning_disk", "widefield", "twophoton", "threephoton", "sim"])
LABELS = st.sampled_from([None, "nucleus", "actin", "mito", "tubulin"])


@given(microscope=TERMS, specimen=LABELS, metric=st.sampled_from([None, "psnr", "l1"]))
def test_what_agrees_and_what_is_missing_explain_the_tier(
    microscope: str | None, specimen: str | None, metric: str | None
) -> None:
    table: Table = load_table()
    known = channel(microscope, specimen)
    match = find_match(known, table, MatchOptions(metric=metric, relations=RELATIONS))
    entry = table.find(match.metric, match.group)
    assert entry is not None
    assert entry.config == match.config
    assert all(match.group[field] == getattr(known, field) for field in match.agreed)
    assert not set(match.missing) & set(match.group)
    assert bool(match.missing) == (match.tier != "microscope+specimen")
    assert bool(match.warnings) == (match.tier == "global" or len(match.agreed) < len(match.group))
