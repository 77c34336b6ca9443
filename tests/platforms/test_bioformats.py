"""Exported files as the real Bio-Formats reads them: pixels of every level, names, colours, annotation."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from ..run.results import Run, statuses
from ..run.test_export import INSTRUMENT, exported, noisy
from ..stores.builders import ome_xml, write_image, write_pages


def run(bioformats: list[str], tool: str, *arguments: object) -> str:
    done = subprocess.run(
        [*bioformats, f"loci.formats.tools.{tool}", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def level_pixels(bioformats: list[str], path: Path, level: int, folder: Path) -> Any:
    """Return all planes of a level as Bio-Formats decodes them."""
    plain = folder / f"level {level}.tif"
    run(bioformats, "ImageConverter", "-no-upgrade", "-overwrite", "-series", level, path, plain)
    with tifffile.TiffFile(plain) as tif:
        return np.stack([page.asarray() for page in tif.pages])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_level_has_the_same_pixels(
    tmp_path: Path, bioformats: list[str], here: Run, dtype: str
) -> None:
    kind = {"float32": "float"}.get(dtype, dtype)
    header = ome_xml([(2, 2, 3, 300, 520)], kind=kind).replace("<Image ", f"{INSTRUMENT}<Image ", 1)
    header = header.replace("<Pixels ", '<InstrumentRef ID="Instrument:0"/><Pixels ', 1)
    write_pages(tmp_path / "x.ome.tif", noisy((12, 300, 520), dtype), header.replace("ch0", "DAPI \u03b1", 1))
    assert statuses(here(tmp_path / "x.ome.tif", "--output", tmp_path / "out", "--channels", "0")) == ["done"]
    assert exported(tmp_path / "out", tmp_path / "tif", 256).status == "written"
    path = tmp_path / "tif" / "x.ome.tif"
    result: Any = zarr.open_group(str(tmp_path / "out" / "x.ome.zarr"), mode="r")
    for level in range(3):
        expected = np.asarray(result[str(level)])
        found = level_pixels(bioformats, path, level, tmp_path)
        np.testing.assert_array_equal(found, expected.reshape(-1, *expected.shape[-2:]))
    told = run(bioformats, "ImageInfo", "-no-upgrade", "-nopix", "-noflat", "-omexml-only", path)
    for expected_text in (
        'Model="LSM 880"',
        'Name="DAPI \u03b1"',
        'Color="-16776961"',
        'PhysicalSizeX="0.5"',
        'PhysicalSizeXUnit="\u00b5m"',
        'SizeZ="3"',
        "denoised with 2/4/4/",
    ):
        assert expected_text in told
    levels = run(bioformats, "ImageInfo", "-no-upgrade", "-nopix", "-noflat", path)
    assert "Resolutions = 3" in levels
    assert "Tile size = 256 x 256" in levels


def test_an_image_without_a_header_of_its_own(tmp_path: Path, bioformats: list[str], here: Run) -> None:
    write_image(tmp_path / "x.zarr", noisy((2, 70, 90)), "cyx", 2)
    assert statuses(here(tmp_path / "x.zarr", "--output", tmp_path / "out")) == ["done"]
    assert exported(tmp_path / "out", tmp_path / "tif").status == "written"
    expected = np.asarray(zarr.open_array(str(tmp_path / "out" / "x.zarr" / "0"), mode="r"))
    found = level_pixels(bioformats, tmp_path / "tif" / "x.ome.tif", 0, tmp_path)
    np.testing.assert_array_equal(found, expected)
