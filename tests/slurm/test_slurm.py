"""Whole runs on the jobs of a real Slurm, started here for the purpose."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autodip_zarr.stores.sample import write_sample_tiff

from ..run.processes import wait_for
from ..run.results import planes
from ..samples import make_sample, write_archive

SERVER = Path(__file__).parent / "slurm"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment in which commands find a Slurm of one node with 8 cores."""
    folder = tmp_path_factory.mktemp("slurm")
    folder.parent.chmod(0o755)
    started = subprocess.run([SERVER, "start", folder], capture_output=True, text=True, check=False)
    if started.returncode:
        pytest.skip(f"Slurm cannot be started here: {started.stderr.strip()}")
    yield {**os.environ, "SLURM_CONF": started.stdout.strip()}
    subprocess.run([SERVER, "stop", folder], check=True)


def cluster_file(folder: Path, **changes: str | None) -> Path:
    """Write a file of two jobs with a worker process each."""
    fields: dict[str, str | None] = {
        "kind": '"slurm"',
        "jobs": "2",
        "cores": "1",
        "memory": '"2 GB"',
        "walltime": '"00:10:00"',
        "log_folder": f'"{folder}/logs"',
    }
    lines = [f"{name} = {text}" for name, text in (fields | changes).items() if text is not None]
    path = folder / "cluster.toml"
    path.write_text("\n".join(lines))
    return path


def autodip(slurm: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    """Run the command line where it finds Slurm."""
    command = [sys.executable, "-W", "error", "-m", "autodip_zarr", *map(str, words)]
    return subprocess.run(command, env=slurm, capture_output=True, text=True, check=False, timeout=1800)


def jobs_left(slurm: dict[str, str]) -> list[str]:
    """Return the jobs that wait or run, without those that are just ending."""
    command = ["squeue", "--noheader", "--states=PENDING,RUNNING", "--format=%i"]
    return subprocess.run(command, env=slurm, capture_output=True, text=True, check=True).stdout.split()


def reasons_of_end(folder: Path) -> str:
    """Return what the jobs wrote when they were ended."""
    return "\n".join(path.read_text() for path in sorted((folder / "logs").glob("*.err")))


@pytest.mark.soak
def test_a_whole_archive_on_as_many_jobs_as_there_is_work_for(
    tmp_path: Path, slurm: dict[str, str], quick_table: str
) -> None:
    archive, results = write_archive(tmp_path / "archive"), tmp_path / "results"
    path = cluster_file(tmp_path, jobs=None, maximum_jobs="2", cores="2")
    run = autodip(
        slurm, "denoise", archive, "--output", results, "--table", quick_table, "--cluster", path, "--json"
    )
    assert run.returncode == 0, run.stderr
    assert [image["status"] for image in json.loads(run.stdout)["images"]] == ["done"] * 3
    assert autodip(slurm, "verify", results).returncode == 0
    assert jobs_left(slurm) == []
    assert 1 <= len(list((tmp_path / "logs").glob("*.err"))) <= 2


def test_a_job_that_slurm_refuses_ends_the_run(
    tmp_path: Path, slurm: dict[str, str], quick_table: str
) -> None:
    archive = write_archive(tmp_path / "archive")
    run = ["denoise", archive, "--output", tmp_path / "out", "--table", quick_table, "--cluster"]
    refused = autodip(slurm, *run, cluster_file(tmp_path, partition='"none"'))
    assert refused.returncode == 2, refused.stderr
    assert "Slurm refused" in refused.stderr
    assert "partition" in refused.stderr
    assert jobs_left(slurm) == []


@pytest.mark.soak
def test_jobs_that_end_before_their_workers_have_come_end_the_run(
    tmp_path: Path, slurm: dict[str, str], quick_table: str
) -> None:
    archive = write_archive(tmp_path / "archive")
    run = ["denoise", archive, "--output", tmp_path / "out", "--table", quick_table, "--cluster"]
    hopeless = autodip(slurm, *run, cluster_file(tmp_path, python='"/nowhere/python"'))
    assert hopeless.returncode == 2, hopeless.stderr
    assert "jobs end before their workers have come" in hopeless.stderr
    assert f"see {tmp_path}/logs" in hopeless.stderr
    assert "/nowhere/python" in reasons_of_end(tmp_path)
    assert jobs_left(slurm) == []


@pytest.mark.soak
def test_an_interrupted_run_gives_its_jobs_back_and_goes_on_later(
    tmp_path: Path, slurm: dict[str, str], slow_table: str
) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (20, 1, 2, 48, 48)))
    run = ["denoise", source, "--table", slow_table, "--json", "--output"]
    run += [tmp_path / "out", "--cluster", cluster_file(tmp_path, jobs="1")]
    command = [sys.executable, "-m", "autodip_zarr", *map(str, run)]
    process = subprocess.Popen(command, env=slurm, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(tmp_path / "out/x.ome.zarr/autodip/record/c", 400)  # the first plane is recorded
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on" in errors
    assert jobs_left(slurm) == []
    again = autodip(slurm, *run)
    assert again.returncode == 0, again.stderr
    (image,) = json.loads(again.stdout)["images"]
    assert image["status"] == "done"
    assert 0 < image["planes_done"] < 40


@pytest.mark.soak
def test_jobs_that_reach_their_time_limit_are_replaced_and_nothing_is_lost(
    tmp_path: Path, slurm: dict[str, str], slow_table: str
) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (30, 1, 2, 48, 48)))
    run = ["denoise", source, "--table", slow_table, "--json", "--output"]
    path = cluster_file(tmp_path, jobs="1", walltime='"00:01:00"')
    limited = autodip(slurm, *run, tmp_path / "limited", "--cluster", path)
    assert limited.returncode == 0, limited.stderr
    (image,) = json.loads(limited.stdout)["images"]
    assert (image["planes_done"], image["planes_failed"]) == (60, 0)
    assert "DUE TO TIME LIMIT" in reasons_of_end(tmp_path)
    assert len(list((tmp_path / "logs").glob("*.err"))) > 1
    assert autodip(slurm, "verify", tmp_path / "limited").returncode == 0

    assert autodip(slurm, *run, tmp_path / "whole").returncode == 0
    np.testing.assert_array_equal(
        planes(tmp_path / "limited/x.ome.zarr"), planes(tmp_path / "whole/x.ome.zarr")
    )
