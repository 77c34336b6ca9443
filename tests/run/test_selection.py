"""Selections of channels and planes as people type them."""

from __future__ import annotations

import pytest

from autodip_zarr.errors import OptionError
from autodip_zarr.run.sources.selection import choose_channels, choose_indices


@pytest.mark.parametrize(
    ("text", "size", "chosen"),
    [
        (None, 3, (0, 1, 2)),
        ("1", 3, (1,)),
        ("-1", 3, (2,)),
        ("0,2:5", 4, (0, 2, 3)),
        (":2", 4, (0, 1)),
        ("3:", 4, (3,)),
        (":", 2, (0, 1)),
        ("7", 3, ()),
        ("2,0,2", 3, (0, 2)),
    ],
)
def test_indices_and_ranges(text: str | None, size: int, chosen: tuple[int, ...]) -> None:
    assert choose_indices(text, size, "--z") == chosen


@pytest.mark.parametrize("text", ["", "a", "1:2:3", "1,,2", "1.5"])
def test_what_is_no_selection_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--t"):
        choose_indices(text, 5, "--t")


def test_channels_by_name_and_index() -> None:
    names = ["DAPI", None, "GFP"]
    assert choose_channels(None, names) == {0, 1, 2}
    assert choose_channels("dapi, 1", names) == {0, 1}
    assert choose_channels("gfp", names) == {2}
    assert choose_channels("mCherry,9", names) == frozenset()
