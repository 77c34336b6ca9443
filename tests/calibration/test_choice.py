"""Choices by both rules, worked out by hand on a few fields."""

from __future__ import annotations

import numpy as np
import pytest

from autodip_zarr.calibration.choice import CHEAPEST, PAPER, Choice, Scored, choices, groups
from autodip_zarr.calibration.table import MeasuredPair
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import OptionError

CONFIGS = tuple(DipConfig(4, width, 4, 100) for width in (16, 32, 64, 128))
COSTS = np.array([1.0, 2.0, 4.0, 8.0])


def pair(
    name: str, field: str, microscope: str | None = "confocal", specimen: str | None = "actin"
) -> MeasuredPair:
    return MeasuredPair(name, field, microscope, specimen)


def scored(psnr: list[list[float]], lpips: list[list[float]] | None = None, fields: str = "") -> Scored:
    """One seed; a row a pair, whose fields are the letters."""
    letters = fields or "abcdefgh"[: len(psnr)]
    pairs = tuple(pair(f"{index}", letter) for index, letter in enumerate(letters))
    values = np.array(psnr)[:, None, :]
    distances = np.full_like(values, np.nan) if lpips is None else np.array(lpips)[:, None, :]
    return Scored(pairs, CONFIGS[: values.shape[2]], COSTS[: values.shape[2]], values, distances)


def overall(found: list[Choice], rule: str) -> Choice:
    return next(one for one in found if one.rule == rule and not one.group)


def test_the_cheapest_within_one_standard_error_of_the_best_is_taken() -> None:
    psnr = [[29.0, 29.8, 29.9, 30.0], [31.0, 32.9, 33.0, 32.6], [34.0, 34.7, 34.9, 35.0]]
    found = overall(choices(scored(psnr), (CHEAPEST,)), CHEAPEST)
    assert found.best == CONFIGS[2], "mean regret 0.067 against 0.133"
    assert found.spread_db == pytest.approx(np.std([0.1, 0.0, 0.1], ddof=1) / np.sqrt(3))
    assert found.config == CONFIGS[2], "the mean regret of width 32, 0.2, is beyond 0.067 + 0.033"
    assert (found.cost, found.best_cost) == (4.0, 4.0)
    psnr[0][1], psnr[2][1] = 29.95, 34.9
    found = overall(choices(scored(psnr), (CHEAPEST,)), CHEAPEST)
    assert found.config == CONFIGS[1]
    assert found.regret_db == pytest.approx((0.05 + 0.1 + 0.1) / 3)
    assert found.psnr_db == pytest.approx((29.95 + 32.9 + 34.9) / 3)


def test_lpips_keeps_a_cheap_configuration_out_that_looks_worse() -> None:
    psnr = [[30.0, 30.03], [31.0, 31.0], [32.02, 32.0]]
    assert overall(choices(scored(psnr), (CHEAPEST,)), CHEAPEST).config == CONFIGS[0]
    lpips = [[0.3, 0.1], [0.3, 0.1], [0.3, 0.1]]
    assert overall(choices(scored(psnr, lpips), (CHEAPEST,)), CHEAPEST).config == CONFIGS[1]


def test_the_ranks_by_both_metrics_are_summed() -> None:
    psnr = [[30.0, 31.0, 32.0, 33.0]]  # ranks 3 2 1 0
    lpips = [[0.1, 0.2, 0.2, 0.4]]  # ranks 0 1 1 3
    found = overall(choices(scored(psnr, lpips)), PAPER)
    assert found.config == CONFIGS[2]
    assert found.left_out_db is None
    assert found.regret_db == pytest.approx(1.0)
    lpips = [[0.1, 0.2, 0.3, 0.4]]  # all sums are 3
    assert overall(choices(scored(psnr, lpips)), PAPER).config == CONFIGS[0], "of equals the cheapest"


