"""Jobs as BIOMERO and Bilayers start them: folders, table, progress, and going on."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from autodip_zarr.cli import main
from autodip_zarr.metadata import load_vocabulary
from autodip_zarr.platforms.biomero import TABLE_NAME
from autodip_zarr.run.results.export import check_exported

from ..run.test_export import noisy
from ..stores.builders import ome_xml, write_image, write_pages
from .fetch import tool

FOLDER = Path(__file__).resolve().parents[2] / "platforms" / "biomero"
PERCENT = re.compile(r"\d+%")
"""What BIOMERO looks for in the log of a job."""


def descriptor() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / "descriptor.json").read_text(encoding="utf-8"))
    return read


def bilayers() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / "config.yaml").read_text(encoding="utf-8"))
    return read


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folders of a job as BIOMERO lays them: in, gt, out."""
    for name in ("in", "gt", "out"):
        (tmp_path / "data" / name).mkdir(parents=True)
    folder = tmp_path / "data" / "in"
    write_pages(folder / "a.ome.tif", noisy((2, 70, 90)), ome_xml([(1, 1, 2, 70, 90)]))
    write_pages(folder / "b.tif", noisy((1, 70, 90)), ome_xml([(1, 1, 1, 70, 90)]))
    write_image(folder / "c.ome.zarr", noisy((1, 70, 90)), "cyx", 3)
    return tmp_path / "data"


@pytest.fixture
def quick(quick_table: str) -> list[str]:
    """Arguments with which a job takes milliseconds."""
    return [f"--table={quick_table}", "--in-process"]


def folders(data: Path) -> list[str]:
    return [f"--infolder={data / 'in'}", f"--gtfolder={data / 'gt'}", f"--outfolder={data / 'out'}"]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["biomero", *arguments], catch_exceptions=False)


def rows(data: Path) -> dict[str, dict[str, str]]:
    with (data / "out" / TABLE_NAME).open(encoding="utf-8", newline="") as file:
        return {row["source"]: row for row in csv.DictReader(file)}


def files(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "out").iterdir())


def test_the_command_of_the_container_does_a_job(data: Path, quick: list[str]) -> None:
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    program, *words = json.loads(entry)
    assert program == "autodip-zarr"
    chosen = {"preset": "reference", "microscope": "confocal", "specimen": "nucleus"}
    defaults = {one["id"]: one["default-value"] for one in descriptor()["inputs"]} | chosen
    flags = [f"{one['command-line-flag']}={defaults[one['id']]}" for one in descriptor()["inputs"]]
    command = [
        sys.executable,
        "-m",
        "autodip_zarr",
        *words,
        *folders(data),
        *flags,
        "--local",
        "-nmc",
        *quick,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert files(data) == ["a.ome.tif", TABLE_NAME, "b.ome.tif", "c.ome.tif"]
    assert all(check_exported(str(data / "out" / f"{name}.ome.tif")) == [] for name in "abc")
    percents = [int(one[:-1]) for one in PERCENT.findall(done.stdout)]
    assert percents == sorted(set(percents))
    assert percents[-1] == 100
    assert len(percents) > 3
    row = rows(data)["a.ome.tif"]
    assert {"name": "a.ome.tif", "status": "done", "planes": "2", "planes_failed": "0"}.items() <= row.items()
    assert (row["microscope"], row["specimen"], row["preset"]) == ("confocal", "nucleus", "reference")


def test_ome_zarr_is_left_where_it_is_asked_for(data: Path, quick: list[str]) -> None:
    assert call(*folders(data), "--format=ome-zarr", "--preset=reference", *quick).exit_code == 0
    assert files(data) == ["a.ome.zarr", TABLE_NAME, "b.ome.zarr", "c.ome.zarr"]
    assert {row["name"] for row in rows(data).values()} == {"a.ome.zarr", "b.ome.zarr", "c.ome.zarr"}


def test_fields_that_nobody_filled_in_are_left_to_the_metadata(data: Path, quick: list[str]) -> None:
    given = ["--microscope=", "--specimen=metadata", "--preset=reference"]
    assert call(*folders(data), *given, *quick).exit_code == 0
    assert {row["microscope"] for row in rows(data).values()} == {""}


def test_a_job_goes_on_and_tells_of_images_that_failed(data: Path, quick: list[str]) -> None:
    (data / "in" / "d.ome.tif").write_bytes(b"II*\0 broken")
    command = (*folders(data), "--preset=reference", *quick)
    first = call(*command)
    assert first.exit_code == 1
    assert "100%" not in first.stdout
    assert rows(data)["d.ome.tif"]["status"] == "skipped"
    assert rows(data)["d.ome.tif"]["message"] != ""
    assert files(data) == ["a.ome.tif", TABLE_NAME, "b.ome.tif", "c.ome.tif", "ome-zarr"]
    (data / "in" / "d.ome.tif").unlink()
    again = call(*command)
    assert again.exit_code == 0
    assert {row["status"] for row in rows(data).values()} == {"unchanged"}
    assert files(data) == ["a.ome.tif", TABLE_NAME, "b.ome.tif", "c.ome.tif"]


@pytest.mark.soak
def test_a_job_that_met_its_time_limit_goes_on(data: Path, slow_table: str) -> None:
    command = (*folders(data), "--preset=reference", f"--table={slow_table}", "--in-process")
    with subprocess.Popen(
        [sys.executable, "-m", "autodip_zarr", "biomero", *command], stdout=subprocess.PIPE, text=True
    ) as job:
        assert job.stdout is not None
        next(line for line in job.stdout if re.match("[1-9]", line))
        job.terminate()
        job.communicate()
    assert job.returncode == 128 + signal.SIGTERM
    assert "ome-zarr" in files(data)
    done = call(*command)
    assert done.exit_code == 0
    (planes,) = re.findall(r"planes denoised: (\d+), failed: 0", done.stderr)
    assert 0 < int(planes) < 4
    assert files(data) == ["a.ome.tif", TABLE_NAME, "b.ome.tif", "c.ome.tif"]


def test_a_folder_without_images_is_told(data: Path, quick: list[str]) -> None:
    done = call(f"--infolder={data / 'nowhere'}", f"--outfolder={data / 'out'}", *quick)
    assert done.exit_code == 2
    assert "--infolder" in done.stderr
    done = call(f"--infolder={data / 'gt'}", f"--outfolder={data / 'out'}", *quick)
    assert done.exit_code == 2


def test_both_descriptions_offer_what_the_command_takes() -> None:
    options = {opt: one for one in main.commands["biomero"].params for opt in one.opts}
    described = {
        one["command-line-flag"]: (one["default-value"], one["value-choices"])
        for one in descriptor()["inputs"]
    }
    parameters = [one for one in bilayers()["parameters"] if "options" in one]
    same = {
        one["cli_tag"]: (one["default"], [option["value"] for option in one["options"]]) for one in parameters
    }
    assert described == same
    for flag in ("--preset", "--format"):
        default, offered = described[flag]
        assert default == options[flag].default
        assert set(offered) == set(options[flag].type.choices)  # type: ignore[attr-defined]
    vocabulary = load_vocabulary()
    for flag in ("--microscope", "--specimen"):
        terms = [
            vocabulary.lookup(flag.strip("-"), word) for word in described[flag][1] if word != "metadata"
        ]
        assert all(terms)
    assert {one["cli_tag"] for one in bilayers()["inputs"]} == {"--infolder"}


def test_biomero_takes_the_descriptor() -> None:
    program = tool("biomero-schema")
    command = [str(program), "validate", str(FOLDER / "descriptor.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
