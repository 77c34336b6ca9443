"""Stores that hold several images: plates and files of several series."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from ome_zarr_models import open_ome_zarr
from ome_zarr_models.v04 import HCS as HCS04
from ome_zarr_models.v05 import HCS as HCS05

from autodip_zarr.cli import main

from ..samples import digest
from ..stores.builders import consolidate, write_plate, write_series
from .results import Run, planes, statuses


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_plate_is_mirrored_as_a_plate(tmp_path: Path, run: Run, zarr_format: Literal[2, 3]) -> None:
    source = write_plate(tmp_path / "p.zarr", zarr_format)
    result = run(source, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert statuses(result) == ["done"] * 4
    mirrored = open_ome_zarr(tmp_path / "out/p.zarr")
    assert isinstance(mirrored, HCS05)
    wells = sorted(well.path for well in mirrored.ome_attributes.plate.wells)
    assert wells == ["A/1", "B/2"]
    assert planes(tmp_path / "out/p.zarr/A/1/0").shape == planes(source / "A/1/0").shape
    assert statuses(run(source, "--output", tmp_path / "out")) == ["unchanged"] * 4


@pytest.mark.parametrize("consolidated", [False, True])
def test_write_back_lists_the_results_in_their_wells(tmp_path: Path, run: Run, consolidated: bool) -> None:
    source = write_plate(tmp_path / "p.zarr", 2)
    if consolidated:
        consolidate(source, 2)
    before = digest(source)
    result = run(source, "--write-back")
    assert result.exit_code == 0, result.stderr
    targets = [image["target"] for image in json.loads(result.stdout)["images"]]
    assert targets[0] == f"{source}/A/1/0denoised"
    well = json.loads((source / "A/1/.zattrs").read_text())["well"]
    assert sorted(image["path"] for image in well["images"]) == ["0", "0denoised", "1", "1denoised"]
    assert {image.get("acquisition") for image in well["images"]} == {well["images"][0].get("acquisition")}
    plate = open_ome_zarr(source)
    assert isinstance(plate, HCS04)

    after = digest(source)
    changed = {path for path in before if after[path] != before[path]}
    entries = {"A/1/.zattrs", "B/2/.zattrs"}
    assert changed == (entries | {".zmetadata"} if consolidated else entries)
    added = after.keys() - before.keys()
    assert all("denoised/" in path for path in added)

    assert statuses(run(source, "--write-back")) == ["unchanged"] * 4
    for target in targets[::-1]:
        assert CliRunner().invoke(main, ["remove", target]).exit_code == 0
    assert digest(source) == before


def test_a_file_of_several_series_becomes_a_bioformats2raw_layout(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "a" / "two.ome.tif"
    source.parent.mkdir()
    with tifffile.TiffWriter(source, ome=True) as file:
        for size in (20, 24):
            data = np.random.default_rng(size).integers(0, 99, (2, size, size), dtype=np.uint8)
            file.write(data, metadata={"axes": "ZYX"})
    result = run(tmp_path / "a", "--output", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    images = json.loads(result.stdout)["images"]
    assert [image["series"] for image in images] == [0, 1]
    root = tmp_path / "out/two.ome.zarr"
    assert [image["target"] for image in images] == [f"{root}/0", f"{root}/1"]
    assert json.loads((root / "OME/zarr.json").read_text())["attributes"]["ome"]["series"] == ["0", "1"]
    assert (root / "OME/METADATA.ome.xml").exists()
    assert planes(root / "1").shape == (2, 24, 24)


def test_a_bioformats2raw_store_keeps_its_layout(tmp_path: Path, run: Run) -> None:
    source = write_series(tmp_path / "s.zarr", 2)
    result = run(source, "--output", tmp_path / "out", "--zarr-format", "0.4")
    assert result.exit_code == 0, result.stderr
    root = tmp_path / "out/s.zarr"
    assert json.loads((root / ".zattrs").read_text())["bioformats2raw.layout"] == 3
    assert CliRunner().invoke(main, ["verify", str(root)]).exit_code == 0
