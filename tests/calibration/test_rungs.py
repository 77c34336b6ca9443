"""What goes on from rung to rung, on numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from autodip_zarr.calibration.grid import parse_rungs
from autodip_zarr.calibration.rungs import agreement, is_worth, survivors
from autodip_zarr.errors import OptionError


def test_tau_is_that_of_scipy_and_the_regret_that_of_trusting_the_lower_rung() -> None:
    random = np.random.default_rng(0)
    before = random.integers(0, 9, (3, 12)).astype(float)
    after = before + random.integers(0, 4, before.shape).astype(float)
    found = agreement(before, after)
    taus = [kendalltau(one, other).statistic for one, other in zip(before, after, strict=True)]
    assert found.tau == pytest.approx(np.mean(taus))
    assert found.pairs == 3
    found = agreement(np.array([[1.0, 2.0, 3.0]]), np.array([[4.0, 6.0, 5.0]]))
    assert found.tau == pytest.approx(1 / 3)
    assert found.regret_db == 1.0
    assert not found.suffices
    assert agreement(np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]])).suffices
    assert agreement(np.array([[1.0, 1.0]]), np.array([[1.0, 3.0]])).tau == 0.0


def test_the_best_third_and_what_is_as_good_go_on() -> None:
    levels = np.array([[30 - 0.5 * index for index in range(12)]] * 2)
    assert survivors(levels) == [0, 1, 2, 3]
    assert survivors(levels[:, :4]) == [0, 1, 2], "at least three"
    assert survivors(levels[:, :2]) == [0, 1]
    uneven = np.array([[30.0, 29.0, *[28.8] * 4], [30.0, 31.0, *[30.7] * 4]])  # regrets of the best: 0 and 1
    assert survivors(uneven) == [0, 1, 2, 3, 4, 5]


def test_a_wide_network_must_beat_the_spread() -> None:
    narrow = np.array([[30.0, 30.2], [32.0, 32.2]])
    assert is_worth(narrow, narrow + 0.2)
    assert not is_worth(narrow, narrow + 0.1)
    one_seed = narrow[:, :1]
    assert is_worth(one_seed, one_seed + 0.1), "as much on each pair"
    assert not is_worth(one_seed, one_seed + np.array([[0.5], [-0.3]]))
    assert not is_worth(one_seed[:1], one_seed[:1])


def test_rungs_are_two_or_more() -> None:
    assert parse_rungs(None) == ()
    assert parse_rungs("64, 32") == (32, 64)
    for wrong in ("64", "a,b", "8,64"):
        with pytest.raises(OptionError):
            parse_rungs(wrong)
