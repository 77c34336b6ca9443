"""The record: rows survive, blocks own their chunks, and xarray opens it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr

from autodip_zarr.domain import Block
from autodip_zarr.errors import TargetError
from autodip_zarr.stores import (
    RECORD_FIELDS,
    STATUS_COPIED,
    STATUS_DENOISED,
    STATUS_EMPTY,
    STATUS_FAILED,
    Failure,
    create_target,
    finish_target,
    read_failures,
    read_record,
    read_rows,
    write_failures,
    write_record,
)

from .builders import ZarrFormat, blocks, rows, tree
from .test_write import make_spec

FORMATS: list[ZarrFormat] = [2, 3]


def test_the_fields_are_under_contract() -> None:
    assert RECORD_FIELDS == (
        "status",
        "iterations",
        "loss",
        "seconds",
        "noise_before",
        "noise_after",
        "minimum",
        "maximum",
        "residual_mean",
        "residual_std",
        "residual_lag1",
        "hot_pixels",
        "missing_pixels",
        "collapses",
        "restarts",
        "rounding_std",
        "overshoot",
        "stop",
        "prior_share",
        "saturated_share",
        "repeated_share",
    )
    assert (STATUS_FAILED, STATUS_DENOISED, STATUS_COPIED, STATUS_EMPTY) == (0, 1, 2, 3)


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_rows_come_back_where_they_belong(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    spec = make_spec(tmp_path / "x.zarr", zarr_format)
    create_target(spec, {})
    assert np.isnan(read_record(spec.uri)).all()
    for number, block in enumerate(blocks(spec)):
        before = set(tree(tmp_path))
        found = rows(len(block.positions), status=1)
        found[:, 1] = [number * 100 + i for i in range(len(found))]
        write_record(spec, block, found)
        assert len(set(tree(tmp_path)) - before) == 2, "a block is one object, and its checksums another"
    record = read_record(spec.uri)
    assert record.shape == (2, 2, 5, len(RECORD_FIELDS))
    for number, block in enumerate(blocks(spec)):
        for i, (t, z) in enumerate(block.positions):
            assert record[t, block.c, z, 1] == number * 100 + i


@pytest.mark.parametrize("width", [17, 19])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_result_that_an_earlier_version_began_is_gone_on_with(
    tmp_path: Path, zarr_format: ZarrFormat, width: int
) -> None:
    spec = make_spec(tmp_path / "x.zarr", zarr_format)
    create_target(spec, {})
    path = tmp_path / "x.zarr/autodip/record" / ("zarr.json" if zarr_format == 3 else ".zarray")
    document = json.loads(path.read_text())
    chunk = document["chunks"] if zarr_format == 2 else document["chunk_grid"]["configuration"]["chunk_shape"]
    document["shape"][3] = chunk[3] = width
    path.write_text(json.dumps(document))
    block = Block(1, range(1, 2), range(2, 4))
    found = rows(2, status=1, prior_share=0.5, saturated_share=0.25)
    write_record(spec, block, found)
    record = read_record(spec.uri)
    assert record.shape == (2, 2, 5, len(RECORD_FIELDS))
    np.testing.assert_array_equal(record[1, 1, 2:4, :width], found[:, :width])
    assert np.isnan(record[1, 1, 2:4, width:]).all()
    np.testing.assert_array_equal(read_rows(spec, block)[:, :width], found[:, :width])


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_xarray_opens_it(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    spec = make_spec(tmp_path / "x.zarr", zarr_format)
    create_target(spec, {})
    write_record(spec, Block(1, range(1, 2), range(2, 4)), rows(2, status=1, loss=0.5))
    write_failures(spec, Block(0, range(1), range(2)), {(0, 1): "why"})
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="zarr")
        data = xarray.open_zarr(f"{spec.uri}/autodip", consolidated=False)
    assert data.record.dims == ("t", "c", "z", "field")
    assert [str(name) for name in data.field.values] == list(RECORD_FIELDS)
    assert data.record.sel(field="loss").values[1, 1, 2:4].tolist() == [0.5, 0.5]
    data.close()


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_reasons_of_failures(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    spec = make_spec(tmp_path / "x.zarr", zarr_format)
    create_target(spec, {})
    first, second = Block(0, range(1, 2), range(2)), Block(1, range(1), range(4, 5))
    assert read_failures(spec.uri) == ()
    write_failures(spec, second, {(0, 4): "out of memory\nand more"})
    write_failures(spec, first, {(1, 1): "ümlaut", (1, 0): "corrupt"})
    expected = (
        Failure(0, 1, 0, "corrupt"),
        Failure(0, 1, 1, "ümlaut"),
        Failure(1, 0, 4, "out of memory\nand more"),
    )
    assert read_failures(spec.uri) == expected
    assert (tmp_path / "x.zarr/autodip/failures/1-0-4.json").is_file()
    write_record(spec, first, rows(2, status=STATUS_FAILED))
    assert read_failures(spec.uri) == expected
    write_record(spec, first, rows(2, status=STATUS_DENOISED))
    write_record(spec, second, rows(1, status=STATUS_FAILED))
    finish_target(spec, {})
    assert read_failures(spec.uri) == expected[2:], "a block that succeeded has no reason left"


def test_records_that_are_missing_or_broken(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="is missing"):
        read_record(str(tmp_path))
    spec = make_spec(tmp_path / "x.zarr")
    create_target(spec, {})
    write_record(spec, Block(0, range(1), range(2)), rows(2, status=1))
    chunk = tmp_path / "x.zarr/autodip/record/c/0/0/0/0"
    chunk.write_bytes(b"broken")
    assert np.isnan(read_record(spec.uri)).all(), "what was cut off counts as not done"
    zarr.create_array(tmp_path / "y/autodip/record", shape=(2, 2), dtype="f8")
    with pytest.raises(TargetError, match="found the shape"):
        read_record(str(tmp_path / "y"))


def test_a_record_of_more_planes_than_any_image_has_is_refused_unread(tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "x.zarr", 3)
    create_target(spec, {})
    path = tmp_path / "x.zarr/autodip/record/zarr.json"
    document = json.loads(path.read_text())
    document["shape"][0] = 10**12
    path.write_text(json.dumps(document))
    with pytest.raises(TargetError, match="at most 10,000,000 planes"):
        read_record(spec.uri)
