"""Lengths and times of headers, brought to micrometers and seconds."""

from __future__ import annotations

import math
from decimal import Decimal

__all__ = ["length_um", "scaled", "time_s", "wavelength_nm", "whole_number"]

LENGTH_UM = {
    "m": 1e6,
    "dm": 1e5,
    "cm": 1e4,
    "mm": 1e3,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "å": 1e-4,
    "angstrom": 1e-4,
    "pm": 1e-6,
    "fm": 1e-9,
    "km": 1e9,
    "in": 25400.0,
    "inch": 25400.0,
    "thou": 25.4,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
}
"""Micrometers of each unit; ``pixel`` and ``reference frame`` have none."""

TIME_S = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ds": 0.1,
    "cs": 1e-2,
    "ms": 1e-3,
    "millisecond": 1e-3,
    "us": 1e-6,
    "microsecond": 1e-6,
    "ns": 1e-9,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
}
"""Seconds of each unit."""

_MOST_DIGITS = 15
_VISIBLE_NM = (200.0, 3000.0)


def length_um(value: str | None, unit: str | None) -> float | None:
    """Return a positive length in micrometers (the schema's default unit), or ``None``."""
    return _convert(value, unit or "um", LENGTH_UM)


def time_s(value: str | None, unit: str | None) -> float | None:
    """Return a positive time in seconds (the schema's default unit), or ``None``."""
    return _convert(value, unit or "s", TIME_S)


def wavelength_nm(value: str | None, unit: str | None) -> float | None:
    """Return a wavelength in nanometers, or ``None`` where it is none.

    Writers mix up units: a value that lies outside of 200 to 3000 nm as it is labelled, and inside as
    picometers, micrometers or meters, is taken as that (488600 is 488.6 nm).
    """
    number = _number(value)
    if number is None:
        return None
    stated = LENGTH_UM.get(_unit(unit or "nm"), 1e-3) * 1e3
    for factor in (stated, 1.0, 1e-3, 1e3, 1e9):
        if _VISIBLE_NM[0] <= number * factor <= _VISIBLE_NM[1]:
            return number * factor
    return None


def _convert(value: str | None, unit: str, factors: dict[str, float]) -> float | None:
    number, factor = _number(value), factors.get(_unit(unit))
    return scaled(number, factor) if number is not None and factor is not None else None


def scaled(number: float, factor: float) -> float:
    """Return a number in another unit as people would write it: 35.1 nm are 0.0351 um, in the last digit.

    Parameters
    ----------
    number : float
        As it was written, finite.
    factor : float
        What one of its units is in the other one.
    """
    return float(Decimal(repr(float(number))) * Decimal(repr(float(factor))))


def whole_number(text: str | None) -> int | None:
    """Return a number counted from 0 that is written in digits alone, or ``None``.

    Digits of other scripts count; more than 15 of them are no count of anything.
    """
    stripped = (text or "").strip()
    return int(stripped) if stripped.isdecimal() and len(stripped) <= _MOST_DIGITS else None


def _number(value: str | None) -> float | None:
    """Return a finite number above 0, or ``None``; some writers use a decimal comma, and -1 for unknown."""
    try:
        number = float((value or "").strip().replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def _unit(unit: str) -> str:
    """Spell a unit in one way; there are two Unicode characters for micro."""
    return unit.strip().replace("\u00b5", "u").replace("\u03bc", "u").lower()
