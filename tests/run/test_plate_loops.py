"""What a loop over the fields of a plate meets after a run: results beside it, or in it."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import zarr
from click.testing import CliRunner

from autodip_zarr.cli import main

from ..stores.builders import ZarrFormat, pixels, tree, write_image, write_plate, write_series
from .results import Run


def fields(plate: Path) -> list[str]:
    """Return the paths of all fields of a plate, as ngio, on which Fractal stands, lists them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what its next version changes
        from ngio import open_ome_zarr_plate

        return list(open_ome_zarr_plate(plate).images_paths())


def test_results_are_a_plate_of_their_own_or_fields_that_say_what_they_are(tmp_path: Path, run: Run) -> None:
    plate = tmp_path / "plate.zarr"
    write_plate(plate, 3)
    before = (plate / "zarr.json").read_bytes()
    acquired = ["A/1/0", "A/1/1", "B/2/0", "B/2/1"]
    assert run(plate, "--output", tmp_path / "out").exit_code == 0
    assert fields(plate) == fields(tmp_path / "out/plate.zarr") == acquired
    assert run(plate, "--write-back").exit_code == 0
    made = [f"{path}denoised" for path in acquired]
    found = fields(plate)
    assert found[:2] + found[4:6] == acquired, "first those of the microscope"
    assert sorted(found[2:4] + found[6:]) == made, "then results, as they were finished"
    assert (plate / "zarr.json").read_bytes() == before, "also field_count"
    well = json.loads((plate / "A/1/zarr.json").read_text())["attributes"]["ome"]["well"]["images"]
    assert {image["acquisition"] for image in well} == {7}
    group = zarr.open_group(plate, mode="r")
    assert sorted(path for path in found if "autodip" in group[path].attrs) == made
    again = json.loads(run(plate, "--write-back").stdout)["images"]
    assert [image["status"] for image in again] == ["unchanged"] * 4


@pytest.mark.parametrize("zarr_format", [pytest.param(2, marks=pytest.mark.soak), 3])
def test_results_written_back_bear_the_name_that_was_chosen(
    tmp_path: Path, run: Run, zarr_format: ZarrFormat
) -> None:
    plate = write_plate(tmp_path / "plate.zarr", zarr_format, ["A/1"], 1)
    series = write_series(tmp_path / "series.zarr", zarr_format, ["0"])
    single = write_image(tmp_path / "single.zarr", pixels((1, 8, 9)), "cyx", zarr_format)
    before = {path: tree(path) for path in (plate, series, single)}
    assert run(plate, "--write-back", "--suffix", "autodip2").exit_code == 0
    assert run(plate, "--write-back").exit_code == 0, "beside those of another name"
    assert run(series, single, "--write-back", "--suffix", "autodipped").exit_code == 0
    made = [plate / "A/1/0autodip2", plate / "A/1/0denoised", series / "0/autodipped", single / "autodipped"]
    again = json.loads(run(series, single, "--write-back", "--suffix", "autodipped").stdout)["images"]
    assert [image["status"] for image in again] == ["unchanged"] * 2
    verified = CliRunner().invoke(main, ["verify", str(tmp_path), "--json"])
    found = json.loads(verified.stdout)["images"]
    assert sorted(result["target"] for result in found) == sorted(map(str, made))
    assert {result["status"] for result in found} == {"whole"}, verified.stdout
    for path in made:
        assert CliRunner().invoke(main, ["remove", str(path)]).exit_code == 0
    assert {path: tree(path) for path in before} == before


def test_a_result_of_a_chosen_name_that_lost_its_document_is_told(tmp_path: Path, run: Run) -> None:
    single = write_image(tmp_path / "single.zarr", pixels((1, 8, 9)), "cyx")
    plate = write_plate(tmp_path / "plate.zarr", 3, ["A/1"], 1)
    assert run(single, plate, "--write-back", "--suffix", "dip").exit_code == 0
    lost = [plate / "A/1/0dip", single / "dip"]
    for path in lost:
        (path / "zarr.json").unlink()
    verified = CliRunner().invoke(main, ["verify", str(tmp_path)])
    assert verified.exit_code == 1
    for path in lost:
        assert f"{path.relative_to(tmp_path)}" in verified.output
        assert "metadata document is missing" in verified.output


@pytest.mark.parametrize("version", ["0.4", pytest.param("0.5", marks=pytest.mark.soak)])
def test_results_are_whole_for_a_program_that_loaded_ngio_before(
    tmp_path: Path, run: Run, version: str
) -> None:
    single = write_image(tmp_path / "single.zarr", pixels((1, 8, 9)), "cyx")
    assert run(single, "--output", tmp_path / "out", "--zarr-format", version).exit_code == 0
    code = "import sys, ngio, autodip_zarr; print(autodip_zarr.verify(sys.argv[1]).in_one_line())"
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "1 results, 1 of them whole\n"
