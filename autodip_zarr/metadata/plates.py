"""Wells and fields of plates: what people type to choose some."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from autodip_zarr.domain import FieldOfPlate
from autodip_zarr.metadata.units import whole_number

__all__ = ["is_field", "is_well", "well_name"]

_PADDED = re.compile(r"^([^\W\d_]+/?)0+(\d+)$")
_RANGE = re.compile(r"^(\d*):(\d*)$")


def well_name(plate: FieldOfPlate) -> str:
    """Return the name of a well as people write it: row, then column."""
    return f"{plate.row}{plate.column}"


def is_well(plate: FieldOfPlate, patterns: Sequence[str]) -> bool:
    """Whether a well is one of those that were typed.

    Parameters
    ----------
    plate : FieldOfPlate
        Where the image lies.
    patterns : sequence of str
        Names such as ``A01``, ``a1`` or ``A/1``, which mean the same well, and patterns such as ``B*``.
    """
    plain = plate.column.lstrip("0") or plate.column
    columns = {plate.column, plain, plain.zfill(2)}
    names = {f"{plate.row}{column}".casefold() for column in columns}
    paths = {f"{plate.row}/{column}".casefold() for column in columns}
    for pattern in patterns:
        typed = pattern.strip().casefold()
        spellings = {typed, _PADDED.sub(r"\1\2", typed)}
        if any(fnmatchcase(name, one) for one in spellings for name in (paths if "/" in one else names)):
            return True
    return False


def is_field(plate: FieldOfPlate, patterns: Sequence[str]) -> bool:
    """Whether a field is one of those that were typed.

    Parameters
    ----------
    plate : FieldOfPlate
        Where the image lies.
    patterns : sequence of str
        Names such as ``0``, patterns such as ``fov*``, and half-open ranges of numbers such as ``0:3``.
    """
    field = plate.field.casefold()
    for pattern in patterns:
        typed = pattern.strip().casefold()
        ends = _RANGE.match(typed)
        if fnmatchcase(field, typed):
            return True
        number = whole_number(field)
        if number is None:
            continue
        if whole_number(typed) == number:
            return True
        if (
            ends
            and (whole_number(ends[1]) or 0) <= number
            and (not ends[2] or number < (whole_number(ends[2]) or 0))
        ):
            return True
    return False
