"""Lengths, times and wavelengths come out in one unit, or not at all."""

from __future__ import annotations

import pytest

from autodip_zarr.metadata.units import length_um, time_s, wavelength_nm


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("0.1", None, 0.1),
        ("0.1", "\u00b5m", 0.1),
        ("0.1", "\u03bcm", 0.1),
        ("108", "nm", 0.108),
        ("0,108", "um", 0.108),
        ("1e-7", "m", 0.1),
        ("1080", "\u00c5", 0.108),
        ("1", "pixel", None),
        ("1", "reference frame", None),
        ("0", "um", None),
        ("-1", "um", None),
        ("nan", "um", None),
        ("inf", "um", None),
        ("", "um", None),
        ("wide", "um", None),
        (None, None, None),
    ],
)
def test_lengths(value: str | None, unit: str | None, expected: float | None) -> None:
    assert length_um(value, unit) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("value", "unit", "expected"), [("120", "ms", 0.12), ("2", "min", 120.0), ("3", None, 3.0)]
)
def test_times(value: str, unit: str | None, expected: float) -> None:
    assert time_s(value, unit) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("488", None, 488.0),
        ("488.6", "nm", 488.6),
        ("488600", None, 488.6),
        ("488600", "pm", 488.6),
        ("0.488", "\u00b5m", 488.0),
        ("0.488", None, 488.0),
        ("4.88e-7", None, 488.0),
        ("0", None, None),
        ("-1", None, None),
        ("7", None, None),
    ],
)
def test_wavelengths_with_mixed_up_units(value: str, unit: str | None, expected: float | None) -> None:
    assert wavelength_nm(value, unit) == (None if expected is None else pytest.approx(expected))
