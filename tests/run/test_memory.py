"""The memory that a worker needs, and what happens to images that need more."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner, Result

from autodip_zarr.cli import main
from autodip_zarr.dip.estimate import estimate
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import OptionError
from autodip_zarr.run.choices import Machine
from autodip_zarr.run.scheduling.cluster_file import memory_option
from autodip_zarr.run.scheduling.connect import connect, worker_memory
from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from ..stores.builders import write_image
from .results import Run, statuses

GIB = 2**30
MEASURED_GIB = {  # peaks of the process that fits one plane of 512x512 pixels; docs/explanation/memory.md
    DipConfig(8, "asc", 4, 300): (0.62, 0.73),
    DipConfig(8, 32, 4, 400): (0.69, 0.99),
    DipConfig(4, 32, 4, 1200): (0.75, 1.02),
    DipConfig(4, 64, 0, 2900): (1.07, 1.55),
    DipConfig(5, 128, 4, 1300): (1.75, 2.55),
    DipConfig(6, 256, 4, 1300): (3.27, 4.74),
    DipConfig(8, 512, 4, 1700): (6.85, 9.37),
}
BARE_GIB = 0.25
"""Of that, what a process takes that has torch loaded and fits nothing."""


@pytest.mark.parametrize("config", MEASURED_GIB)
def test_the_bound_on_a_fit_holds_for_what_was_measured_and_is_not_far_above(config: DipConfig) -> None:
    for precision, measured in zip(("bfloat16", "float32"), MEASURED_GIB[config], strict=True):
        recipe = preset_recipe("standard", precision=precision)
        bound = estimate(config, recipe, (512, 512), "cpu").network_bytes / GIB
        assert measured - BARE_GIB <= bound <= 1.5 * (measured - BARE_GIB)


def test_large_planes_take_the_network_of_a_tile() -> None:
    config, recipe = DipConfig(4, 32, 4, 1200), preset_recipe("standard", precision="float32")
    tile = estimate(config, recipe, (512, 512), "cpu").network_bytes
    assert estimate(config, recipe, (20000, 20000), "cpu").network_bytes <= 1.1 * tile
    assert estimate(config, recipe, (64, 64), "cpu").network_bytes < tile / 16
    on_card = estimate(config, recipe, (512, 512), "cuda:0")
    assert on_card.network_bytes == 0, "it lies in the card's memory"


@pytest.fixture
def run_alone(quick_table: str) -> Run:
    """Run ``denoise`` with one worker of its own."""

    def invoke(*arguments: object) -> Result:
        fixed = ["--table", quick_table, "--workers", "1", "--json"]
        return CliRunner().invoke(main, ["denoise", *map(str, arguments), *fixed], catch_exceptions=False)

    return invoke


def test_an_image_that_no_worker_has_the_memory_for_is_named_and_others_go_on(
    tmp_path: Path, run_alone: Run
) -> None:
    write_image(tmp_path / "in/large.zarr", np.zeros((1, 1, 1, 8, 8), np.uint8), "tczyx", 3)
    zarr.create_array(
        str(tmp_path / "in/large.zarr"),
        name="0",
        shape=(1, 1, 1, 16000, 16000),
        chunks=(1, 1, 1, 1000, 1000),
        dtype="uint8",
        dimension_names=list("tczyx"),
        overwrite=True,
    )
    write_sample_zarr(tmp_path / "in/small.zarr", make_sample("small"), "0.5")
    result = run_alone(tmp_path / "in", "--output", tmp_path / "out", "--memory", "1.2GB")
    assert result.exit_code == 1, result.output
    assert statuses(result) == ["failed", "done"]
    (line,) = (line for line in result.stderr.splitlines() if "one block needs" in line)
    assert "large.zarr" in line
    assert "which has 1.2 GB" in line
    assert "--memory" in line
    assert not (tmp_path / "out/large.zarr").exists()


def test_a_worker_tells_its_peak(tmp_path: Path, run_alone: Run) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.5")
    result = run_alone(tmp_path / "x.zarr", "--output", tmp_path / "out", "--memory", "1GB", "--log-json")
    assert result.exit_code == 0, result.stderr
    blocks = [one for one in map(json.loads, result.stderr.splitlines()) if one["event"] == "block"]
    assert blocks
    assert all(0 < one["peak_bytes"] < 10**9 for one in blocks)


@pytest.mark.parametrize("text", ["much", "8", "-1GB", "500MB", "0GB", "9" * 400 + "GB"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--memory"):
        memory_option(text)


def test_sizes_are_read_as_dask_does() -> None:
    assert memory_option("8GB") == 8 * 10**9
    assert memory_option("2 GiB") == 2 * GIB


def test_memory_is_not_for_workers_that_are_there(tmp_path: Path, run: Run) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.5")
    refused = run(tmp_path / "x.zarr", "--output", tmp_path / "out", "--memory", "2GB")
    assert refused.exit_code == 2
    assert "--scheduler, --memory" in refused.stderr


def test_there_are_no_more_workers_than_there_is_memory_for() -> None:
    total = worker_memory(Machine("cpu", workers=1))
    assert total is not None
    assert worker_memory(Machine("cpu", memory_bytes=total // 2)) == total // 2
    with connect(Machine("cpu", memory_bytes=total)) as client:
        limits = [worker["memory_limit"] for worker in client.scheduler_info()["workers"].values()]
    assert limits == [total]
