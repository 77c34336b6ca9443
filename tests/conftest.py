"""Fixtures that all tests share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

from autodip_zarr.cli import main

from .run.results import Run
from .samples import write_slower_table

settings.register_profile("shared machine", deadline=None)  # a slow moment is no fault
settings.load_profile("shared machine")

_CACHE = TemporaryDirectory(prefix="autodip-cache-")  # until all tests are over
os.environ["XDG_CACHE_HOME"] = _CACHE.name  # what tests learn of this machine is no matter of the user

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference images, headers and numbers beside the checkout."""
    if not (SHARED / "README.md").exists():
        pytest.skip(f"reference data not found: {SHARED} (it is not part of the repository)")
    return SHARED


@pytest.fixture(scope="session")
def quick_table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A calibration table with the groups of the published one and networks that fit in milliseconds."""
    table = json.loads((HERE.parent / "calibration" / "published.json").read_text())
    table["name"] = "quick"
    for entry in table["entries"]:
        entry |= {"depth": 2, "width": 4, "skip": 4, "iterations": 3}
    path = tmp_path_factory.mktemp("table") / "quick.json"
    path.write_text(json.dumps(table))
    return str(path)


@pytest.fixture(scope="session")
def slow_table(quick_table: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table whose networks take a second or so for a small plane."""
    return write_slower_table(quick_table, 40, tmp_path_factory.mktemp("table") / "slow.json")


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """Address of a real Dask cluster with two worker processes."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def here(quick_table: str) -> Run:
    """Run ``denoise --in-process``, with networks that fit in milliseconds."""

    def invoke(*arguments: object) -> Result:
        fixed = ["--table", quick_table, "--in-process", "--json"]
        return CliRunner().invoke(main, ["denoise", *map(str, arguments), *fixed], catch_exceptions=False)

    return invoke
