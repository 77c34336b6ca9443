"""Real captures under real headers get the calibration group that their names promise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main

from ..fmd import captures, write_archive

PUBLISHED = {
    "Confocal_BPAE_B": (4, 32, 4, 1200),
    "Confocal_BPAE_G": (6, 256, 4, 1300),
    "Confocal_BPAE_R": (5, 128, 4, 1300),
    "Confocal_FISH": (4, "asc", 4, 1200),
    "Confocal_MICE": (4, "asc", 4, 1200),
    "TwoPhoton_BPAE_R": (4, 32, 4, 1400),
    "TwoPhoton_MICE": (7, 128, 4, 1000),
    "WideField_BPAE_B": (8, "asc", 4, 300),
}


@pytest.mark.shared
def test_all_sets_in_all_formats_get_the_right_group(shared: Path, tmp_path: Path) -> None:
    write_archive(shared, tmp_path)
    answer = CliRunner().invoke(main, ["plan", str(tmp_path), "--json"], catch_exceptions=False)
    assert answer.exit_code == 0
    images = json.loads(answer.stdout)["images"]
    assert len(images) == 24
    expected = {capture.name: capture.expected for capture in captures(shared)}
    for image in images:
        name = Path(image["source"]).name.split(".")[0]
        (channel,) = image["channels"]
        microscope, specimen = expected[name]
        assert (channel["microscope"], channel["specimen"]) == (microscope, specimen), name
        tier = "microscope+specimen" if specimen else "microscope"
        assert channel["tier"] == tier, name
        assert channel["group"] == "+".join(filter(None, (microscope, specimen)))
        assert tuple(channel["config"].values()) == PUBLISHED[name]
        assert channel["planes"] == 1
