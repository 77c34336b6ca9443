"""What a calibration has to measure: in which order, in how many calls, for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autodip_zarr.calibration.grid import Grid
from autodip_zarr.calibration.table import MeasuredPair
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.run.calibrating.pairs import CalibrationPair
from autodip_zarr.run.calibrating.plan import CalibrationPlan, Settings
from autodip_zarr.stores.frames import Frames


def pair(name: str, side: int = 128) -> CalibrationPair:
    known = MeasuredPair(name, name, None, None)
    return CalibrationPair(known, Frames("n.npy"), Frames("c.npy"), (side, side), "same", name)


def plan(grid: Grid, pairs: int = 3, device: str = "cpu", preset: str = "reference") -> CalibrationPlan:
    recipe = preset_recipe(preset, precision="float32")
    settings = Settings(grid, (0, 1), recipe, 128, device)
    return CalibrationPlan(settings, tuple(pair(str(number)) for number in range(pairs)), ())


def test_cheap_networks_come_first_and_each_pair_by_itself() -> None:
    units = list(plan(Grid((4, 5), (64, 16), (4,), (100, 200))).units())
    assert len(units) == 2 * 2 * 2 * 3
    networks = list(dict.fromkeys((unit.config.depth, unit.config.width) for unit in units))
    assert networks == [(4, 16), (5, 16), (4, 64), (5, 64)]
    assert len({key for unit in units for key in unit.record_keys()}) == len(units)


def test_a_card_gets_pairs_of_one_size_side_by_side() -> None:
    on_card = plan(Grid((4,), (16,), (4,), (100,)), pairs=10, device="cuda")
    on_card = replace(on_card, pairs=(*on_card.pairs, pair("small", 64)))
    assert sorted(len(unit.pairs) for unit in on_card.units()) == [1, 1, 2, 2, 8, 8]
    assert {unit.pairs[0].size for unit in on_card.units() if len(unit.pairs) == 1} == {(64, 64)}


def test_deep_networks_on_small_crops_are_known_to_be_padded() -> None:
    seconds = {unit.config.depth: unit.seconds for unit in plan(Grid((6, 8), (64,), (4,), (100,))).units()}
    assert seconds[8] > 3 * seconds[6]


@pytest.mark.parametrize(("preset", "times"), [("reference", 3.0), ("standard", 1.0)])
def test_the_longest_stop_is_what_a_fit_takes(preset: str, times: float) -> None:
    of_stops = [
        next(plan(Grid((4,), (64,), (4,), stops), preset=preset).units()).seconds
        for stops in ((1000,), (3000,))
    ]
    assert of_stops[1] == pytest.approx(times * of_stops[0], rel=0.15)


def test_what_identifies_a_measurement() -> None:
    grid = Grid((4,), (16,), (4,), (100,))
    unit = next(plan(grid).units())
    same = next(plan(replace(grid, stops=(100, 200))).units())
    assert unit.record_keys() == same.record_keys(), "stops of one fit are one record"
    for other in (
        replace(unit, crop_px=64),
        replace(unit, config=replace(unit.config, skip=0)),
        replace(unit, recipe=replace(unit.recipe, seed=5)),
        replace(unit, pairs=(replace(unit.pairs[0], state="changed"),)),
    ):
        assert other.record_keys() != unit.record_keys()
    held, turn = plan(grid).memory(unit)
    assert 10_000 < held < turn < 10**9
