"""Results: what is written is what was meant, and others can read it."""

from __future__ import annotations

import json
import math
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from ngio import open_ome_zarr_container
from numpy.typing import NDArray
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

from autodip_zarr.domain import Axis, Block, ChannelDisplay, Level, TargetSpec
from autodip_zarr.errors import TargetError
from autodip_zarr.stores import (
    create_target,
    finish_target,
    plan_layout,
    read_attributes,
    read_header,
    read_planes,
    read_record,
    remove_target,
    target_exists,
    walk_results,
    write_block,
    write_record,
)
from autodip_zarr.stores.result.pixel_types import converted
from autodip_zarr.stores.result.validate import model_problems

from .builders import TYPES, ZarrFormat, blocks, images, pixels, rows, tree, write_image

FORMATS: list[ZarrFormat] = [2, 3]
UNITS = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}


def make_spec(
    uri: Path | str,
    zarr_format: ZarrFormat = 3,
    axes: str = "tczyx",
    shapes: tuple[tuple[int, ...], ...] = ((2, 2, 5, 60, 70), (2, 2, 5, 30, 35)),
    **changes: Any,
) -> TargetSpec:
    levels = tuple(
        Level(str(i), shape, tuple(full / n for full, n in zip(shapes[0], shape, strict=True)), None)
        for i, shape in enumerate(shapes)
    )
    block = (1, 2)
    dtype = changes.get("dtype", "uint16")
    chunk, shard = plan_layout(axes, shapes[0], dtype, block, zarr_format)
    spec = TargetSpec(
        uri=str(uri),
        zarr_format=zarr_format,
        name="cells",
        axes=tuple(Axis(name, TYPES[name], UNITS.get(name)) for name in axes),
        levels=levels,
        dtype=dtype,
        chunk=chunk,
        shard=shard,
        block_t=block[0],
        block_z=block[1],
        channels=(ChannelDisplay("DAPI", "0000FF", active=True), ChannelDisplay(None, None, None)),
    )
    return replace(spec, **changes)


def fill(spec: TargetSpec, data: NDArray[Any]) -> None:
    """Write all blocks of (T, C, Z, Y, X)."""
    for block in blocks(spec):
        planes = data[block.t.start : block.t.stop, block.c, block.z.start : block.z.stop]
        write_block(spec, block, planes.reshape(-1, *planes.shape[2:]))
        low, high = float(planes.min()), float(planes.max())
        write_record(spec, block, rows(len(block.positions), status=1, minimum=low, maximum=high))


