"""Wells and fields: as people type them, and as OME-XML has them."""

from __future__ import annotations

import pytest

from autodip_zarr.domain import FieldOfPlate
from autodip_zarr.metadata import is_field, is_well, load_vocabulary, read_ome_xml, well_name
from tests.stores.builders import ome_xml

from .values import text


@pytest.mark.parametrize(
    ("typed", "row", "column", "matches"),
    [
        ("A1", "A", "1", True),
        ("A01", "A", "1", True),
        ("a1", "A", "01", True),
        ("A01", "A", "01", True),
        ("A1", "A", "10", False),
        ("A10", "A", "1", False),
        ("A010", "A", "10", True),
        ("A/1", "A", "1", True),
        ("A/01", "A", "1", True),
        ("B*", "B", "12", True),
        ("B*", "A", "12", False),
        ("*1", "C", "1", True),
        ("*1", "C", "11", True),
        ("*01", "C", "1", True),
        ("*01", "C", "11", False),
        ("[AB]02", "B", "2", True),
        ("AA1", "AA", "1", True),
        ("A1", "AA", "1", False),
        ("1/2", "1", "2", True),
        ("A0", "A", "0", True),
    ],
)
def test_wells(typed: str, row: str, column: str, matches: bool) -> None:
    assert is_well(FieldOfPlate(row, column, "0", None), [typed]) == matches


@pytest.mark.parametrize(
    ("typed", "field", "matches"),
    [
        ("0", "0", True),
        ("0", "10", False),
        ("00", "0", True),
        ("0", "00", True),
        ("0:2", "1", True),
        ("0:2", "2", False),
        ("2:", "7", True),
        (":3", "3", False),
        ("fov*", "FOV12", True),
        ("1", "fov1", False),
        ("0:2", "fov1", False),
    ],
)
def test_fields(typed: str, field: str, matches: bool) -> None:
    assert is_field(FieldOfPlate("A", "1", field, None), [typed]) == matches


def plate(attributes: str, wells: str) -> list[FieldOfPlate | None]:
    """Return the places of the images of a header with a plate."""
    header = ome_xml([(1, 1, 1, 8, 9)] * 3).replace(
        "</OME>", f'<Plate ID="Plate:0" {attributes}>{wells}</Plate></OME>'
    )
    return [one.plate for one in read_ome_xml(text(header), load_vocabulary())]


def sample(number: int) -> str:
    return (
        f'<WellSample ID="WellSample:{number}" Index="{number}"><ImageRef ID="Image:{number}"/></WellSample>'
    )


WELLS = (
    f'<Well ID="Well:0" Row="1" Column="2">{sample(0)}{sample(1)}</Well>'
    f'<Well ID="Well:1" Row="27" Column="11">{sample(2)}</Well>'
)
RUNS = (
    '<PlateAcquisition ID="PlateAcquisition:8"><WellSampleRef ID="WellSample:0"/></PlateAcquisition>'
    '<PlateAcquisition ID="PlateAcquisition:9"><WellSampleRef ID="WellSample:1"/></PlateAcquisition>'
)


def test_plate_of_a_header() -> None:
    first, second, third = plate("", WELLS + RUNS)
    assert first == FieldOfPlate("B", "3", "0", 0)
    assert second == FieldOfPlate("B", "3", "1", 1)
    assert third == FieldOfPlate("AB", "12", "0", None)
    assert first is not None
    assert well_name(first) == "B3"


def test_conventions_of_names() -> None:
    first, *_ = plate('RowNamingConvention="number" ColumnNamingConvention="letter"', WELLS)
    assert first == FieldOfPlate("2", "C", "0", None)


@pytest.mark.parametrize("attributes", ['Row="1"', 'Row="-1" Column="2"', 'Row="a" Column="b"'])
def test_a_well_without_a_place(attributes: str) -> None:
    assert plate("", f'<Well ID="Well:0" {attributes}>{sample(0)}</Well>')[0] is None
