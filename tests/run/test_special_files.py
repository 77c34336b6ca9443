"""Pipes and devices in the place of chunks, records and files of options: told at once, never waited for."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from ..stores.builders import ZarrFormat, pixels, write_image

MEMORY = 8 * 2**30


def command(*arguments: object, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, which cannot hold up the tests nor fill the memory."""
    return subprocess.run(
        [sys.executable, "-m", "autodip_zarr", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "x.zarr"
    write_sample_zarr(path, make_sample("x", (1, 1, 1, 16, 16)), "0.5")
    return path


@pytest.mark.parametrize("option", ["--mapping", "--patterns", "--vocabulary", "--table"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_an_option_that_names_no_file(image: Path, tmp_path: Path, option: str, kind: str) -> None:
    special = tmp_path / "special.json"
    if kind == "pipe":
        os.mkfifo(special)
    else:
        special.symlink_to("/dev/zero")
    ran = command("plan", image, option, special)
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert str(special) in line
    assert "no regular file" in line


def test_a_cluster_file_and_a_header_that_are_pipes(image: Path, tmp_path: Path) -> None:
    for name in ("cluster.toml", "header.xml"):
        os.mkfifo(tmp_path / name)
    ran = command("denoise", image, "--output", tmp_path / "out", "--cluster", tmp_path / "cluster.toml")
    assert ran.returncode == 2
    assert "cluster.toml" in ran.stderr
    assert "no regular file" in ran.stderr
    ran = command("inspect", tmp_path / "header.xml")
    assert ran.returncode == 2
    assert "no regular file" in ran.stderr


@pytest.mark.parametrize("zarr_format", [pytest.param(2, marks=pytest.mark.soak), 3])
def test_a_chunk_that_is_a_pipe_costs_its_planes(
    tmp_path: Path, quick_table: str, zarr_format: ZarrFormat
) -> None:
    path = write_image(tmp_path / "in/a.zarr", pixels((3, 16, 16)), "zyx", zarr_format)
    write_sample_zarr(tmp_path / "in/b.zarr", make_sample("b", (1, 1, 1, 16, 16)), "0.5")
    chunk = path / ("0/c/1/0/0" if zarr_format == 3 else "0/1/0/0")
    chunk.unlink()
    os.mkfifo(chunk)
    arguments = [tmp_path / "in", "--output", tmp_path / "out", "--table", quick_table, "--json"]
    ran = command("denoise", *arguments, "--workers", 1, "--microscope", "confocal", seconds=120)
    assert ran.returncode == 1, ran.stderr
    images = json.loads(ran.stdout)["images"]
    assert [one["status"] for one in images] == ["partial", "done"]
    verified = command("verify", tmp_path / "out/a.zarr", "--json")
    (image,) = json.loads(verified.stdout)["images"]
    (plane,) = image["failed_planes"]
    assert (plane["z"], "no regular file" in plane["reason"]) == (1, True)


@pytest.mark.parametrize("part", [pytest.param("record", marks=pytest.mark.soak), "image"])
def test_a_result_with_a_pipe_in_it(tmp_path: Path, quick_table: str, part: str) -> None:
    """Every file of one part of a result is a pipe: looking at it, mending it and going on end."""
    write_image(tmp_path / "in/a.zarr", pixels((2, 16, 16)), "zyx", 3)
    arguments = [tmp_path / "in", "--output", tmp_path / "out", "--table", quick_table]
    denoise = ["denoise", *arguments, "--workers", 1, "--microscope", "confocal"]
    assert command(*denoise, seconds=120).returncode == 0
    result = tmp_path / "out/a.zarr"
    below = result / {"image": "0", "record": "autodip/record"}[part]
    for file in [one for one in below.rglob("*") if one.is_file()]:
        file.unlink()
        os.mkfifo(file)
    verified = command("verify", result)
    assert verified.returncode == 1
    assert "Traceback" not in verified.stderr
    for options in ([], ["--repair"]):
        ran = command(*denoise, *options, seconds=120)
        assert ran.returncode in (0, 1, 2), ran.stderr
        assert "unexpected" not in ran.stderr
        assert "Traceback" not in ran.stderr
    report = command("report", result, "--output", tmp_path / "page.html")
    assert report.returncode in (0, 1, 2)
    assert "unexpected" not in report.stderr
