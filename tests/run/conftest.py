"""Fixtures of tests of whole runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autodip_zarr.cli import main

from .results import Run


@pytest.fixture
def run(quick_table: str, scheduler: str) -> Run:
    """Run ``denoise`` on the shared cluster with networks that fit in milliseconds."""

    def invoke(*arguments: object) -> Result:
        fixed = ["--table", quick_table, "--scheduler", scheduler, "--json"]
        return CliRunner().invoke(main, ["denoise", *map(str, arguments), *fixed], catch_exceptions=False)

    return invoke


@pytest.fixture(scope="session")
def slow_table(quick_table: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table whose networks take a second or so for a small plane."""
    table = json.loads(Path(quick_table).read_text())
    for entry in table["entries"]:
        entry["iterations"] = 300
    path = tmp_path_factory.mktemp("table") / "slow.json"
    path.write_text(json.dumps(table))
    return str(path)
