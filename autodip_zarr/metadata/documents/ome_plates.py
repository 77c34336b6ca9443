"""Where in a plate an OME-XML header says that an image lies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from autodip_zarr.domain import FieldOfPlate
from autodip_zarr.metadata.documents.ome_xml import ImageNode, Located, OmeDocument
from autodip_zarr.metadata.units import whole_number

__all__ = ["field_in_header"]

_LETTERS = 26


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
        rest, letter = divmod(rest - 1, _LETTERS)
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
