"""What a loop over the fields of a plate meets after a run: results beside it, or in it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import zarr

from ..stores.builders import write_plate
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
