"""What a walk finds in Zarr stores, what it leaves out, and what it refuses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from autodip_zarr.domain import FieldOfPlate, ImageRef, Skipped
from autodip_zarr.stores import read_header, read_planes, walk, walk_results

from .builders import (
    ZarrFormat,
    copy_image,
    images,
    only,
    pixels,
    write_array,
    write_group,
    write_image,
    write_json,
    write_plate,
    write_series,
)

FORMATS: list[ZarrFormat] = [2, 3]


def reasons(*sources: Path) -> list[str]:
    """Return the errors of a walk that finds no image."""
    found = list(walk([str(source) for source in sources]))
    assert not images(found), found
    return [item.reason for item in found if isinstance(item, Skipped) and item.is_error]


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_folder_of_everything(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    write_image(tmp_path / "b" / "named like nothing", pixels((1, 1, 1, 4, 5)), zarr_format=zarr_format)
    write_series(tmp_path / "a.zarr", zarr_format)
    write_plate(tmp_path / "c.zarr", zarr_format)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    found = list(walk([str(tmp_path)]))
    assert [(item.relative, item.group, item.image_index) for item in images(found)] == [
        ("a.zarr", "0", 0),
        ("a.zarr", "1", 1),
        ("b/named like nothing", "", 0),
        ("c.zarr", "A/1/0", 0),
        ("c.zarr", "A/1/1", 1),
        ("c.zarr", "B/2/0", 2),
        ("c.zarr", "B/2/1", 3),
    ]
    assert len(images(found)) == len(found)
    assert images(found)[-1].plate == FieldOfPlate("B", "2", "1", 7)
    assert images(found)[0].uri == str(tmp_path / "a.zarr")


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_part_of_a_store_is_seen_as_part_of_it(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    plate = write_plate(tmp_path / "p.zarr", zarr_format)
    ref = only(plate / "B" / "2" / "1")
    assert (ref.uri, ref.group, ref.relative) == (str(plate), "B/2/1", "p.zarr")
    assert (ref.plate, ref.image_index) == (FieldOfPlate("B", "2", "1", 7), 3)
    assert [item.group for item in images(list(walk([str(plate / "A")])))] == ["A/1/0", "A/1/1"]
    series = write_series(tmp_path / "s.zarr", zarr_format)
    assert only(series / "1").image_index == 1
    assert read_header(only(series / "1")).texts[0].kind == "ome-xml"


def test_rows_need_not_be_groups(tmp_path: Path) -> None:
    plate = write_plate(tmp_path / "p.zarr", 3)
    (plate / "B" / "zarr.json").unlink()
    ref = only(plate / "B" / "2" / "1")
    assert (ref.uri, ref.group, ref.relative) == (str(plate), "B/2/1", "p.zarr")


def test_an_image_is_yielded_once(tmp_path: Path) -> None:
    image = write_image(tmp_path / "x.zarr", pixels((4, 5)), "yx")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    assert only(tmp_path, image, image).source == str(image)


def test_nested_groups_are_followed(tmp_path: Path) -> None:
    for name in ("", "collection", "collection/deep"):
        write_group(tmp_path / "x" / name, 3, {})
    write_image(tmp_path / "x" / "collection" / "deep" / "image", pixels((4, 5)), "yx")
    write_array(tmp_path / "x" / "table", pixels((4, 5)), 3)
    ref = only(tmp_path / "x")
    assert (ref.uri, ref.group) == (str(tmp_path / "x"), "collection/deep/image")


def test_a_plate_inside_a_group_is_a_store_of_its_own(tmp_path: Path) -> None:
    write_group(tmp_path / "screen", 3, {})
    plate = write_plate(tmp_path / "screen" / "p", 3)
    ref = images(list(walk([str(tmp_path)])))[-1]
    assert (ref.uri, ref.group, ref.relative) == (str(plate), "B/2/1", "screen/p")
    ref = only(plate / "B/2/1")
    assert (ref.uri, ref.group, ref.relative) == (str(plate), "B/2/1", "screen/p")


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_numbered_images_without_a_list(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    write_group(tmp_path / "x", zarr_format, {"bioformats2raw.layout": 3})
    for name in ("0", "1", "3"):
        write_image(tmp_path / "x" / name, pixels((4, 5)), "yx", zarr_format)
    assert [item.group for item in images(list(walk([str(tmp_path / "x")])))] == ["0", "1"]


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_labels_and_results_are_left_out(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    image = write_image(tmp_path / "x.zarr", pixels((4, 5)), "yx", zarr_format)
    write_group(image / "labels", zarr_format, {"labels": ["cells"]})
    write_image(image / "labels" / "cells", pixels((4, 5)), "yx", zarr_format, {"image-label": {}})
    ref = only(tmp_path)
    nested = copy_image(read_header(ref), f"{ref.source}/denoised", zarr_format)
    beside = copy_image(read_header(ref), str(tmp_path / "out" / "y.zarr"), zarr_format)
    assert only(tmp_path) == ref
    assert [item.source for item in images(list(walk_results([str(tmp_path)])))] == [beside.uri, nested.uri]
    for uri in (nested.uri, beside.uri):
        (skipped,) = walk([uri])
        assert isinstance(skipped, Skipped)
        assert (skipped.is_error, skipped.reason) == (False, "holds only results of this program")
    label = write_image(tmp_path / "alone.zarr", pixels((4, 5)), "yx", zarr_format, {"image-label": {}})
    assert list(walk([str(label)])) == [Skipped(str(label), "a label image")]


def test_results_beside_fields_are_left_out(tmp_path: Path) -> None:
    plate = write_plate(tmp_path / "p.zarr", 2, wells=("A/1",))
    before = list(walk([str(plate)]))
    copy_image(read_header(images(before)[0]), f"{plate}/A/1/0denoised", 2)
    well = json.loads((plate / "A/1/.zattrs").read_text())
    well["well"]["images"].insert(1, {"path": "0denoised", "acquisition": 7})
    write_json(plate / "A/1/.zattrs", well)
    assert list(walk([str(plate)])) == before
    assert [item.group for item in images(list(walk_results([str(plate)])))] == ["A/1/0denoised"]


def test_chunks_are_never_listed(tmp_path: Path) -> None:
    """A folder among the chunks that cannot be listed does no harm, because nobody looks."""
    image = write_image(tmp_path / "x.zarr", pixels((4, 5)), "yx", 2)
    write_image(image / "0" / "trap", pixels((4, 5)), "yx", 2)
    write_array(tmp_path / "plain.zarr", pixels((4, 5)), 2)
    write_image(tmp_path / "plain.zarr" / "trap", pixels((4, 5)), "yx", 2)
    assert only(tmp_path).source == str(image)


def test_missing_and_foreign_sources(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    write_array(tmp_path / "array.zarr", pixels((4, 5)), 3)
    assert reasons(tmp_path / "nowhere") == ["is missing; check the path"]
    assert "is no image" in reasons(tmp_path / "notes.txt")[0]
    assert "holds no image" in reasons(tmp_path / "empty")[0]
    assert "is a Zarr array" in reasons(tmp_path / "array.zarr")[0]
    assert "cannot be read" in next(iter(walk(["nosuch://x/y"]))).reason  # type: ignore[union-attr]


def test_broken_metadata_does_not_stop_the_walk(tmp_path: Path) -> None:
    good = write_image(tmp_path / "z.zarr", pixels((4, 5)), "yx")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "zarr.json").write_text('{"zarr_format": 3,')
    write_json(tmp_path / "list" / "zarr.json", [1, 2])
    write_json(tmp_path / "other" / "zarr.json", {"zarr_format": 9, "node_type": "group"})
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".zattrs").write_text("[" * 100_000)
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / ".zattrs").write_bytes(b"\xff\xfe\x00{")
    found = list(walk([str(tmp_path)]))
    assert [item.source for item in images(found)] == [str(good)]
    errors = [item for item in found if isinstance(item, Skipped)]
    assert all(item.is_error for item in errors)
    assert [Path(item.source).name for item in errors] == ["binary", "broken", "deep", "list", "other"]
    assert all(item.at.startswith(f"{item.source}/") for item in errors)


MULTISCALES = {"axes": [{"name": "y"}, {"name": "x"}], "datasets": [{"path": "0"}]}


@pytest.mark.parametrize(
    "multiscales",
    [
        [],
        {},
        "x",
        [3],
        [{}],
        [{"datasets": []}],
        [{"datasets": [{"path": "../../secret"}]}],
        [{"datasets": [{"path": "0"}, {"path": "/etc"}]}],
        [{"datasets": [{"path": 3}]}],
        [{"datasets": [{"path": "1"}]}],
    ],
)
def test_hostile_multiscales_are_refused(tmp_path: Path, multiscales: object) -> None:
    write_image(tmp_path / "secret", pixels((4, 5)), "yx", 2)
    image = write_image(tmp_path / "x" / "y.zarr", pixels((4, 5)), "yx", 2)
    write_json(image / ".zattrs", {"multiscales": multiscales})
    assert len(reasons(image)) == 1


@pytest.mark.parametrize("path", ["../B/2", "/A/1", "s3://bucket/A/1", None, "C/9"])
def test_wells_that_are_not_there_or_outside(tmp_path: Path, path: object) -> None:
    plate = write_plate(tmp_path / "p.zarr", 2, wells=("A/1",), fields=1)
    document = json.loads((plate / ".zattrs").read_text())
    document["plate"]["wells"].insert(0, {"path": path})
    write_json(plate / ".zattrs", document)
    found = list(walk([str(plate)]))
    assert isinstance(found[0], Skipped)
    assert found[0].is_error
    assert [item.group for item in images(found)] == ["A/1/0"]


@pytest.mark.parametrize("bad", [{"path": "../../A/1/0"}, {"path": "9"}, {}, 3])
def test_fields_that_are_not_there_or_outside(tmp_path: Path, bad: object) -> None:
    plate = write_plate(tmp_path / "p.zarr", 3, wells=("A/1", "B/2"), fields=1)
    document = json.loads((plate / "A/1/zarr.json").read_text())
    document["attributes"]["ome"]["well"]["images"].append(bad)
    write_json(plate / "A/1/zarr.json", document)
    found = list(walk([str(plate)]))
    assert sum(isinstance(item, Skipped) and item.is_error for item in found) == 1
    assert images(found)[-1].group == "B/2/0"


def test_series_that_are_not_there_or_outside(tmp_path: Path) -> None:
    series = write_series(tmp_path / "s.zarr", 3)
    write_group(series / "OME", 3, {"series": ["0", "7", "1"]})
    found = list(walk([str(series)]))
    assert [(item.group, item.image_index) for item in images(found)] == [("0", 0), ("1", 2)]
    assert isinstance(found[1], Skipped)
    write_group(series / "OME", 3, {"series": ["0", "../other"]})
    assert len(reasons(series)) == 1


@pytest.mark.parametrize("inner", ["", "x.zarr"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_zipped_stores(tmp_path: Path, zarr_format: ZarrFormat, inner: str) -> None:
    plate = write_plate(tmp_path / "plain" / "p.zarr", zarr_format)
    archive = tmp_path / "zipped" / "p.ozx"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as out:
        for file in sorted(plate.rglob("*")):
            out.write(file, Path(inner) / file.relative_to(plate))
    for source in (archive, archive.parent):
        found = list(walk([str(source)]))
        groups = ["A/1/0", "A/1/1", "B/2/0", "B/2/1"]
        assert [item.group for item in images(found)] == [f"{inner}/{g}" if inner else g for g in groups]
        assert {(item.uri, item.relative) for item in images(found)} == {(str(archive), "p.ozx")}


def test_a_folder_named_like_an_archive_is_a_folder(tmp_path: Path) -> None:
    write_group(tmp_path / "x.zip" / "screen", 3, {})
    plate = write_plate(tmp_path / "x.zip" / "screen" / "p", 3, wells=("A/1",), fields=1)
    ref = only(tmp_path / "x.zip")
    assert (ref.uri, ref.group, ref.relative) == (str(plate), "A/1/0", "screen/p")


def test_archives_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "papers.zip", "w") as out:
        out.writestr("paper.txt", "no image")
    (tmp_path / "broken.zip").write_bytes(b"no archive")
    (tmp_path / "broken.ozx").write_bytes(b"no archive")
    image = write_image(tmp_path / "x.zarr", pixels((4, 5)), "yx")
    found = list(walk([str(tmp_path)]))
    assert [item.source for item in found if isinstance(item, Skipped)] == [str(tmp_path / "broken.ozx")]
    assert [item.source for item in images(found)] == [str(image)]
    assert "is no zip archive" in reasons(tmp_path / "broken.zip")[0]


@pytest.mark.shared
def test_reference_stores(shared: Path) -> None:
    found = list(walk([str(shared / "data" / "ome-zarr")]))
    assert all(isinstance(item, ImageRef) for item in found)
    assert [(item.relative, item.group) for item in images(found)][:3] == [
        ("2d.zarr", ""),
        ("bf2raw.zarr", "0"),
        ("bf2raw.zarr", "1"),
    ]
    assert [item.image_index for item in images(found) if item.relative == "hcs.zarr"] == list(range(8))
    assert images(found)[-1].relative == "viv-bioformats-zarr/data.zarr"


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_multiscales_win_over_a_layout_at_the_root(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    data = pixels((1, 8, 9))
    path = write_image(tmp_path / "x.zarr", data, "cyx", zarr_format, {"bioformats2raw.layout": 3})
    header = read_header(only(path))
    np.testing.assert_array_equal(read_planes(header, 0, [(0, 0)]), data)
    copy_image(header, str(tmp_path / "out.zarr"), zarr_format)
    assert only(path).group == ""


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_layout_without_an_image_is_named(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    write_group(tmp_path / "x.zarr", zarr_format, {"bioformats2raw.layout": 3})
    assert reasons(tmp_path / "x.zarr")[0].startswith("is a bioformats2raw layout that has no group 0")
    write_group(tmp_path / "x.zarr" / "OME", zarr_format, {"series": []})
    assert reasons(tmp_path)[0] == "is a bioformats2raw layout that lists no series"


NAMES = ["{0}", "a{b", "}{", "%s", "$(x)", "x;y", "a b", "~", "{x!r:9}", "\\n"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_ends_more_than_its_own_image(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / f"{name}.zarr", pixels((1, 8, 9)), "cyx", 2)
    broken = write_image(tmp_path / f"{name} broken.zarr", pixels((1, 8, 9)), "cyx", 2)
    document = json.loads((broken / ".zattrs").read_text())
    document["multiscales"][0]["datasets"][0]["path"] = f"../{name}"
    write_json(broken / ".zattrs", document)
    found = list(walk([str(tmp_path)]))
    assert [Path(item.source).name for item in images(found)] == [f"{name}.zarr"]
    assert len(found) == 2
