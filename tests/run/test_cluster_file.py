"""Cluster files: what they say, and what is said of those that are wrong."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.errors import OptionError
from autodip_zarr.run.choices import Machine
from autodip_zarr.run.scheduling.cluster_file import Cards, SlurmJobs, read_cluster, settle_cluster
from autodip_zarr.run.scheduling.clusters import card_options, connect_cluster, slurm_options
from autodip_zarr.run.scheduling.dispatch import CALLS_PER_WORKER
from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from ..test_docs import write_files

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples" / "clusters").glob("*.toml"))
HOW_TO = EXAMPLES[0].parents[2] / "docs" / "how-to" / "run-on-a-cluster.md"
RENAMED = {"path", "memory_bytes", "least_jobs", "most_jobs"}
JOBS = {"kind": '"slurm"', "jobs": "2", "cores": "4", "memory": '"16 GB"', "walltime": '"04:00:00"'}


def write(path: Path, **changes: str | None) -> str:
    """Write a file of Slurm jobs with some fields changed or, by ``None``, left out."""
    known = {name: text for name, text in (JOBS | changes).items() if text is not None}
    path.write_text("\n".join(f"{name} = {text}" for name, text in known.items()))
    return str(path)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_valid(path: Path) -> None:
    cluster = read_cluster(str(path))
    assert isinstance(cluster, SlurmJobs | Cards)
    assert cluster.device == ("cpu" if "cpu" in path.stem else "cuda")


def test_a_range_of_jobs_and_one_thread_a_process(tmp_path: Path) -> None:
    path = write(tmp_path / "c.toml", jobs=None, minimum_jobs="3", maximum_jobs="40", partition='"long"')
    jobs = read_cluster(path)
    assert isinstance(jobs, SlurmJobs)
    assert (jobs.least_jobs, jobs.most_jobs, jobs.processes) == (3, 40, 4)
    options = slurm_options(jobs)
    assert options["processes"] == 4
    assert options["cores"] == 4 * CALLS_PER_WORKER  # threads of all processes
    assert options["worker_extra_args"] == ["--preload", "autodip_zarr.run.scheduling.ready"]
    assert options["queue"] == "long"


def test_a_card_job_has_one_worker_that_offers_it(tmp_path: Path) -> None:
    path = write(tmp_path / "c.toml", device='"cuda"', directives='["--gres=gpu:1"]')
    jobs = read_cluster(path)
    assert isinstance(jobs, SlurmJobs)
    options = slurm_options(jobs)
    assert (options["processes"], options["job_cpu"]) == (1, 4)
    assert options["worker_extra_args"] == [
        "--preload",
        "autodip_zarr.run.scheduling.ready",
        "--resources",
        "GPU=1",
    ]


def test_what_enters_a_job_script_is_quoted(tmp_path: Path) -> None:
    from dask_jobqueue.slurm import SLURMJob

    evil = "$(touch evil); `touch evil` 'x"
    path = write(
        tmp_path / "c.toml",
        environment=f'{{ NAME = "{evil}" }}',
        modules=f'["{evil}"]',
        python=f'"{evil}"',
        local_folder=f'"{evil}"',
    )
    jobs = read_cluster(path)
    assert isinstance(jobs, SlurmJobs)
    of_cluster = {"scheduler_options", "shared_temp_directory"}
    options = {k: v for k, v in slurm_options(jobs).items() if k not in of_cluster}
    job: Any = SLURMJob
    script = job("tcp://nowhere:1", name="w", **options).job_script()
    quoted = """'$(touch evil); `touch evil` '"'"'x'"""
    assert f"export NAME={quoted}" in script
    assert f"module load {quoted}" in script
    assert f"\n{quoted} -m " in script
    assert script.count("evil") == script.count(quoted) * 2


def test_where_credentials_of_jobs_lie_is_checked_before_a_job_is_submitted(tmp_path: Path) -> None:
    jobs = read_cluster(write(tmp_path / "c.toml", shared_folder=f'"{tmp_path}"'))
    assert isinstance(jobs, SlurmJobs)
    assert slurm_options(jobs)["shared_temp_directory"] == str(tmp_path)
    jobs = read_cluster(write(tmp_path / "c.toml", shared_folder='"/nowhere"'))
    assert isinstance(jobs, SlurmJobs)
    with pytest.raises(OptionError, match=r"shared_folder: /nowhere cannot be written to"):
        slurm_options(jobs)


WRONG = [
    ({"cores": "0"}, "cores", "0", "at least 1"),
    ({"cores": '"four"'}, "cores", "'four'", "a whole number"),
    ({"cores": "true"}, "cores", "True", "a whole number"),
    ({"cores": None}, "cores is missing", "", ""),
    ({"kind": '"pbs"'}, "kind", "'pbs'", "slurm or cuda"),
    ({"memory": "16"}, "memory", "16", "text"),
    ({"memory": '"16"'}, "memory", "'16'", "with its unit"),
    ({"memory": '"lots"'}, "memory", "'lots'", "with its unit"),
    ({"memory": '"3.99 GB"'}, "memory", "3.99 GB for 4 worker processes", "at least 4 GB"),
    ({"walltime": '"soon"'}, "walltime", "'soon'", "hours:minutes:seconds"),
    ({"jobs": None}, "jobs is missing", "how many", "maximum_jobs"),
    ({"maximum_jobs": "4"}, "maximum_jobs", "beside jobs", "one of them"),
    ({"jobs": None, "minimum_jobs": "5", "maximum_jobs": "4"}, "minimum_jobs", "5", "at most"),
    ({"partitoin": '"long"'}, "partitoin", "is no field", "did you mean partition?"),
    ({"directives": '"--qos=long"'}, "directives", "'--qos=long'", "a list"),
    ({"directives": '["--qos=long\\ntouch evil"]'}, "directives", "evil", "one line"),
    ({"directives": '["touch evil"]'}, "directives", "evil", "begin with -"),
    ({"device": '"cuda"'}, "directives", "[]", "--gres=gpu:1"),
    ({"environment": '{ "A B" = "x" }'}, "environment", "A B", "names"),
]


@pytest.mark.parametrize(("changes", "field", "found", "expected"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_field_is_named_with_what_is_expected(
    tmp_path: Path, changes: dict[str, str | None], field: str, found: str, expected: str
) -> None:
    path = write(tmp_path / "c.toml", **changes)
    with pytest.raises(OptionError) as caught:
        read_cluster(path)
    message = str(caught.value)
    assert all(text in message for text in (path, field, found, expected)), message


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("kind: slurm")
    for path, found in ((tmp_path / "none.toml", "No such file"), (broken, "is no TOML")):
        with pytest.raises(OptionError, match=found) as caught:
            read_cluster(str(path))
        assert str(path) in str(caught.value)


def test_the_file_decides_the_device_and_contradictions_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "c.toml", device='"cuda"', directives='["--gpus=1"]')
    assert settle_cluster(Machine()) == Machine()
    assert settle_cluster(Machine(cluster=path)).device == "cuda"
    assert settle_cluster(Machine("cuda", cluster=path)).device == "cuda"
    for machine in (
        Machine("cpu", cluster=path),
        Machine(workers=2, cluster=path),
        Machine("auto", None, "tcp://x:1", path),
    ):
        with pytest.raises(OptionError, match=r"the same device|one of them"):
            settle_cluster(machine)


def test_memory_is_for_workers_that_are_started(tmp_path: Path) -> None:
    jobs = read_cluster(write(tmp_path / "c.toml", memory='"4 GB"'))
    assert jobs.memory_bytes == 4 * 10**9
    own = Machine(memory_bytes=2 * 10**9)
    assert settle_cluster(own) is own
    assert settle_cluster(Machine(scheduler="tcp://x:1")).scheduler == "tcp://x:1"
    with pytest.raises(OptionError, match="--scheduler, --memory"):
        settle_cluster(Machine(scheduler="tcp://x:1", memory_bytes=2 * 10**9))


def test_a_mistake_in_the_file_shows_before_the_archive_is_walked(tmp_path: Path) -> None:
    path = write(tmp_path / "c.toml", cores="0")
    result = CliRunner().invoke(
        main, ["denoise", str(tmp_path / "missing"), "--output", str(tmp_path / "out"), "--cluster", path]
    )
    assert result.exit_code == 2
    assert "cores" in result.stderr
    assert "missing" not in result.stderr


def test_cards_each_get_one_worker(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('kind = "cuda"\ncards = [0, 2]\nmemory = "32 GB"\n')
    cards = read_cluster(str(path))
    assert isinstance(cards, Cards)
    options = card_options(cards)
    assert options["CUDA_VISIBLE_DEVICES"] == [0, 2]
    assert options["resources"] == {"GPU": 1}
    assert options["threads_per_worker"] == CALLS_PER_WORKER
    assert options["memory_limit"] == 32_000_000_000


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    if find_spec("dask_cuda") is not None:
        pytest.skip("dask-cuda is installed here")
    source, path = tmp_path / "x.zarr", tmp_path / "c.toml"
    write_sample_zarr(source, make_sample("x"), "0.5")
    path.write_text('kind = "cuda"\n')
    with (
        pytest.raises(OptionError, match="dask-cuda is not installed") as caught,
        connect_cluster(read_cluster(str(path))),
    ):
        pass
    assert "pip install 'autodip-zarr[cuda]'" in str(caught.value)


def test_the_files_that_the_how_to_shows_are_valid(tmp_path: Path) -> None:
    write_files(HOW_TO, tmp_path)
    kinds = [type(read_cluster(str(path))) for path in sorted(tmp_path.glob("*.toml"))]
    assert kinds == [Cards, SlurmJobs]
    text = HOW_TO.read_text(encoding="utf-8")
    assert all(f"`{field.name}`" in text for field in fields(SlurmJobs) if field.name not in RENAMED)
    (manifest,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    document = yaml.safe_load(manifest)
    assert document["kind"] == "DaskCluster"
    (worker,) = document["spec"]["worker"]["spec"]["containers"]
    assert worker["args"][0] == "dask-worker"
    assert all(variable["value"] == "False" for variable in worker["env"])
