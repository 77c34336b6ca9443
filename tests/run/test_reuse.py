"""Run again on an archive that grew, changed or lost images, each is treated as it should be."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.domain import Fingerprint, Recipe
from autodip_zarr.provenance import autodip_attribute, recipe_document
from autodip_zarr.run.choices import Overwrite
from autodip_zarr.run.results.reuse import decide
from autodip_zarr.run.results.software import changes_pixels
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import digest, make_sample
from ..stores.builders import consolidate, write_plate
from .results import Run, statuses
from .values import make_header, make_image

IMAGE = make_image()


def existing(status: Any = "complete", **recipe: object) -> dict[str, Any]:
    """Return what an earlier run of the same image recorded."""
    return autodip_attribute(status, {**recipe_document(IMAGE, changes_pixels()), **recipe}, {})


@pytest.mark.parametrize(
    ("found", "overwrite", "action"),
    [
        (None, "never", "create"),
        (existing(), "never", "keep"),
        (existing("running"), "never", "continue"),
        (existing("partial"), "never", "continue"),
        (existing(), "changed", "keep"),
        (existing(), "all", "redo"),
        (existing(seed=3), "never", "refuse"),
        (existing(seed=3), "changed", "refuse"),
        (existing(seed=3), "all", "redo"),
        ({"layout": "plate"}, "all", "refuse"),
        (existing(software={"torch": "1"}), "never", "keep"),
        (existing("running", software={"torch": "1"}), "never", "refuse"),
    ],
)
def test_what_is_done_about_a_result(found: dict[str, Any] | None, overwrite: Overwrite, action: str) -> None:
    assert decide(IMAGE, found, overwrite).action == action


@pytest.mark.parametrize(
    ("mark", "is_changed"),
    [
        (Fingerprint(1001, "2026-01-02T03:04:05+00:00", None, "sha256:00"), True),
        (Fingerprint(1000, "2026-01-02T03:04:05+00:00", None, "sha256:01"), True),
        (Fingerprint(1000, "2026-07-07T00:00:00+00:00", None, "sha256:00"), True),
        (Fingerprint(1000, None, "abc", "sha256:00"), False),
    ],
)
@pytest.mark.parametrize("status", ["complete", "running"])
def test_a_source_that_changed(mark: Fingerprint, is_changed: bool, status: str) -> None:
    image = replace(IMAGE, header=replace(IMAGE.header, fingerprint=mark))
    unchanged = "keep" if status == "complete" else "continue"
    assert decide(image, existing(status), "never").action == ("leave" if is_changed else unchanged)
    assert decide(image, existing(status), "changed").action == ("redo" if is_changed else unchanged)


def test_an_archive_that_moved_has_new_times_and_has_not_changed() -> None:
    moved = make_header(uri="/elsewhere/x.ome.tif")
    moved = replace(moved, fingerprint=replace(moved.fingerprint, modified="2026-07-07T00:00:00+00:00"))
    assert decide(make_image(moved), existing(), "never").action == "keep"


def test_the_same_entity_tag_tells_more_than_the_time() -> None:
    old = Fingerprint(1000, "2026-01-02T03:04:05+00:00", "abc", None)
    image = replace(IMAGE, header=replace(IMAGE.header, fingerprint=old))
    found = autodip_attribute("complete", recipe_document(image, changes_pixels()), {})
    for tag, action in (("abc", "keep"), ("abd", "leave")):
        mark = replace(old, modified="2026-07-07T00:00:00+00:00", etag=tag)
        again = replace(image, header=replace(image.header, fingerprint=mark))
        assert decide(again, found, "never").action == action


def plan(*arguments: object) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(main, ["plan", *map(str, arguments), "--json"], catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout)


def test_an_archive_that_grew_costs_the_new_images_alone(
    tmp_path: Path, run: Run, quick_table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, results = tmp_path / "archive", tmp_path / "out"
    for name in "ab":
        write_sample_zarr(archive / f"{name}.zarr", make_sample(name), "0.5")
    assert run(archive, "--output", results).exit_code == 0
    before = digest(results)
    write_sample_tiff(archive / "c.ome.tif", make_sample("c", (1, 1, 2, 16, 16)))
    code, document = plan(archive, "--output", results, "--table", quick_table)
    assert code == 0
    totals = document["totals"]
    assert (totals["images"], totals["planes"], totals["complete"]) == (1, 2, 2)
    assert [image.get("result", {}).get("action") for image in document["images"]] == ["keep", "keep", None]
    again = run(archive, "--output", results)
    assert again.exit_code == 0, again.stderr
    assert statuses(again) == ["unchanged", "unchanged", "done"]
    after = digest(results)
    assert {path: after[path] for path in before} == before
    monkeypatch.setenv("PATH", "")  # nothing is left to do: no worker may be started, no address be asked
    arguments = ["--output", str(results), "--table", quick_table, "--scheduler", "tcp://127.0.0.1:9"]
    idle = CliRunner().invoke(main, ["denoise", str(archive), *arguments], catch_exceptions=False)
    assert idle.exit_code == 0, idle.stderr
    assert "nothing to do: all 3 results are complete" in idle.stderr


def test_a_changed_source_is_flagged_left_and_done_again_when_asked(
    tmp_path: Path, run: Run, quick_table: str
) -> None:
    archive, results = tmp_path / "archive", tmp_path / "out"
    write_sample_tiff(archive / "a.ome.tif", make_sample("a"))
    write_sample_tiff(archive / "b.ome.tif", make_sample("b"))
    assert run(archive, "--output", results).exit_code == 0
    before = digest(results)
    write_sample_tiff(archive / "b.ome.tif", make_sample("changed", (1, 1, 2, 24, 32)))

    code, document = plan(archive, "--output", results, "--table", quick_table)
    assert code == 1
    assert (document["totals"]["complete"], document["totals"]["left"]) == (1, 1)
    assert document["images"][1]["result"]["action"] == "leave"
    text = CliRunner().invoke(main, ["plan", str(archive), "--output", str(results), "--table", quick_table])
    assert text.exit_code == 1
    assert "warning" in text.stdout
    assert "made before its source changed (size_bytes: " in text.stdout

    left = run(archive, "--output", results)
    assert left.exit_code == 1
    assert statuses(left) == ["unchanged", "changed"]
    assert "--overwrite changed" in left.stderr
    assert digest(results) == before

    done = run(archive, "--output", results, "--overwrite", "changed")
    assert done.exit_code == 0, done.stderr
    assert statuses(done) == ["unchanged", "done"]
    assert statuses(run(archive, "--output", results)) == ["unchanged"] * 2


def test_overwrite_alone_may_stand_before_a_source(tmp_path: Path, run: Run) -> None:
    source, results = tmp_path / "a.ome.tif", tmp_path / "out"
    write_sample_tiff(source, make_sample("a"))
    for options in ([], ["--overwrite"], ["--overwrite", "all"], ["--overwrite=all"]):
        done = run("--output", results, *options, source)
        assert statuses(done) == ["done"], done.stderr
    assert statuses(run("--output", results, "--overwrite", "changed", source)) == ["unchanged"]


def test_results_whose_source_is_gone_are_listed(tmp_path: Path, run: Run, quick_table: str) -> None:
    archive, results = tmp_path / "archive", tmp_path / "out"
    write_sample_tiff(archive / "a.ome.tif", make_sample("a"))
    write_sample_zarr(archive / "b.zarr", make_sample("b"), "0.5")
    write_plate(archive / "p.zarr", 3)
    assert run(archive, "--output", results).exit_code == 0
    kept = run(archive / "a.ome.tif", "--output", results)
    assert "gone" not in kept.stderr  # other sources were not asked for, and are there
    shutil.rmtree(archive / "b.zarr")
    shutil.rmtree(archive / "p.zarr/A/1/0")
    expected = [f"{results}/b.zarr: its source is gone: {archive}/b.zarr"]
    expected += [f"{results}/p.zarr/A/1/0: its source is gone: {archive}/p.zarr/A/1/0"]
    code, document = plan(archive / "a.ome.tif", "--output", results, "--table", quick_table)
    assert (code, sorted(document["warnings"])) == (0, expected)
    os.chdir(tmp_path)  # a relative destination names the same results
    again = run(archive / "a.ome.tif", "--output", "out")
    assert again.exit_code == 0
    assert all(f"warning: {line}" in again.stderr for line in expected)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_entering_a_result_in_its_store_is_no_change_of_the_source(
    tmp_path: Path, run: Run, zarr_format: Any
) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x"), "0.4" if zarr_format == 2 else "0.5")
    consolidate(source, zarr_format)
    assert run(source, "--write-back").exit_code == 0
    again = run(source, "--write-back")
    assert statuses(again) == ["unchanged"], again.stderr


def test_the_recipe_of_an_old_result_may_lack_what_is_new() -> None:
    names = Recipe.__dataclass_fields__
    assert "seed" in names
    old = existing()
    del old["recipe"]["seed"]
    assert decide(IMAGE, old, "never").reasons == ("seed: None, now 0",)
