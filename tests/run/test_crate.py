"""The Process Run Crate of a result: connected, and about the run that made it."""

from __future__ import annotations

import json
from pathlib import Path

from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from .results import Run


def test_a_new_store_carries_the_run_that_made_it(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x"), "0.5")
    assert run(source, "--output", tmp_path / "out").exit_code == 0
    crate = json.loads((tmp_path / "out/x.zarr/ro-crate-metadata.json").read_text())
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    assert entities["./"]["conformsTo"]["@id"].startswith("https://w3id.org/ro/wfrun/process/0.5")
    action = entities[entities["./"]["mentions"]["@id"]]
    assert action["@type"] == "CreateAction"
    assert entities[action["instrument"]["@id"]]["name"] == "autodip-zarr"
    assert action["object"]["@id"] == str(source)
    assert entities[action["object"]["@id"]]["identifier"].startswith("sha256:")
    assert action["startTime"] <= action["endTime"]
    assert action["actionStatus"]["@id"].endswith("CompletedActionStatus")


def test_a_result_that_is_written_back_does_not(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x"), "0.5")
    assert run(source, "--write-back").exit_code == 0
    assert not list(source.rglob("ro-crate-metadata.json"))
