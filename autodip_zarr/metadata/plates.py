"""Wells and fields of plates: what headers call them, and what people type to choose some."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from autodip_zarr.domain import FieldOfPlate
from autodip_zarr.metadata.documents.ome_xml import ImageNode, Located, OmeDocument
from autodip_zarr.metadata.units import whole_number

__all__ = ["field_in_header", "is_field", "is_well", "well_name"]

LETTERS = 26
PADDED = re.compile(r"^([^\W\d_]+/?)0+(\d+)$")
RANGE = re.compile(r"^(\d*):(\d*)$")


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
        spellings = {typed, PADDED.sub(r"\1\2", typed)}
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
        ends = RANGE.match(typed)
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


def field_in_header(document: OmeDocument, node: ImageNode) -> FieldOfPlate | None:
    """Return where in a plate an OME-XML header says that an image lies, or ``None``.

    Parameters
    ----------
    document : OmeDocument
        The header.
    node : ImageNode
        The image.
    """
    places = document.wells.get(node.image.get("ID") or "")
    if places is None:
        return None
    plate, well, sample = places
    row, column = whole_number(well.get("Row")), whole_number(well.get("Column"))
    if row is None or column is None:
        return None
    fields = [one.element for one in well.find("WellSample")]
    return FieldOfPlate(
        row=_named(row, plate.get("RowNamingConvention") or "letter"),
        column=_named(column, plate.get("ColumnNamingConvention") or "number"),
        field=str(fields.index(sample.element)),
        acquisition=_acquisitions(document).get(sample.get("ID") or ""),
    )


def _named(index: int, convention: str) -> str:
    """Return the name of a row or column that is counted from 0."""
    if convention.strip().casefold() != "letter":
        return str(index + 1)
    name, rest = "", index + 1
    while rest:
        rest, letter = divmod(rest - 1, LETTERS)
        name = chr(ord("A") + letter) + name
    return name


@lru_cache(maxsize=2)
def _acquisitions(document: OmeDocument) -> dict[str, int]:
    """Return the number of the plate acquisition of each well sample, by the sample's ``ID``."""
    return dict(_numbered(document.root))


def _numbered(root: Located) -> Iterator[tuple[str, int]]:
    for plate in root.find("Plate"):
        for number, acquisition in enumerate(plate.find("PlateAcquisition")):
            for reference in acquisition.find("WellSampleRef"):
                yield reference.get("ID") or "", number
