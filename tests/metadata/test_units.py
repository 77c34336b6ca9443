"""Lengths, times and wavelengths come out in one unit, or not at all."""

from __future__ import annotations

import pytest

from autodip_zarr.metadata.units import LENGTH_UM, TIME_S, length_um, time_s, wavelength_nm


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
        ("488", "waves", 488.0),
        ("0", None, None),
        ("-1", None, None),
        ("7", None, None),
    ],
)
def test_wavelengths_with_mixed_up_units(value: str, unit: str | None, expected: float | None) -> None:
    assert wavelength_nm(value, unit) == (None if expected is None else pytest.approx(expected))


METRE = {
    1e-3: "km",
    1.0: "m meter",
    1e1: "dm",
    1e2: "cm centimeter",
    1e3: "mm millimeter",
    1e6: "um micron microns micrometer micrometre",
    1e9: "nm nanometer",
    1e10: "\u00e5 angstrom",
    1e12: "pm",
    1e15: "fm",
    1 / 0.0254: "in inch",
    1e3 / 0.0254: "thou",
}
DAY = {
    1.0: "d day",
    24.0: "h hour",
    1440.0: "min minute",
    86400.0: "s sec second seconds",
    864000.0: "ds",
    8640000.0: "cs",
    864e5: "ms millisecond",
    864e8: "us microsecond",
    864e11: "ns",
}


def test_a_metre_and_a_day_are_the_same_in_every_unit() -> None:
    for value, names in METRE.items():
        assert [length_um(str(value), unit) for unit in names.split()] == pytest.approx(
            [1e6] * len(names.split())
        )
    for value, names in DAY.items():
        assert [time_s(str(value), unit) for unit in names.split()] == pytest.approx(
            [86400.0] * len(names.split())
        )
    assert set(LENGTH_UM) == set(" ".join(METRE.values()).split())
    assert set(TIME_S) == set(" ".join(DAY.values()).split())