def test_lpips_counts_only_where_all_pairs_have_it() -> None:
    psnr, lpips = [[30.0, 30.5], [31.0, 31.5]], [[0.1, 0.9], [np.nan, np.nan]]
    assert overall(choices(scored(psnr, lpips), (CHEAPEST,)), CHEAPEST).config == CONFIGS[1]
    with pytest.raises(OptionError, match="on some pairs"):
        choices(scored(psnr, lpips))


def test_a_field_counts_once_however_many_captures_there_are_of_it() -> None:
    psnr = [[30.0, 29.0], [30.0, 29.0], [30.0, 29.0], [30.0, 31.5]]
    found = overall(choices(scored(psnr, fields="aaab"), (CHEAPEST,)), CHEAPEST)
    assert found.best == CONFIGS[1], "1.5 dB better on one field, 1 dB worse on the other"
    assert (found.pairs, found.fields) == (4, 2)


def test_the_regret_on_a_field_left_out_is_that_of_the_choice_without_it() -> None:
    psnr = [[30.0, 29.0], [30.0, 31.5]]
    found = overall(choices(scored(psnr), (CHEAPEST,)), CHEAPEST)
    assert found.left_out_db == pytest.approx((1.0 + 1.5) / 2), "each field chooses what the other lacks"
    assert found.regret_db == pytest.approx(0.5 if found.config == CONFIGS[1] else 0.75)


def test_of_a_single_field_seeds_tell_the_standard_error() -> None:
    psnr = np.array([[[30.0, 30.4], [30.2, 30.8]]])  # one pair, two seeds
    one = Scored((pair("0", "a"),), CONFIGS[:2], COSTS[:2], psnr, np.full_like(psnr, np.nan))
    found = overall(choices(one, (CHEAPEST,)), CHEAPEST)
    assert found.spread_db == pytest.approx(np.std([30.4, 30.8], ddof=1) / np.sqrt(2))
    assert found.config == CONFIGS[1], "0.5 dB is more than the spread of 0.2"


def test_a_single_field_with_one_seed_is_judged_by_the_scatter_of_all() -> None:
    psnr = [[30.0, 30.01], [31.0, 31.4], [32.1, 32.0]]  # regrets of the best: 0, 0, 0.1
    pairs = (pair("0", "a", "confocal"), pair("1", "b", "widefield"), pair("2", "c", "twophoton"))
    one = Scored(pairs, CONFIGS[:2], COSTS[:2], np.array(psnr)[:, None], np.full((3, 1, 2), np.nan))
    found = {choice.group.get("microscope"): choice for choice in choices(one, (CHEAPEST,))}
    assert found["confocal"].spread_db == pytest.approx(np.std([0, 0, 0.1], ddof=1))
    assert found["confocal"].config == CONFIGS[0], "a hundredth of a decibel says nothing"
    assert found["widefield"].config == CONFIGS[1]


def test_what_was_not_measured_on_all_pairs_cannot_be_taken() -> None:
    psnr = [[30.0, np.nan, 29.0], [30.0, 40.0, 29.0]]
    found = overall(choices(scored(psnr), (CHEAPEST,)), CHEAPEST)
    assert (found.config, found.untried) == (CONFIGS[0], 1)
    with pytest.raises(OptionError, match="measured on all of its pairs"):
        choices(scored([[np.nan, 1.0], [1.0, np.nan]]), (CHEAPEST,))
    with pytest.raises(OptionError, match="no LPIPS was measured"):
        choices(scored([[1.0, 2.0]]), (PAPER,))


def test_groups_are_those_of_the_pairs_and_all() -> None:
    pairs = [pair("0", "a"), pair("1", "b", "widefield", None), pair("2", "c", None, "mito")]
    assert groups(pairs) == [
        {"microscope": "confocal", "specimen": "actin"},
        {"microscope": "confocal"},
        {"microscope": "widefield"},
        {"specimen": "actin"},
        {"specimen": "mito"},
        {},
    ]
