"""Fixtures of tests of whole runs."""

from __future__ import annotations

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
