"""Disks that are full, folders that may not be written, targets inside sources, sources that change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.stores import read_attributes
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import digest, make_sample, write_archive
from .results import Run, planes, statuses

NOBODY = "65534"


def mount(folder: Path, options: str) -> None:
    """Mount a file system in memory, or mount it again with other options."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here (needs root)")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, "size=8m")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def lines_about(stderr: str, name: str) -> list[str]:
    return [line for line in stderr.splitlines() if name in line]


@pytest.mark.parametrize("size_kb", [4, 60, 160])
def test_a_disk_that_fills_up_at_any_moment_gives_one_message_and_the_rest_later(
    tmp_path: Path, disk: Path, run: Run, size_kb: int
) -> None:
    source = tmp_path / "x.zarr"
    sample = make_sample("x", (4, 1, 1, 120, 120), "float32")
    sample.pixels[:] = np.random.default_rng(0).normal(size=sample.pixels.shape)  # does not compress
    write_sample_zarr(source, sample, "0.5")
    before = digest(source)
    mount(disk, f"remount,size={size_kb}k")
    full = run(source, "--output", disk / "out")
    assert full.exit_code == 1, full.output
    assert statuses(full) == ["failed"]
    (line,) = lines_about(full.stderr, "No space left")
    assert "free some space" in line
    assert digest(source) == before

    mount(disk, "remount,size=8m")
    again = run(source, "--output", disk / "out")
    assert again.exit_code == 0, again.output
    assert CliRunner().invoke(main, ["verify", str(disk / "out")]).exit_code == 0
    assert run(source, "--output", tmp_path / "roomy").exit_code == 0
    np.testing.assert_array_equal(planes(disk / "out/x.zarr"), planes(tmp_path / "roomy/x.zarr"))


def test_a_read_only_target_is_named_and_read_only_sources_are_no_matter(
    tmp_path: Path, disk: Path, run: Run
) -> None:
    write_archive(disk / "archive")
    mount(disk, "remount,ro")
    refused = run(disk / "archive/a/stack.ome.tif", "--output", disk / "out")
    assert refused.exit_code == 1
    assert statuses(refused) == ["failed"]
    (line,) = lines_about(refused.stderr, "Read-only file system")
    assert "choose another target" in line
    back = run(disk / "archive/a/two.zarr", "--write-back")
    assert back.exit_code == 1
    assert lines_about(back.stderr, "Read-only file system")
    assert statuses(run(disk / "archive", "--output", tmp_path / "out")) == ["done"] * 3


def test_without_permission_the_folder_or_file_is_named(tmp_path: Path, quick_table: str) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv, to run as someone with fewer rights")
    above = [parent for parent in tmp_path.parents if any("pytest-of-" in part for part in parent.parts)]
    for folder in (tmp_path, *above):
        folder.chmod(0o755)
    Path(quick_table).parent.chmod(0o755)
    archive, results = write_archive(tmp_path / "archive"), tmp_path / "results"
    results.mkdir(mode=0o755)
    (archive / "b/lapse.ome.zarr/zarr.json").chmod(0o600)
    before = digest(archive)
    command = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", sys.executable, "-m"]
    command += ["autodip_zarr", "denoise", str(archive), "--output", str(results), "--table", quick_table]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert refused.returncode == 1, refused.stderr
    (unread,) = lines_about(refused.stderr, "lapse.ome.zarr")
    assert "Permission denied" in unread
    unwritten = lines_about(refused.stderr, "ask for permission to write there")
    assert len(unwritten) == 2
    assert all(str(results) in line and "Permission denied" in line for line in unwritten)
    assert digest(archive) == before
    assert list(results.iterdir()) == []
    # as oneself: an interpreter in a home folder would not start workers for nobody
    granted = subprocess.run(command[6:], capture_output=True, text=True, check=False, cwd="/")
    assert granted.returncode == 0, granted.stderr
    assert CliRunner().invoke(main, ["verify", str(results)]).exit_code == 0


def test_an_output_inside_a_zarr_store_is_refused_before_anything_is_read(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x"), "0.4")
    before = digest(tmp_path)
    (tmp_path / "link").symlink_to(source)
    for output in (source, source / "out", source / "0/out", tmp_path / "link/out"):
        result = run(source, "--output", output)
        assert result.exit_code == 2, result.output
        assert f"lies in the Zarr store {source}" in result.stderr
        assert "--write-back" in result.stderr
        (tmp_path / "link").unlink()
        assert digest(tmp_path) == before
        (tmp_path / "link").symlink_to(source)


def test_results_beside_or_below_the_sources_are_found_as_results(tmp_path: Path, run: Run) -> None:
    archive = write_archive(tmp_path / "archive")
    before = digest(archive)
    inside = archive / "results"
    assert statuses(run(archive, "--output", inside)) == ["done"] * 3
    assert {name: code for name, code in digest(archive).items() if name in before} == before
    assert statuses(run(archive, "--output", inside)) == ["unchanged"] * 3


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_result_never_takes_the_place_of_its_source(tmp_path: Path, run: Run, *, overwrite: bool) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.5")
    write_sample_tiff(tmp_path / "y.ome.zarr" / "y.ome.tif", make_sample("y"))
    before = digest(tmp_path)
    for source in (tmp_path / "x.zarr", tmp_path / "y.ome.zarr" / "y.ome.tif"):
        result = run(source, "--output", tmp_path, *(["--overwrite"] if overwrite else []))
        assert result.exit_code != 0, result.output
        assert f"its source {source} lies there" in result.stderr
    assert digest(tmp_path) == before


def test_a_source_that_changes_while_it_is_denoised_is_named_and_not_marked_complete(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_run: Any = import_module("autodip_zarr.run.execution.run")
    source, results = tmp_path / "x.ome.tif", tmp_path / "out"
    write_sample_tiff(source, make_sample("x", (1, 1, 2, 24, 32)))
    write_sample_tiff(tmp_path / "new.ome.tif", make_sample("newer", (1, 1, 2, 24, 32)))
    begin = of_run.begin

    def begin_and_change(*arguments: object) -> object:
        job = begin(*arguments)
        shutil.copy(tmp_path / "new.ome.tif", source)
        return job

    with monkeypatch.context() as patch:
        patch.setattr(of_run, "begin", begin_and_change)
        changed = run(source, "--output", results)
    assert changed.exit_code == 1, changed.output
    assert statuses(changed) == ["failed"]
    (line,) = lines_about(changed.stderr, "has changed while it was denoised")
    assert "--overwrite changed" in line
    attributes = read_attributes(str(results / "x.ome.zarr"))
    assert attributes is not None
    assert attributes["status"] == "running"
    assert CliRunner().invoke(main, ["verify", str(results)]).exit_code == 1
    refused = run(source, "--output", results)
    assert refused.exit_code == 1
    assert "before its source changed" in refused.stderr
    assert statuses(run(source, "--output", results, "--overwrite", "changed")) == ["done"]
    np.testing.assert_array_equal(tifffile.imread(source), tifffile.imread(tmp_path / "new.ome.tif"))
