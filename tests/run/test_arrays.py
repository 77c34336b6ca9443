"""Labelled arrays in and out: planes, and the record of a result."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
from xarray import DataArray

from autodip_zarr import AutodipError, Choices, denoise_array, inspect, open_record, plan, preview, verify
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


@pytest.mark.parametrize("choices", [Choices(axes="zyx"), Choices(pixel_size="0.1")])
def test_what_stands_in_for_a_header_is_refused(choices: Choices) -> None:
    with pytest.raises(AutodipError, match="has no header"):
        denoise_array(np.ones((4, 4)), choices=choices)


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


def test_a_dask_array_is_denoised_when_it_is_computed(quick_table: str) -> None:
    pixels = make_sample("x", (1, 2, 3, 24, 32)).pixels[0]
    choices = Choices(table=quick_table)
    chunked: Any = dask.array.from_array(pixels, chunks=(1, 3, 12, 32))  # type: ignore[no-untyped-call]
    lazy: Any = denoise_array(chunked, microscope="confocal", choices=choices, device="cpu")
    assert (lazy.shape, str(lazy.dtype)) == (pixels.shape, "float32")
    plain = denoise_array(pixels, microscope="confocal", choices=choices, device="cpu")
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), plain)


def test_arrays_honour_every_choice(quick_table: str) -> None:
    pixels = make_sample("x", (1, 1, 1, 24, 32)).pixels[0, 0, 0]
    said = Choices(table=quick_table, microscope="confocal", specimen="nucleus")
    told = denoise_array(pixels, choices=said, device="cpu")
    same = denoise_array(
        pixels, microscope="confocal", specimen="nucleus", choices=Choices(table=quick_table), device="cpu"
    )
    np.testing.assert_array_equal(told, same)
    with pytest.raises(AutodipError, match="matched only at tier global, microscope is required"):
        denoise_array(pixels, choices=Choices(table=quick_table, require_tier="microscope"), device="cpu")
    with pytest.raises(AutodipError, match="cost"):
        denoise_array(pixels, choices=Choices(table=quick_table, max_cost=1e-12), device="cpu")


def test_one_source_is_not_its_letters(tmp_path: Path, quick_table: str) -> None:
    path = tmp_path / "two.zarr"
    write_sample_zarr(path, make_sample("two", (1, 2, 1, 20, 20)), "0.4")
    for given in (path, str(path), [path], (str(path),), iter([path])):
        assert len(plan(given).images) == 1
    assert [image.path for image in inspect(path).images] == ["two.zarr"]
    with pytest.raises(AutodipError, match="texts and paths"):
        plan([path, 7])  # type: ignore[list-item]
    seen = preview(path, channel="DAPI", choices=Choices(table=quick_table), device="cpu")
    assert seen.noisy.shape == seen.denoised.shape == (20, 20)
    assert verify(tmp_path)[0].problems
