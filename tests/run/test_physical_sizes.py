"""Sizes of pixels come through a run as they were told, whatever their unit, to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from click.testing import CliRunner
from numpy.typing import NDArray

from autodip_zarr.cli import main
from autodip_zarr.metadata.units import length_um, time_s
from autodip_zarr.stores import read_header

from ..stores.builders import ome_xml, only, write_pages

SHAPE = (1, 1, 1, 37, 48)


def noisy() -> NDArray[Any]:
    return np.random.default_rng(0).poisson(40, SHAPE[-2:]).astype("uint16")


def result(folder: Path, source: Path, table: str) -> tuple[list[float], list[str | None]]:
    """Denoise a file and return the scale and the units of its result."""
    arguments = ["denoise", str(source), "--output", str(folder), "--table", table, "--in-process"]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (path,) = folder.glob("*.zarr")
    made: Any = zarr.open_group(str(path), mode="r")
    image = made.attrs["ome"]["multiscales"][0]
    scale = image["datasets"][0]["coordinateTransformations"][0]["scale"]
    return scale, [axis.get("unit") for axis in image["axes"]]


@pytest.mark.parametrize(
    ("size", "unit", "expected_um"),
    [
        ("0.1", "\u00b5m", 0.1),
        ("0.2", None, 0.2),
        ("100", "nm", 0.1),
        ("64.5", "nm", 0.0645),
        ("35.1", "nm", 0.0351),
        ("0.9", "nm", 0.0009),
        ("1000", "\u00c5", 0.1),
        ("3.3", "\u00c5", 0.00033),
        ("0.0001", "mm", 0.1),
        ("0.00007", "mm", 0.07),
        ("1e-7", "m", 0.1),
        ("300", "pm", 0.0003),
    ],
)
def test_sizes_of_ome_tiff(
    tmp_path: Path, size: str, unit: str | None, expected_um: float, quick_table: str
) -> None:
    named = "" if unit is None else f' PhysicalSizeYUnit="{unit}"'
    text = ome_xml([SHAPE]).replace("<Pixels ", f'<Pixels PhysicalSizeY="{size}"{named} ', 1)
    source = write_pages(tmp_path / "x.ome.tif", noisy()[None], text)
    scale, units = result(tmp_path / "out", source, quick_table)
    assert (scale[3], units[3]) == (expected_um, "micrometer")


@pytest.mark.parametrize("unit", ["pixel", "reference frame"])
def test_sizes_that_are_no_lengths_get_no_unit(tmp_path: Path, unit: str, quick_table: str) -> None:
    text = ome_xml([SHAPE]).replace("<Pixels ", f'<Pixels PhysicalSizeY="0.7" PhysicalSizeYUnit="{unit}" ', 1)
    scale, units = result(
        tmp_path / "out", write_pages(tmp_path / "x.ome.tif", noisy()[None], text), quick_table
    )
    assert (scale[3], units[3]) == (0.7, None)


@pytest.mark.parametrize("size", [0.1, 0.2, 0.3, 0.065, 0.0645, 0.1625, 0.10238, 1 / 3, 1.24])
@pytest.mark.parametrize("millionths", [True, False])
def test_sizes_of_imagej(tmp_path: Path, size: float, millionths: bool) -> None:
    """ImageJ counts pixels per micrometer in millionths, tifffile in the nearest fraction."""
    per_um: Any = (round(1_000_000 / size), 1_000_000) if millionths else 1 / size
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, noisy(), imagej=True, resolution=(per_um, per_um), metadata={"unit": "um"})
    found = read_header(only(path)).levels[0].scale[-2:]
    assert found[:] == (size, size)


def test_every_size_of_three_digits_survives_its_units() -> None:
    for digits in range(1, 1000):
        assert length_um(str(digits), "nm") == float(f"{digits}e-3")
        assert length_um(str(digits), "\u00c5") == float(f"{digits}e-4")
        assert length_um(f"{digits}e-6", "mm") == float(f"{digits}e-3")
        assert time_s(str(digits), "ms") == float(f"{digits}e-3")
