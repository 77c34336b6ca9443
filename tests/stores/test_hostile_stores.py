"""Stores made to do harm: each thing in them is refused by name, and the images beside it are still read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autodip_zarr.domain import ImageRef, Skipped
from autodip_zarr.errors import HeaderError, PixelError, SourceError
from autodip_zarr.metadata import load_vocabulary
from autodip_zarr.metadata.acquisition import read_acquisition
from autodip_zarr.stores import read_header, read_planes, read_plate, walk, write_plate_layout

from .builders import ZarrFormat, only, pixels, write_group, write_image, write_pages, write_plate

OUTSIDE = [
    "../outside.zarr",
    "/etc",
    "a/../../outside.zarr",
    "s3://bucket/x",
    "C:\\x",
    "..",
    "a//b",
    "x\x00y",
]
BOMB = (
    '<!DOCTYPE OME [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    '<OME><Image Name="&c;"/></OME>'
)
EXTERNAL = '<!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/passwd">]><OME><Image Name="a"/>&x;</OME>'
DEEP = "<OME>" + "<a>" * 2_000_000


def change(path: Path, **values: Any) -> None:
    """Replace fields of a JSON document."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def read_all(folder: Path) -> list[str]:
    """Read whatever a folder holds, and return why not."""
    reasons = []
    for item in walk([str(folder)]):
        if isinstance(item, Skipped):
            reasons.append(item.reason)
            continue
        try:
            header = read_header(item)
            read_acquisition(header, load_vocabulary())
            read_planes(header, 0, [(0, 0)])
        except SourceError as error:
            reasons.append(str(error))
    return reasons


@pytest.mark.parametrize(
    "content", [BOMB, EXTERNAL, DEEP, DEEP + "</a>" * 2_000_000 + "</OME>"], ids=range(4)
)
def test_headers_that_explode(tmp_path: Path, content: str) -> None:
    """In a store and in a TIFF; 6 to 14 MB of nesting end at the 65th level."""
    write_image(tmp_path / "x.zarr", pixels((1, 8, 9)), "cyx")
    (tmp_path / "x.zarr" / "OME").mkdir()
    (tmp_path / "x.zarr" / "OME" / "METADATA.ome.xml").write_text(content)
    (tmp_path / "y").mkdir()
    write_pages(tmp_path / "y" / "y.ome.tif", pixels((1, 8, 9)), content)
    for folder in (tmp_path / "x.zarr", tmp_path / "y"):
        (reason,) = read_all(folder)
        assert "without DTD and entities" in reason or "more than 64 nested elements" in reason


