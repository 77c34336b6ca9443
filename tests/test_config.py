"""Options in a file: read, overruled on the command line, printed back, refused where they make no sense."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autodip_zarr.cli import main

from .samples import write_archive


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_options_are_read_from_a_file_and_overruled(tmp_path: Path) -> None:
    archive, config = write_archive(tmp_path / "in"), tmp_path / "run.toml"
    config.write_text('microscope = "confocal"\nspecimen = "nucleus"\nmax-cost = 100\nany-contrast = true\n')
    read = json.loads(call("plan", archive, "--config", config, "--json").stdout)
    assert {one["microscope"] for image in read["images"] for one in image["channels"]} == {"confocal"}
    told = json.loads(call("plan", archive, "--config", config, "--microscope", "widefield", "--json").stdout)
    assert {one["microscope"] for image in told["images"] for one in image["channels"]} == {"widefield"}


def test_what_is_printed_can_be_read_again(tmp_path: Path) -> None:
    given = ["--output", tmp_path / 'a "quoted" \\ name', "--preset", "best", "--seed", "7", "--write-back"]
    printed = call("denoise", "x.zarr", *given, "--print-config")
    assert printed.exit_code == 0, printed.output
    known = tomllib.loads(printed.stdout)
    assert (known["preset"], known["seed"], known["write-back"], known["in-process"]) == (
        "best",
        7,
        True,
        False,
    )
    assert known["output"] == str(given[1])
    (tmp_path / "again.toml").write_text(printed.stdout)
    again = call("denoise", "x.zarr", "--config", tmp_path / "again.toml", "--print-config")
    assert again.stdout == printed.stdout


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("prest = 'best'", "the option 'prest'"),
        ("preset = ['best']", "preset"),
        ("preset = 'worst'", "worst"),
        ("= 3", "no TOML"),
        ("sources = 'x'", "the option 'sources'"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "run.toml").write_text(content)
    result = call("plan", tmp_path, "--config", tmp_path / "run.toml")
    assert result.exit_code == 2
    assert told in result.output


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = call("plan", tmp_path, "--config", tmp_path / "nowhere.toml")
    assert result.exit_code == 2
    assert "nowhere.toml" in result.output


def test_channels_that_are_not_there_are_told_with_those_that_are(tmp_path: Path) -> None:
    result = call("plan", write_archive(tmp_path / "in"), "--channels", "GFP")
    assert (
        "none of the 3 images lies within --channels GFP; their channels are DAPI, MitoTracker Red"
        in result.stdout
    )
