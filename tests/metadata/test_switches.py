"""Settings whose key is a modality."""

from __future__ import annotations

import pytest

from autodip_zarr.metadata import load_vocabulary
from autodip_zarr.metadata.documents.annotations import KeyValue
from autodip_zarr.metadata.documents.switches import switched_on


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("Confocal", "ON", "confocal"),
        ("TIRF", "true", "tirf"),
        ("DLSMode", "1", "light_sheet"),
        ("LightSheet thickness um", "4.2", "light sheet"),
    ],
)
def test_a_switch_that_is_on_names_the_modality_of_its_key(key: str, value: str, named: str) -> None:
    found = switched_on(KeyValue(key, value, "here"), load_vocabulary())
    assert found is not None
    assert (found.key, found.value) == ("imaging mode", named)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Confocal", "OFF"),
        ("IsConfocalInstalled", "1"),
        ("STED", "0"),
        ("LightSheet thickness", "0"),
        ("Camera", "on"),
        ("Confocal", "see notes"),
    ],
)
def test_what_is_off_or_only_installed_says_nothing(key: str, value: str) -> None:
    assert switched_on(KeyValue(key, value, "here"), load_vocabulary()) is None