def test_a_hundred_megabytes_of_header_are_not_read(tmp_path: Path) -> None:
    write_image(tmp_path / "x.zarr", pixels((1, 8, 9)), "cyx")
    (tmp_path / "x.zarr" / "OME").mkdir()
    with (tmp_path / "x.zarr" / "OME" / "METADATA.ome.xml").open("w") as file:
        file.write("<OME>")
        for _ in range(100):
            file.write("<a>" * (2**20 // 3))
    header = read_header(only(tmp_path / "x.zarr"))
    assert header.texts == ()
    assert "is larger than" in header.warnings[0]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_paths_that_leave_the_store(tmp_path: Path, path: str, zarr_format: ZarrFormat) -> None:
    write_image(tmp_path / "outside.zarr", pixels((1, 8, 9)), "cyx", zarr_format)
    image = {"datasets": [{"path": path}], "axes": [{"name": name} for name in "cyx"]}
    attacks: dict[str, dict[str, Any]] = {
        "image": {"multiscales": [image]},
        "series": {"bioformats2raw.layout": 3},
        "plate": {"plate": {"wells": [{"path": path}]}},
        "field": {"plate": {"wells": [{"path": "A/1"}]}},
    }
    for name, attributes in attacks.items():
        write_group(tmp_path / "in" / f"{name}.zarr", zarr_format, attributes)
    write_group(tmp_path / "in" / "series.zarr" / "OME", zarr_format, {"series": [path]})
    write_group(
        tmp_path / "in" / "field.zarr" / "A" / "1", zarr_format, {"well": {"images": [{"path": path}]}}
    )
    reasons = read_all(tmp_path / "in")
    assert len(reasons) == 4
    assert all("a path inside the store" in reason for reason in reasons)


def test_a_layout_that_lists_what_lies_outside_is_not_mirrored(tmp_path: Path) -> None:
    """A plate's ``OME/series`` may name anything; a result written around it names only what is in it."""
    plate = write_plate(tmp_path / "plate.zarr", 3, wells=("A/1",), fields=1)
    write_group(plate / "OME", 3, {"series": ["A/1/0", "../../outside", "/etc"]})
    write_plate_layout(str(tmp_path / "out" / "plate.zarr"), 3, read_plate(str(plate)), ["A/1/0"])
    written = "".join(path.read_text() for path in (tmp_path / "out").rglob("zarr.json"))
    assert "outside" not in written
    assert "/etc" not in written


def test_plates_and_folders_that_lead_in_circles(tmp_path: Path) -> None:
    plate = write_plate(tmp_path / "plate.zarr", 3, wells=("A/1",), fields=1)
    (plate / "A" / "1" / "1").symlink_to(plate)  # the second field of the well is the plate itself
    change(
        plate / "A" / "1" / "zarr.json",
        attributes={"ome": {"version": "0.5", "well": {"images": [{"path": "0"}, {"path": "1"}]}}},
    )
    write_group(tmp_path / "loop", 3, {})
    (tmp_path / "loop" / "again").symlink_to(tmp_path / "loop")
    found = list(walk([str(tmp_path)]))
    assert len([item for item in found if isinstance(item, ImageRef)]) == 1
    assert [item.reason for item in found if isinstance(item, Skipped)] == [
        "is listed in the well and is no image there"
    ]


SIZES: dict[str, dict[str, Any]] = {
    "negative": {"shape": [1, -8, 9]},
    "empty": {"shape": [1, 0, 9]},
    "giant plane": {"shape": [1, 10**12, 10**12]},
    "giant channels": {"shape": [10**12, 8, 9]},
    "not whole": {"shape": [1, 8.5, 9]},
    "text": {"shape": ["1", "8", "9"]},
    "too many digits": {"shape": [1, 8, 10**400]},
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_that_make_no_sense(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "x.zarr", pixels((1, 8, 9)), "cyx")
    write_image(tmp_path / "good.zarr", pixels((1, 8, 9)), "cyx")
    change(tmp_path / "x.zarr" / "0" / "zarr.json", **SIZES[name])
    (reason,) = read_all(tmp_path)
    assert "x.zarr" in reason
    assert "found" in reason


@pytest.mark.parametrize("chunk", [[1, 10**12, 10**12], [1, -8, 9], [1, 0, 9], [1, 8], [10**30] * 3])
def test_chunks_that_make_no_sense(tmp_path: Path, chunk: list[int]) -> None:
    write_image(tmp_path / "x.zarr", pixels((1, 8, 9)), "cyx")
    grid = {"name": "regular", "configuration": {"chunk_shape": chunk}}
    change(tmp_path / "x.zarr" / "0" / "zarr.json", chunk_grid=grid)
    with pytest.raises(HeaderError, match="chunk"):
        read_header(only(tmp_path / "x.zarr"))


@pytest.mark.parametrize(
    "kind", ["|O", "object", "<M8[s]", "V1000000000", "__import__('os')", "f8,f8", "9" * 5000, 3]
)
def test_types_that_are_no_numbers(tmp_path: Path, kind: object) -> None:
    write_image(tmp_path / "x.zarr", pixels((1, 8, 9)), "cyx", 2)
    change(tmp_path / "x.zarr" / "0" / ".zarray", dtype=kind)
    with pytest.raises(HeaderError, match="a number type"):
        read_header(only(tmp_path / "x.zarr"))


CODECS: list[Any] = [
    [{"id": "pickle"}],
    [{"name": "os.system", "configuration": {"command": "true"}}],
    [{"name": "bytes", "configuration": {"endian": "sideways"}}],
    [{"name": "bytes"}, {"name": "zstd", "configuration": {"level": 10**9}}],
    [{"name": "bytes"}, {"name": "gzip", "configuration": {"level": "x"}}],
    "bytes",
    [],
    [[]],
    [
        {
            "name": "sharding_indexed",
            "configuration": {"chunk_shape": [1, 3, 3], "codecs": [], "index_codecs": []},
        }
    ],
]


@pytest.mark.parametrize("codecs", CODECS, ids=range(len(CODECS)))
def test_codecs_that_are_none(tmp_path: Path, codecs: object) -> None:
    write_image(tmp_path / "x.zarr", pixels((1, 8, 9)), "cyx")
    change(tmp_path / "x.zarr" / "0" / "zarr.json", codecs=codecs)
    with pytest.raises((HeaderError, PixelError), match=r"x\.zarr"):
        read_planes(read_header(only(tmp_path / "x.zarr")), 0, [(0, 0)])


@pytest.mark.parametrize("object_codec", [{"id": "pickle"}, {"id": "nosuch"}, {"id": "blosc", "cname": "x"}])
def test_compressors_and_filters_that_are_none(tmp_path: Path, object_codec: dict[str, Any]) -> None:
    """Pickled objects are code: a chunk of them is never opened."""
    write_image(tmp_path / "x.zarr", pixels((1, 8, 9)), "cyx", 2)
    for name in ("compressor", "filters"):
        value = object_codec if name == "compressor" else [object_codec]
        change(tmp_path / "x.zarr" / "0" / ".zarray", **{name: value})
        with pytest.raises((HeaderError, PixelError), match=r"x\.zarr"):
            read_planes(read_header(only(tmp_path / "x.zarr")), 0, [(0, 0)])
