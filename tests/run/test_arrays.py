"""Labelled arrays in and out: planes, and the record of a result."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from xarray import DataArray

from autodip_zarr import AutodipError, Choices, denoise_array, open_record
from autodip_zarr.stores import RECORD_FIELDS, read_record
from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from .results import Run


def test_a_labelled_array_keeps_its_coordinates_and_the_order_of_its_dimensions(quick_table: str) -> None:
    pixels = make_sample("x", (1, 1, 3, 24, 32)).pixels[0, 0]
    labelled = DataArray(np.moveaxis(pixels, 0, -1), {"z": [0.0, 0.5, 1.0]}, ("y", "x", "z"), attrs={"a": 1})
    choices = Choices(table=quick_table)
    found = denoise_array(labelled, microscope="confocal", choices=choices, device="cpu")
    assert (found.dims, str(found.dtype), found.attrs) == (("y", "x", "z"), "float32", {"a": 1})
    assert found.z.to_numpy().tolist() == [0.0, 0.5, 1.0]
    plain = denoise_array(pixels, microscope="confocal", choices=choices, device="cpu")
    np.testing.assert_array_equal(found.transpose("z", "y", "x").to_numpy(), plain)


def test_an_array_without_a_plane_is_refused() -> None:
    with pytest.raises(AutodipError, match="y and x among them"):
        denoise_array(DataArray(np.ones((4, 4)), dims=("row", "column")))


def test_the_record_of_a_result(tmp_path: Path, run: Run) -> None:
    write_sample_zarr(tmp_path / "two.zarr", make_sample("two", (2, 2, 1, 20, 20)), "0.4")
    assert run(tmp_path / "two.zarr", "--output", tmp_path / "out").exit_code == 0
    record = open_record(str(tmp_path / "out"))
    assert record.dims == ("t", "c", "z", "field")
    assert record.channel.to_numpy().tolist() == ["DAPI", "MitoTracker Red"]
    np.testing.assert_array_equal(record, read_record(str(tmp_path / "out/two.zarr")))
    iterations = record.sel(field="iterations").to_numpy()
    np.testing.assert_array_equal(iterations, record[..., RECORD_FIELDS.index("iterations")])


@pytest.mark.parametrize(("name", "reason"), [("", "holds no result"), ("nowhere", "is missing")])
def test_a_folder_that_holds_no_result_is_named_with_the_reason(
    tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(AutodipError, match=f"^{re.escape(str(tmp_path / name))}: {reason}"):
        open_record(str(tmp_path / name))
