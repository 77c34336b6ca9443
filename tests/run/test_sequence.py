"""Stacks fitted on from plane to plane: the same pixels whoever works on them and wherever a run stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from autodip_zarr.cli import main
from autodip_zarr.dip.presets import warm_start
from autodip_zarr.run.blocks import blocks, chain_shape, chains
from autodip_zarr.stores import RECORD_FIELDS, read_attributes, read_record
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample, write_slower_table
from .results import planes
from .test_blocks import make_spec
from .values import make_header


@pytest.fixture(scope="module")
def table(quick_table: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table whose fits are long enough for a warm one to be shorter, and for a run to be interrupted."""
    return write_slower_table(quick_table, 40, tmp_path_factory.mktemp("table") / "table.json")


def test_a_block_is_a_chain_and_nothing_of_the_machine_enters() -> None:
    warm = replace(warm_start("z"), longest=25)
    assert chain_shape(make_header((4, 1, 50, 64, 64)), warm) == (1, 25)
    assert chain_shape(make_header((4, 1, 51, 64, 64)), warm) == (1, 17)
    assert chain_shape(make_header((4, 1, 51, 64, 64)), replace(warm, axis="t")) == (4, 1)
    assert chain_shape(make_header((1, 1, 50, 20000, 20000)), warm) == (1, 1)


@pytest.mark.parametrize("axis", ["z", "t"])
def test_chains_are_the_blocks_that_hold_a_chosen_plane(axis: str) -> None:
    spec = make_spec((6, 1, 7), (1, 3) if axis == "z" else (4, 1))
    chosen = ((0, 1, 5), (0, 1, 6))
    holding = [
        block
        for block in blocks(spec, [0])
        if any(t in chosen[0] and z in chosen[1] for t, z in block.positions)
    ]
    assert chains(chosen, (spec.block_t, spec.block_z)) == len(holding)


def planned(source: Path, table: str, *options: str) -> float:
    """Return the cost of a plan."""
    done = CliRunner().invoke(main, ["plan", str(source), "--table", table, "--json", *options])
    (image,) = json.loads(done.stdout)["images"]
    return float(image["channels"][0]["relative_cost"])


def test_the_plan_counts_warm_planes_for_less(tmp_path: Path, table: str) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 1, 10, 48, 48)))
    alone, warm, both = (
        planned(source, table, *options)
        for options in ([], ["--sequence", "z"], ["--sequence", "z", "--both-ways"])
    )
    assert alone == pytest.approx(planned(source, table, "--sequence", "t"))
    assert 0.2 * alone < warm < both < alone


@pytest.mark.parametrize("options", [["--both-ways"], ["--sequence", "z", "--preset", "reference"]])
def test_what_makes_no_sense_is_refused(tmp_path: Path, options: list[str]) -> None:
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x", (1, 1, 2, 16, 16)))
    done = CliRunner().invoke(main, ["plan", str(tmp_path), *options])
    assert done.exit_code == 2
    assert options[0] in done.stderr


def denoise(source: Path, output: Path, *options: str) -> Result:
    """Run ``denoise`` to its end."""
    arguments = ["denoise", str(source), "--output", str(output), "--json", *options]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done


def iterations(output: Path) -> np.ndarray:
    """Return the Adam steps of each plane of the only channel, (T, Z)."""
    return read_record(str(output / "x.ome.zarr"))[:, 0, :, RECORD_FIELDS.index("iterations")]


def test_a_time_lapse_is_fitted_on_along_time(tmp_path: Path, scheduler: str, table: str) -> None:
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x", (3, 1, 1, 32, 32)))
    options = ["--sequence", "t", "--table", table, "--scheduler", scheduler]
    denoise(tmp_path / "x.ome.tif", tmp_path / "out", *options)
    found = iterations(tmp_path / "out")
    assert (found[0] > 2 * found[1]).all()
    assert (found[1] == found[2]).all()
    attributes = read_attributes(str(tmp_path / "out/x.ome.zarr"))
    assert attributes is not None
    assert attributes["recipe"]["sequence"]["axis"] == "t"


@pytest.mark.soak
def test_a_chain_does_not_depend_on_workers_or_on_an_interruption(
    tmp_path: Path, scheduler: str, table: str
) -> None:
    source, whole, halves = (tmp_path / name for name in ("x.ome.tif", "whole", "halves"))
    write_sample_tiff(source, make_sample("x", (4, 1, 2, 32, 32)))
    options = ["--sequence", "z", "--table", table]
    denoise(source, whole, *options, "--scheduler", scheduler)  # two workers

    command = [sys.executable, "-m", "autodip_zarr", "denoise", str(source), "--output", str(halves)]
    process = subprocess.Popen(
        [*command, *options, "--workers", "1"], stderr=subprocess.DEVNULL, start_new_session=True
    )
    end = time.monotonic() + 120
    while not (halves / "x.ome.zarr/autodip/record/c").exists():  # the first chain is recorded
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    again = denoise(source, halves, *options, "--scheduler", scheduler)
    assert 0 < json.loads(again.stdout)["images"][0]["planes_done"] < 8

    np.testing.assert_array_equal(planes(whole / "x.ome.zarr"), planes(halves / "x.ome.zarr"))
    np.testing.assert_array_equal(iterations(whole), iterations(halves))
    assert (iterations(whole)[:, 0] > 2 * iterations(whole)[:, 1]).all()
