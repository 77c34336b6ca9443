"""What lies around several results: plates and bioformats2raw layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zarr
from ome_zarr_models import v04, v05

from autodip_zarr.domain import ImageRef
from autodip_zarr.errors import SourceError, TargetError
from autodip_zarr.metadata.documents.xml_tree import parse_ome_xml
from autodip_zarr.stores import (
    read_header,
    read_plate,
    walk,
    walk_results,
    write_bf2raw_layout,
    write_plate_layout,
)
from autodip_zarr.stores.tiff.ome_subset import count_images, subset_ome_xml

from .builders import (
    ZarrFormat,
    copy_image,
    images,
    ome_xml,
    pixels,
    tree,
    write_group,
    write_image,
    write_plate,
    write_series,
)

FORMATS: list[ZarrFormat] = [2, 3]


def mirror(refs: list[ImageRef], target: Path, zarr_format: ZarrFormat) -> None:
    for ref in refs:
        copy_image(read_header(ref), f"{target}/{ref.group}", zarr_format)


@pytest.mark.parametrize("source_format", FORMATS)
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_plate_is_mirrored(tmp_path: Path, source_format: ZarrFormat, zarr_format: ZarrFormat) -> None:
    plate, target = write_plate(tmp_path / "p.zarr", source_format), tmp_path / "out" / "p.zarr"
    before = tree(plate)
    refs = images(list(walk([str(plate)])))
    layout = read_plate(str(plate))
    fields = [ref.group for ref in refs]
    write_plate_layout(str(target), zarr_format, layout, fields)
    mirror(refs, target, zarr_format)
    assert [ref.group for ref in images(list(walk_results([str(target)])))] == fields
    model: Any = v04.HCS if zarr_format == 2 else v05.HCS
    found = model.from_zarr(zarr.open_group(target, mode="r"))
    attributes = found.attributes if zarr_format == 2 else found.ome_attributes
    assert [well.path for well in attributes.plate.wells] == ["A/1", "B/2"]
    assert tree(plate) == before
    assert not [item for item in walk([str(tmp_path)]) if isinstance(item, ImageRef) and item not in refs]


def test_a_plate_lists_what_is_in_the_result(tmp_path: Path) -> None:
    plate, target = write_plate(tmp_path / "p.zarr", 2), tmp_path / "out.zarr"
    layout = read_plate(str(plate))
    refs = images(list(walk([str(plate)])))

    def listed() -> tuple[dict[str, Any], dict[str, Any]]:
        document = json.loads((target / "zarr.json").read_text())["attributes"]["ome"]["plate"]
        wells = {
            well["path"]: json.loads((target / well["path"] / "zarr.json").read_text())["attributes"]["ome"][
                "well"
            ]
            for well in document["wells"]
        }
        return document, wells

    write_plate_layout(str(target), 3, layout, ["B/2/1"])
    document, wells = listed()
    assert wells == {"B/2": {"version": "0.5", "images": [{"path": "1", "acquisition": 7}]}}
    assert document["wells"] == [{"path": "B/2", "rowIndex": 1, "columnIndex": 1}]
    assert document["rows"] == [{"name": "A"}, {"name": "B"}]
    assert document["field_count"] == 1
    mirror([refs[3]], target, 3)
    write_plate_layout(str(target), 3, layout, ["A/1/0", "B/2/0"])
    document, wells = listed()
    assert [well["path"] for well in document["wells"]] == ["A/1", "B/2"]
    assert [image["path"] for image in wells["B/2"]["images"]] == ["0", "1"], "an earlier field was forgotten"
    assert document["field_count"] == 2


def test_wells_of_old_plates_get_their_indices(tmp_path: Path) -> None:
    plate = write_plate(tmp_path / "p.zarr", 2)
    document = json.loads((plate / ".zattrs").read_text())
    for well in document["plate"]["wells"]:
        del well["rowIndex"], well["columnIndex"]
    (plate / ".zattrs").write_text(json.dumps(document))
    write_plate_layout(str(tmp_path / "out"), 2, read_plate(str(plate)), ["B/2/0"])
    written = json.loads((tmp_path / "out" / ".zattrs").read_text())["plate"]
    assert written["wells"] == [{"path": "B/2", "rowIndex": 1, "columnIndex": 1}]


def test_the_header_of_a_plate_goes_along(tmp_path: Path) -> None:
    plate, target = write_plate(tmp_path / "p.zarr", 2), tmp_path / "out"
    write_group(plate / "OME", 2, {"series": ["A/1/0", "A/1/1", "B/2/0", "B/2/1"]})
    (plate / "OME" / "METADATA.ome.xml").write_text(ome_xml([(1, 1, 1, 8, 9)] * 4))
    write_plate_layout(str(target), 3, read_plate(str(plate)), ["A/1/1", "B/2/1"])
    ome = json.loads((target / "OME" / "zarr.json").read_text())["attributes"]["ome"]
    assert ome["series"] == ["A/1/1", "B/2/1"]
    text = (target / "OME" / "METADATA.ome.xml").read_text()
    assert [element.get("ID") for element in parse_ome_xml(text, "here")] == ["Image:1", "Image:3"]


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_several_images_are_mirrored(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    series, target = write_series(tmp_path / "s.zarr", zarr_format), tmp_path / "out.zarr"
    refs = images(list(walk([str(series)])))
    text = (series / "OME" / "METADATA.ome.xml").read_text()
    write_bf2raw_layout(str(target), zarr_format, ["0", "1"], text)
    mirror(refs, target, zarr_format)
    results = images(list(walk_results([str(target)])))
    assert [(ref.group, ref.image_index) for ref in results] == [("0", 0), ("1", 1)]
    assert (target / "OME" / "METADATA.ome.xml").read_text() == text
    assert read_header(results[0]).texts[0].content == text
    model: Any = v04.BioFormats2Raw if zarr_format == 2 else v05.BioFormats2Raw
    model.from_zarr(zarr.open_group(target, mode="r"))
    (skipped,) = walk([str(target)])
    assert not isinstance(skipped, ImageRef)


def test_some_of_several_images(tmp_path: Path) -> None:
    series, target = write_series(tmp_path / "s.zarr", 3, ["0", "1", "2"]), tmp_path / "out.zarr"
    text = (series / "OME" / "METADATA.ome.xml").read_text()
    refs = images(list(walk([str(series)])))

    def listed() -> tuple[list[str], list[str | None]]:
        names = json.loads((target / "OME" / "zarr.json").read_text())["attributes"]["ome"]["series"]
        written = parse_ome_xml((target / "OME" / "METADATA.ome.xml").read_text(), "here")
        return names, [element.get("ID") for element in written]

    write_bf2raw_layout(str(target), 3, ["2"], text)
    assert listed() == (["2"], ["Image:2"])
    mirror([refs[2]], target, 3)
    write_bf2raw_layout(str(target), 3, ["0"], text)
    assert listed() == (["0", "2"], ["Image:0", "Image:2"])


def test_images_that_cannot_be_told_apart_get_no_header(tmp_path: Path) -> None:
    write_bf2raw_layout(str(tmp_path / "out"), 2, ["left/a", "right/b"], ome_xml([(1, 1, 1, 8, 9)] * 3))
    assert not (tmp_path / "out" / "OME" / "METADATA.ome.xml").exists()
    assert (tmp_path / "out" / "left" / ".zgroup").exists()


def test_nothing_foreign_is_replaced(tmp_path: Path) -> None:
    image = write_image(tmp_path / "x.zarr", pixels((8, 9)), "yx")
    plate = write_plate(tmp_path / "p.zarr", 3)
    before = tree(tmp_path)
    with pytest.raises(TargetError, match="something else"):
        write_bf2raw_layout(str(image), 3, ["0"], None)
    with pytest.raises(TargetError, match="something else"):
        write_plate_layout(str(plate), 3, read_plate(str(plate)), ["A/1/0"])
    assert tree(tmp_path) == before
    with pytest.raises(SourceError, match="is no plate"):
        read_plate(str(image))


def test_images_are_cut_out_of_a_header_and_nothing_else_changes() -> None:
    text = (
        '<?xml version="1.0"?>\n<OME xmlns="x"><!-- ümlaut --><Plate ID="P"><Well ID="W" Row="0" Column="0">'
        '<WellSample ID="S:0" Index="0"><ImageRef ID="I:0"/></WellSample>'
        '<WellSample ID="S:1" Index="1"><ImageRef ID="I:1"></ImageRef></WellSample></Well></Plate>'
        '<Image ID="I:0" Name="a>b"><Pixels/></Image>\n<Image ID="I:1"/>\n<Image ID="I:2"></Image></OME>\n'
    )
    assert subset_ome_xml(text, [0, 1, 2]) is text
    expected = text.replace('<ImageRef ID="I:1"></ImageRef>', "").replace('<Image ID="I:1"/>', "")
    assert subset_ome_xml(text, [0, 2]) == expected
    assert count_images(subset_ome_xml(text, [])) == 0


def test_padding_around_a_header_is_kept() -> None:
    declared = '<?xml version="1.0" encoding="UTF-16"?>\n<OME><Image ID="I:0"/><Image ID="I:1"/></OME>'
    text = f"\ufeff\n{declared}\n\x00"
    assert count_images(text) == 2
    assert subset_ome_xml(text, [1]) == text.replace('<Image ID="I:0"/>', "")


@pytest.mark.shared
def test_reference_headers_can_be_cut(shared: Path) -> None:
    text = (shared / "data" / "ome-zarr" / "hcs.zarr" / "OME" / "METADATA.ome.xml").read_text()
    assert count_images(text) == 8
    cut = subset_ome_xml(text, [1, 6])
    whole, kept = parse_ome_xml(text, "here"), parse_ome_xml(cut, "here")
    identifiers = [element.get("ID") for element in whole if element.tag.endswith("}Image")]
    assert [element.get("ID") for element in kept if element.tag.endswith("}Image")] == [
        identifiers[1],
        identifiers[6],
    ]
