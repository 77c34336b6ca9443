"""Headers of OME-Zarr images: what is understood, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autodip_zarr.domain import ChannelDisplay, Header, ImageRef
from autodip_zarr.errors import AutodipError, HeaderError, SourceError
from autodip_zarr.stores import read_header, read_planes, walk
from autodip_zarr.stores.access.errors import METADATA_LIMIT

from .builders import (
    ZarrFormat,
    images,
    ome_xml,
    only,
    pixels,
    write_array,
    write_group,
    write_image,
    write_json,
    write_plate,
)

FORMATS: list[ZarrFormat] = [2, 3]
ORDERS = ["tczyx", "tcyx", "czyx", "tzyx", "zyx", "cyx", "tyx", "yx", "tczxy", "xy"]


def ref_to(path: Path) -> ImageRef:
    return ImageRef("ome-zarr", str(path), "", None, 0, path.name)


def names(header: Header) -> str:
    return "".join(axis.name for axis in header.axes)


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("axes", ORDERS)
def test_axes_are_known_by_name(tmp_path: Path, axes: str, zarr_format: ZarrFormat) -> None:
    size = {"t": 2, "c": 3, "z": 4, "y": 5, "x": 6}
    data = pixels([size[name] for name in axes])
    header = read_header(only(write_image(tmp_path / "x.zarr", data, axes, zarr_format)))
    assert (names(header), header.levels[0].shape, header.dtype) == (axes, data.shape, "uint16")
    assert (header.zarr_format, header.ome_version) == (zarr_format, "0.4" if zarr_format == 2 else "0.5")
    full = data.transpose(sorted(range(data.ndim), key=lambda i: "tczyx".index(axes[i])))
    full = full.reshape([size[name] if name in axes else 1 for name in "tczyx"])
    for c in range(header.size("c")):
        positions = [(t, z) for t in range(header.size("t")) for z in range(header.size("z"))]
        expected = full[:, c].reshape(-1, 5, 6)
        np.testing.assert_array_equal(read_planes(header, c, positions), expected)
        np.testing.assert_array_equal(read_planes(header, c, positions[::-2]), expected[::-2])


def test_every_header_field(tmp_path: Path) -> None:
    axes = [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    scales = [[1, 0.5, 0.25], [1, 1.0, 0.5]]
    steps = [
        [{"type": "scale", "scale": s}, {"type": "translation", "translation": [0, 1, 2]}] for s in scales
    ]
    image = {
        "name": "cells",
        "axes": axes,
        "datasets": [{"path": f"s{i}", "coordinateTransformations": s} for i, s in enumerate(steps)],
        "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 2]}],
    }
    channels = [{"label": "DAPI", "color": "#0000ff", "active": False}, {"color": "blue"}, 3]
    path = tmp_path / "x.zarr"
    document = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {
            "ome": {"version": "0.5", "multiscales": [image], "omero": {"channels": channels}, "odd": 1},
            "microscope": "Zeiss",
        },
    }
    write_json(path / "zarr.json", document)
    write_array(path / "s0", pixels((4, 64, 96)), 3, chunks=(1, 16, 32), shards=(1, 64, 96))
    write_array(path / "s1", pixels((4, 32, 48)), 3)
    (path / "ro-crate-metadata.json").write_text('{"@graph": []}')
    (path / "METADATA.ome.xml").write_text(ome_xml([(1, 4, 1, 64, 96)]))
    header = read_header(only(path))
    assert header.name == "cells"
    assert [(level.path, level.scale, level.translation) for level in header.levels] == [
        ("s0", (1.0, 1.0, 0.5), (0.0, 2.0, 4.0)),
        ("s1", (1.0, 2.0, 1.0), (0.0, 2.0, 4.0)),
    ]
    assert header.chunk == (1, 16, 32)
    blank = ChannelDisplay(None, None, None)
    assert header.channels == (ChannelDisplay("DAPI", "0000FF", active=False), blank, blank, blank)
    assert [axis.unit for axis in header.axes] == [None, "micrometer", "micrometer"]
    texts = {text.kind: json.loads(text.content) for text in header.texts if text.kind != "ome-xml"}
    assert texts["zarr-attributes-json"] == {"microscope": "Zeiss", "ome": {"odd": 1}}
    assert texts["omero-json"] == {"channels": channels}
    assert texts["ro-crate-json"] == {"@graph": []}
    assert header.texts[0].source == str(path / "METADATA.ome.xml")
    assert header.fingerprint.checksum is not None
    assert header.fingerprint.size_bytes == (path / "zarr.json").stat().st_size
    assert header.warnings == ()


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (None, "tczyx"),
        (["t", "c", "z", "y", "x"], "tczyx"),
        ([{"name": n} for n in "TCZYX"], "tczyx"),
        ([{"name": "frame", "type": "time"}, {"name": "wave", "type": "channel"}, "z", "y", "x"], "tczyx"),
    ],
)
def test_axes_of_older_versions(tmp_path: Path, axes: object, expected: str) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((1, 2, 1, 4, 5)), "tczyx", 2)
    image: dict[str, object] = {"version": "0.1", "datasets": [{"path": "0"}]}
    write_json(path / ".zattrs", {"multiscales": [image if axes is None else {**image, "axes": axes}]})
    assert names(read_header(only(path))) == expected


def test_scales_of_older_versions_follow_the_shapes(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((1, 1, 1, 8, 9)), "tczyx", 2)
    write_array(path / "1", pixels((1, 1, 1, 4, 4)), 2)
    write_json(path / ".zattrs", {"multiscales": [{"datasets": [{"path": "0"}, {"path": "1"}]}]})
    assert read_header(only(path)).levels[1].scale == (1.0, 1.0, 1.0, 2.0, 2.25)


def test_version_0_6_is_read_tolerantly(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((3, 4, 5)), "cyx", 3)
    sequence = {
        "type": "sequence",
        "transformations": [
            {"type": "scale", "scale": [1, 2, 3]},
            {"type": "translation", "translation": [0, 1, 1]},
        ],
    }
    image = {
        "coordinateSystems": [{"name": "physical", "axes": [{"name": n} for n in "cyx"]}],
        "datasets": [{"path": "0", "coordinateTransformations": [sequence]}],
    }
    inner = {"ome": {"version": "0.6", "multiscales": [image]}}
    write_json(path / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": inner})
    header = read_header(only(path))
    assert (names(header), header.ome_version) == ("cyx", "0.6")
    assert (header.levels[0].scale, header.levels[0].translation) == ((1, 2, 3), (0, 1, 1))


@pytest.mark.parametrize(
    "step",
    [
        {"type": "scale", "scale": [1, 1]},
        {"type": "scale", "scale": [1, 0, 1]},
        {"type": "scale", "scale": [1, "x", 1]},
        {"type": "scale", "scale": [1, float("nan"), 1]},
        {"type": "scale", "path": "../x"},
        {"type": "affine"},
        {"type": {}},
        7,
    ],
)
def test_odd_transformations_are_warned_of(tmp_path: Path, step: object) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((3, 4, 5)), "cyx", 2)
    document = json.loads((path / ".zattrs").read_text())
    document["multiscales"][0]["datasets"][0]["coordinateTransformations"] = [step]
    write_json(path / ".zattrs", document)
    header = read_header(only(path))
    assert header.levels[0].scale == (1.0, 1.0, 1.0)
    told = ("is not understood", "makes no sense along every axis")
    assert any(words in header.warnings[0] for words in told)


@pytest.mark.parametrize("bad", [0, -0.5, None, "x", float("nan"), 1e999, True])
def test_one_bad_number_spoils_its_own_axis_alone(tmp_path: Path, bad: object) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((3, 8, 10)), "zyx", 2)
    write_array(path / "1", pixels((3, 4, 5)), 2)
    document = json.loads((path / ".zattrs").read_text())
    scales = [[bad, 0.5, 0.25], [7, 1.0, bad]]
    document["multiscales"][0]["datasets"] = [
        {
            "path": str(index),
            "coordinateTransformations": [
                {"type": "scale", "scale": scale},
                {"type": "translation", "translation": [bad if bad != -0.5 else 0, 0, index / 4]},
            ],
        }
        for index, scale in enumerate(scales)
    ]
    write_json(path / ".zattrs", document)
    header = read_header(only(path))
    assert [level.scale for level in header.levels] == [(1.0, 0.5, 0.25), (7.0, 1.0, 0.5)]
    assert [level.translation for level in header.levels] == [(0.0, 0.0, 0.0), (0.0, 0.0, 0.25)]
    told = " ".join(header.warnings)
    assert "the scale along z is taken for 1" in told
    assert "the scale along x follows from the shapes" in told


@pytest.mark.parametrize(
    "steps", [None, [], [{"type": "identity"}], [{"type": "translation", "translation": [0, 1, 1]}]]
)
def test_a_level_without_a_scale_follows_the_full_resolution(tmp_path: Path, steps: object) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((3, 8, 10)), "zyx", 3)
    write_array(path / "1", pixels((3, 4, 5)), 3)
    document = json.loads((path / "zarr.json").read_text())
    image = document["attributes"]["ome"]["multiscales"][0]
    image["datasets"] = [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2, 0.1, 0.1]}]},
        {"path": "1"} if steps is None else {"path": "1", "coordinateTransformations": steps},
    ]
    write_json(path / "zarr.json", document)
    header = read_header(only(path))
    assert [level.scale for level in header.levels] == [(2, 0.1, 0.1), (2, 0.2, 0.2)]
    assert ("follows from the shapes" in " ".join(header.warnings)) == (steps is not None)


Change = Callable[[dict[str, Any]], object]


def image_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["multiscales"][0]
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda d: image_of(d).update(axes=[{"name": "y"}, {"name": "x"}]),
        lambda d: image_of(d).update(axes=[{"name": n} for n in "yyx"]),
        lambda d: image_of(d).update(axes=[{"name": n} for n in "czx"]),
        lambda d: image_of(d).update(axes=[{"name": 3}, "y", "x"]),
        lambda d: image_of(d).update(axes=[{"name": "lambda"}, "y", "x"]),
        lambda d: image_of(d).update(axes="cyx"),
        lambda d: image_of(d).pop("axes"),
        lambda d: image_of(d).update(datasets=[{"path": "0"}] * 65),
        lambda d: image_of(d).update(datasets=[{"path": "0"}, {"path": "gone"}]),
        lambda d: image_of(d).update(datasets=[{"path": "0"}, {"path": "../x.zarr/0"}]),
        lambda d: d.update(multiscales=[]),
        lambda d: d.update(multiscales={"0": 1}),
        lambda d: d.pop("multiscales"),
    ],
)
def test_broken_images_are_refused(tmp_path: Path, change: Change) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((3, 4, 5)), "cyx", 2)
    document = json.loads((path / ".zattrs").read_text())
    change(document)
    write_json(path / ".zattrs", document)
    with pytest.raises(HeaderError) as caught:
        read_header(ref_to(path))
    assert str(path) in caught.value.where
    assert caught.value.found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shape", [3, 4]),
        ("shape", [3, 4, 0]),
        ("shape", [3, 4, -5]),
        ("shape", [3, 4, 5.5]),
        ("shape", [3, True, 5]),
        ("shape", "3,4,5"),
        ("chunks", [0, 1, 1]),
        ("chunks", None),
        ("dtype", "|S3"),
        ("dtype", [["a", "<u2"]]),
        ("dtype", "nonsense"),
        ("dtype", "|O"),
    ],
)
def test_broken_arrays_are_refused(tmp_path: Path, key: str, value: object) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((3, 4, 5)), "cyx", 2)
    document = json.loads((path / "0" / ".zarray").read_text())
    write_json(path / "0" / ".zarray", {**document, key: value})
    with pytest.raises(HeaderError):
        read_header(ref_to(path))


def test_levels_that_grow_are_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((4, 5)), "yx", 2)
    write_array(path / "1", pixels((8, 5)), 2)
    document = json.loads((path / ".zattrs").read_text())
    document["multiscales"][0]["datasets"].append({"path": "1"})
    write_json(path / ".zattrs", document)
    with pytest.raises(HeaderError, match="no more than the full resolution"):
        read_header(ref_to(path))


def test_giants_are_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((4, 5)), "yx", 2)
    with (path / ".zattrs").open("wb") as file:
        file.truncate(METADATA_LIMIT + 1)
    with pytest.raises(HeaderError, match="is larger than"):
        read_header(ref_to(path))


def test_what_is_no_image_is_said_so(tmp_path: Path) -> None:
    write_array(tmp_path / "array", pixels((4, 5)), 3)
    for path in (tmp_path / "array", tmp_path / "gone"):
        with pytest.raises(SourceError, match="an OME-Zarr image"):
            read_header(ref_to(path))


def test_a_shared_header_is_one_object(tmp_path: Path) -> None:
    plate = write_plate(tmp_path / "p.zarr", 3)
    write_group(plate / "OME", 3, {})
    text = ome_xml([(1, 1, 1, 8, 9)] * 4)
    (plate / "OME" / "METADATA.ome.xml").write_text(text)
    found = [read_header(ref).texts[0].content for ref in images(list(walk([str(plate)])))]
    assert found == [text] * 4
    assert len({id(one) for one in found}) == 1


def test_a_changed_header_is_read_again(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((4, 5)), "yx")
    for text in (ome_xml([(1, 1, 1, 4, 5)]), ome_xml([(1, 1, 1, 4, 5)], order="XYTCZ") + "\n"):
        (path / "METADATA.ome.xml").write_text(text)
        assert read_header(only(path)).texts[0].content == text


def test_a_header_beside_the_store_is_used_if_it_can_only_be_its_own(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((4, 5)), "yx")
    (tmp_path / "METADATA.ome.xml").write_text("<OME/>")
    assert read_header(only(path)).texts[0].source == str(tmp_path / "METADATA.ome.xml")
    write_image(tmp_path / "y.zarr", pixels((4, 5)), "yx")
    header = read_header(only(path))
    assert header.texts == ()
    assert "several stores" in header.warnings[0]


@pytest.mark.shared
def test_reference_stores(shared: Path) -> None:
    found = images(list(walk([str(shared / "data" / "ome-zarr")])))
    headers = [read_header(ref) for ref in found]
    assert {header.zarr_format for header in headers} == {2}
    viv = headers[-1]
    assert (viv.ome_version, viv.dtype, viv.levels[1].shape) == ("0.1", "int8", (1, 3, 1, 83, 219))
    assert viv.texts[0].source.endswith("viv-bioformats-zarr/METADATA.ome.xml")
    for header in headers:
        planes = read_planes(header, header.size("c") - 1, [(0, 0)])
        assert planes.shape == (1, header.size("y"), header.size("x"))


def test_errors_are_of_the_family() -> None:
    assert issubclass(HeaderError, SourceError)
    assert issubclass(SourceError, AutodipError)