def make_result(spec: TargetSpec) -> NDArray[Any]:
    data = pixels([spec.size(axis) for axis in "tczyx"], spec.dtype)
    create_target(spec, {"status": "running"})
    fill(spec, data)
    finish_target(spec, {"status": "complete"})
    return data


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("axes", ["tczyx", "czyx", "tyx", "yx", "cxy", "tzyx"])
def test_pixels_come_back(tmp_path: Path, axes: str, zarr_format: ZarrFormat) -> None:
    size = {"t": 2, "c": 2, "z": 5, "y": 60, "x": 70}
    shape = tuple(size[name] for name in axes)
    small = tuple(size[name] // 2 if name in "yx" else size[name] for name in axes)
    spec = make_spec(tmp_path / "x.zarr", zarr_format, axes, (shape, small))
    data = make_result(spec)
    (ref,) = images(list(walk_results([str(tmp_path)])))
    header = read_header(ref)
    assert "".join(axis.name for axis in header.axes) == axes
    assert (header.levels, header.dtype, header.zarr_format) == (spec.levels, "uint16", zarr_format)
    assert header.axes == spec.axes
    assert header.name == "cells"
    for c in range(spec.size("c")):
        positions = [(t, z) for t in range(spec.size("t")) for z in range(spec.size("z"))]
        np.testing.assert_array_equal(read_planes(header, c, positions), data[:, c].reshape(-1, 60, 70))


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_arrays_are_laid_out_as_planned(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    spec = make_spec(tmp_path / "x.zarr", zarr_format, shapes=((2, 2, 5, 1200, 70), (2, 2, 5, 600, 35)))
    create_target(spec, {})
    group = zarr.open_group(spec.uri, mode="r")
    array: Any = group["0"]
    assert array.chunks == (1, 1, 1, 600, 70)
    if zarr_format == 3:
        assert array.shards == (1, 1, 2, 1200, 70)
        assert array.metadata.dimension_names == tuple("tczyx")
        codecs = json.loads((tmp_path / "x.zarr/0/zarr.json").read_text())["codecs"]
        assert [one["name"] for one in codecs[0]["configuration"]["codecs"][1:]] == ["zstd", "crc32c"]
    else:
        document = json.loads((tmp_path / "x.zarr/0/.zarray").read_text())
        assert document["dimension_separator"] == "/"
        assert document["compressor"]["cname"] == "zstd"
    before = tree(tmp_path)
    write_block(spec, Block(1, range(1, 2), range(2, 4)), pixels((2, 1200, 70)))
    written = sorted(set(tree(tmp_path)) - set(before))
    prefix = "x.zarr/0/c/1/1" if zarr_format == 3 else "x.zarr/0/1/1"
    expected = ["1/0/0"] if zarr_format == 3 else [f"{z}/{y}/0" for z in (2, 3) for y in (0, 1)]
    assert written == [f"{prefix}/{name}" for name in expected]


def test_blocks_do_not_touch_each_other(tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "x.zarr")
    create_target(spec, {})
    done: dict[str, str] = {}
    for block in blocks(spec):
        planes = pixels((len(block.positions), 60, 70), seed=1) + 1
        write_block(spec, block, planes)
        write_record(spec, block, rows(len(planes), status=1))
        after = tree(tmp_path)
        assert all(after[name] == digest for name, digest in done.items()), "a block changed another's files"
        done |= {name: digest for name, digest in after.items() if "/c/" in name}
    once = tree(tmp_path)
    for block in reversed(blocks(spec)):
        write_block(spec, block, pixels((len(block.positions), 60, 70), seed=1) + 1)
        write_record(spec, block, rows(len(block.positions), status=1))
    assert tree(tmp_path) == once


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("axes", ["tczyx", "cyx", "yx"])
def test_others_read_a_result(tmp_path: Path, axes: str, zarr_format: ZarrFormat) -> None:
    size = {"t": 2, "c": 2, "z": 5, "y": 60, "x": 70}
    shape = tuple(size[name] for name in axes)
    small = tuple(size[name] // 2 if name in "yx" else size[name] for name in axes)
    spec = make_spec(tmp_path / "x.zarr", zarr_format, axes, (shape, small))
    data = make_result(spec).reshape(shape)
    assert model_problems(spec.uri) == []

    container = open_ome_zarr_container(spec.uri)
    np.testing.assert_array_equal(container.get_image().get_as_numpy(), data)
    assert container.levels == 2
    location = parse_url(spec.uri)
    assert location is not None
    (node,) = list(Reader(location)())
    np.testing.assert_array_equal(np.asarray(node.data[0]), data)
    assert len(node.data) == 2
    if "c" in axes:
        assert container.channel_labels == ["DAPI", "Channel 1"]
        assert node.metadata["channel_names"] == ["DAPI", "Channel 1"]


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_rendering_follows_the_result(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    spec = make_spec(tmp_path / "x.zarr", zarr_format)
    data = make_result(spec)
    attributes = dict(zarr.open_group(spec.uri, mode="r").attrs)
    ome: Any = attributes["ome"] if zarr_format == 3 else attributes
    for c, channel in enumerate(ome["omero"]["channels"]):
        window = channel["window"]
        assert window["min"] == data[:, c].min()
        assert window["max"] == data[:, c].max()
        assert window["min"] <= window["start"] < window["end"] <= window["max"]
    assert [channel["color"] for channel in ome["omero"]["channels"]] == ["0000FF", "FFFFFF"]
    assert attributes["autodip"] == {"status": "complete"}
    image = ome["multiscales"][0]
    assert (image["type"], set(image["metadata"])) == ("mean", {"description", "method"})


def test_windows_are_finite_whatever_the_pixels(tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "x.zarr", shapes=((1, 2, 1, 8, 9),), dtype="float32")
    create_target(spec, {})
    finish_target(spec, {"status": "partial"})
    ome: Any = dict(zarr.open_group(spec.uri, mode="r").attrs)["ome"]
    assert ome["omero"]["channels"][0]["window"] == {"min": 0.0, "max": 1.0, "start": 0.0, "end": 1.0}
    write_block(spec, Block(0, range(1), range(1)), np.full((1, 8, 9), np.nan, np.float32))
    finish_target(spec, {"status": "partial"})
    text = (tmp_path / "x.zarr" / "zarr.json").read_text()
    assert "NaN" not in text
    assert ome["multiscales"][0]["type"] == "mean"


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(
    st.lists(NUMBERS, min_size=1, max_size=8),
    st.sampled_from(["uint8", "int16", "uint32", "int64", "uint64"]),
)
def test_integers_are_rounded_and_clipped(values: list[float], dtype: str) -> None:
    found = converted(np.array(values), dtype, "here")
    limits = np.iinfo(dtype)
    for value, got in zip(values, found.tolist(), strict=True):
        exact = min(max(round(value), limits.min), limits.max)
        if abs(exact) < 2**53:
            assert got == exact
        else:
            assert math.isclose(got, exact, rel_tol=1e-15)


@given(
    st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=8),
    st.sampled_from(["uint8", "int16", "uint64"]),
)
def test_integers_of_another_type_are_clipped(values: list[int], dtype: str) -> None:
    limits = np.iinfo(dtype)
    expected = [min(max(value, limits.min), limits.max) for value in values]
    assert converted(np.array(values, np.int64), dtype, "here").tolist() == expected


def test_a_pixel_that_is_no_number_is_refused() -> None:
    with pytest.raises(TargetError, match="no number"):
        converted(np.array([1.0, np.nan]), "uint8", "here")
    assert np.isnan(converted(np.array([np.nan]), "float32", "here")).all()


def test_wrong_shapes_are_refused(tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "x.zarr")
    create_target(spec, {})
    with pytest.raises(TargetError, match="planes of shape"):
        write_block(spec, Block(0, range(1), range(2)), np.zeros((1, 60, 70)))
    with pytest.raises(TargetError, match="rows of shape"):
        write_record(spec, Block(0, range(1), range(2)), rows(1))
    grown = make_spec(tmp_path / "y.zarr", shapes=((1, 1, 1, 8, 8), (1, 1, 1, 9, 8)))
    with pytest.raises(TargetError, match="none above"):
        create_target(grown, {})
    assert not (tmp_path / "y.zarr").exists()


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_only_results_are_replaced_and_deleted(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    image = write_image(tmp_path / "image.zarr", pixels((8, 9)), "yx", zarr_format)
    before = tree(tmp_path)
    for other in (image, tmp_path, tmp_path / "gone"):
        with pytest.raises(TargetError, match="is no result of this program"):
            remove_target(str(other))
    with pytest.raises(TargetError, match="something else"):
        create_target(make_spec(image, zarr_format), {})
    assert tree(tmp_path) == before
    spec = make_spec(tmp_path / "x.zarr", zarr_format)
    assert read_attributes(spec.uri) is None
    assert not target_exists(spec.uri)
    create_target(spec, {"status": "running"})
    assert target_exists(spec.uri)
    with pytest.raises(TargetError, match="holds a result already"):
        create_target(spec, {})
    remove_target(spec.uri)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_creation_that_was_interrupted_is_begun_again(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    spec = make_spec(tmp_path / "x.zarr", zarr_format)
    create_target(spec, {})
    for file in sorted((tmp_path / "x.zarr" / "autodip" / "record").iterdir()):
        file.unlink()
    assert not target_exists(spec.uri)
    create_target(spec, {"status": "running"})
    assert np.isnan(read_record(spec.uri)).all()


def test_targets_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TargetError, match="cannot be written"):
        create_target(make_spec(tmp_path / "file" / "x.zarr"), {})


def test_a_full_disk_says_what_to_do(tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "x.zarr", shapes=((1, 1, 1, 400, 400),))
    create_target(spec, {})
    block = Block(0, range(1), range(1))
    noise = np.random.default_rng(0).integers(0, 65535, (1, 400, 400)).astype(np.uint16)
    before = tree(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))  # the kernel refuses larger files
    try:
        with pytest.raises(TargetError, match="free some space") as caught:
            write_block(spec, block, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert spec.uri in caught.value.where
    assert tree(tmp_path) == before, "half a shard was left behind"
    write_block(spec, block, noise)
