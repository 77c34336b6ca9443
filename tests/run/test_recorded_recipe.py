"""What made a result can be repeated from its record: on the same images bit for bit, and on others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from autodip_zarr.cli import main
from autodip_zarr.errors import OptionError
from autodip_zarr.run.results.recorded_recipe import read_recorded
from autodip_zarr.stores import read_attributes
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import MITO, make_sample
from .results import Run, planes, statuses


@pytest.fixture
def repeat(scheduler: str) -> Run:
    """Run ``denoise`` on the shared cluster without a table: the record has the configurations."""

    def invoke(*arguments: object) -> Result:
        fixed = ["denoise", *map(str, arguments), "--scheduler", scheduler, "--json"]
        return CliRunner().invoke(main, fixed, catch_exceptions=False)

    return invoke


def edit(result: Path, change: dict[str, Any]) -> None:
    """Change the recorded recipe of a result."""
    path = result / "zarr.json"
    document = json.loads(path.read_text())
    document["attributes"]["autodip"]["recipe"] |= change
    path.write_text(json.dumps(document))


def test_the_same_images_give_the_same_bits(tmp_path: Path, run: Run, repeat: Run) -> None:
    source, first, second = tmp_path / "x.ome.tif", tmp_path / "first", tmp_path / "second"
    write_sample_tiff(source, make_sample("x", (1, 2, 4, 30, 26)))
    made = [source, "--output", first, "--seed", 7, "--tile", 20, "--halo", 5, "--preset", "best"]
    made += ["--channels", "DAPI", "--z", "1:3", "--dtype", "float32", "--precision", "float32"]
    assert run(*made).exit_code == 0
    again = repeat(source, "--output", second, "--recipe", first)
    assert again.exit_code == 0, again.stderr
    assert "pixels may differ" not in again.stderr
    for c in (0, 1):
        one, other = planes(first / "x.ome.zarr", c), planes(second / "x.ome.zarr", c)
        assert other.dtype == np.float32
        np.testing.assert_array_equal(one, other)
    old, new = (read_attributes(f"{folder}/x.ome.zarr") for folder in (first, second))
    assert old is not None
    assert new is not None
    said = {"reason"}
    for document in (old, new):
        for channel in document["recipe"]["channels"]:
            for name in said:
                channel.pop(name, None)
    assert new["recipe"] == old["recipe"]
    assert statuses(repeat(source, "--output", first, "--recipe", first)) == ["unchanged"]


def test_other_images_get_it_where_the_channels_fit(tmp_path: Path, run: Run, repeat: Run) -> None:
    source, other = tmp_path / "x.zarr", tmp_path / "others"
    write_sample_zarr(source, make_sample("x", (1, 1, 2, 20, 20)), "0.5")
    assert run(source, "--output", tmp_path / "out", "--seed", 3).exit_code == 0
    write_sample_zarr(other / "a.zarr", make_sample("a", (1, 2, 5, 24, 24)), "0.4")
    renamed = make_sample("b")
    write_sample_zarr(other / "b.zarr", replace(renamed, channels=(MITO,)), "0.5")
    result = repeat(other, "--output", tmp_path / "again", "--recipe", tmp_path / "out/x.zarr")
    assert result.exit_code == 1
    assert statuses(result) == ["done"]
    document = json.loads(result.stdout)
    assert document["images"][0]["planes_done"] == 5
    mito, renamed_skip = document["skipped"]
    assert "has no channel '1 MitoTracker Red'; it has 0 DAPI" in mito["reason"]
    assert "has no channel '0 MitoTracker Red'" in renamed_skip["reason"]
    recorded = read_attributes(str(tmp_path / "again/a.zarr"))
    assert recorded is not None
    assert recorded["recipe"]["seed"] == 3


def test_a_plan_with_a_recipe_warns_of_what_differs(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x"), "0.5")
    assert run(source, "--output", tmp_path / "out").exit_code == 0
    edit(tmp_path / "out/x.zarr", {"software": {"autodip-zarr": "0.0.1", "torch": "1.0", "numpy": "1.0"}})
    arguments = ["plan", str(source), "--recipe", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert sum("pixels may differ" in warning for warning in document["warnings"]) == 3
    (channel,) = document["images"][0]["channels"]
    assert channel["config"] == {"depth": 2, "width": 4, "skip": 4, "iterations": 3}


@pytest.mark.parametrize(
    "options", [["--seed", "0"], ["--preset", "best"], ["--metric", "psnr"], ["--max-cost", "1"]]
)
def test_a_recipe_settles_the_rest(options: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["plan", str(tmp_path), "--recipe", str(tmp_path), *options])
    assert result.exit_code == 2
    assert options[0] in result.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": "7"}, "seed"),
        ({"tile_px": None}, "tile_px"),
        ({"halo_px": 4096}, "halo_px"),
        ({"magic": 1}, "magic"),
        ({"channels": ["no"]}, "channels[0]"),
        ({"channels": [{"index": 0, "name": "DAPI", "config": {"depth": 999}}]}, "channels[0]"),
        ({"z": "all"}, "z"),
    ],
)
def test_a_record_that_is_not_understood_is_named(
    change: dict[str, Any], said: str, tmp_path: Path, made: Path
) -> None:
    edit(made, change)
    result = CliRunner().invoke(main, ["plan", str(tmp_path), "--recipe", str(made)])
    assert result.exit_code == 2, result.output
    assert str(made) in result.stderr
    assert said in result.stderr


@pytest.fixture
def made(tmp_path: Path, run: Run) -> Path:
    """A result."""
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.5")
    assert run(tmp_path / "x.zarr", "--output", tmp_path / "made").exit_code == 0
    return tmp_path / "made" / "x.zarr"


def test_one_result_is_expected(tmp_path: Path, run: Run) -> None:
    for name in "ab":
        write_sample_zarr(tmp_path / f"in/{name}.zarr", make_sample(name), "0.5")
    assert run(tmp_path / "in", "--output", tmp_path / "out").exit_code == 0
    with pytest.raises(OptionError, match="2 results at"):
        read_recorded(str(tmp_path / "out"))
    with pytest.raises(OptionError, match="0 results at"):
        read_recorded(str(tmp_path / "in"))
