"""Whole runs on real files with real worker processes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.stores import RECORD_FIELDS, read_attributes, read_failures, read_record
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import digest, make_sample, write_archive
from ..stores.builders import write_plate
from .results import Run, planes, statuses


def test_an_archive_of_all_formats(tmp_path: Path, run: Run) -> None:
    archive, results = write_archive(tmp_path / "archive"), tmp_path / "results"
    before = digest(archive)
    first = run(archive, "--output", results)
    assert first.exit_code == 0, first.output
    assert statuses(first) == ["done"] * 3
    document = json.loads(first.stdout)["images"]
    targets = [Path(image["target"]).relative_to(results).as_posix() for image in document]
    assert targets == ["a/stack.ome.zarr", "a/two.zarr", "b/lapse.ome.zarr"]
    assert [image["planes_done"] for image in document] == [3, 2, 2]
    assert digest(archive) == before

    stack = planes(results / "a/stack.ome.zarr")
    assert stack.shape == (3, 24, 32)
    assert stack.dtype == np.uint16
    noisy = planes(archive / "a/stack.ome.tif")
    assert not np.array_equal(stack, noisy)
    assert abs(float(stack.mean()) - float(noisy.mean())) < 60

    verified = CliRunner().invoke(main, ["verify", str(results)])
    assert verified.exit_code == 0, verified.output
    assert verified.stdout.count("whole") == 3

    written = digest(results)
    again = run(archive, "--output", results)
    assert again.exit_code == 0
    assert statuses(again) == ["unchanged"] * 3
    assert "nothing to do" in again.stderr
    assert digest(results) == written


def test_provenance_names_source_match_and_treatment(tmp_path: Path, run: Run) -> None:
    source, results = tmp_path / "x.zarr", tmp_path / "out"
    sample = make_sample("x", (1, 2, 1, 20, 20))
    write_sample_zarr(source, sample, "0.5")
    assert run(source, "--output", results, "--channels", "DAPI", "--seed", 5).exit_code == 0
    attributes = read_attributes(str(results / "x.zarr"))
    assert attributes is not None
    assert attributes["status"] == "complete"
    recipe = attributes["recipe"]
    assert recipe["source"]["uri"] == str(source)
    assert recipe["source"]["checksum"].startswith("sha256:")
    assert recipe["seed"] == 5
    dapi, mito = recipe["channels"]
    assert (dapi["treatment"], mito["treatment"]) == ("denoised", "copied")
    assert dapi["match"]["tier"] == "microscope+specimen"
    assert dapi["match"]["group"] == {"microscope": "widefield", "specimen": "nucleus"}
    assert any("AcquisitionMode" in evidence["source"] for evidence in dapi["evidence"])
    assert "not among the chosen channels" in mito["reason"]
    np.testing.assert_array_equal(planes(results / "x.zarr", 1), sample.pixels[0, 1])
    assert not np.array_equal(planes(results / "x.zarr", 0), sample.pixels[0, 0])


def test_planes_that_are_not_chosen_are_copied(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.ome.tif"
    sample = make_sample("x", (1, 1, 4, 16, 16))
    write_sample_tiff(source, sample)
    assert run(source, "--output", tmp_path / "out", "--z", "1:3").exit_code == 0
    result = planes(tmp_path / "out/x.ome.zarr")
    same = [np.array_equal(result[z], sample.pixels[0, 0, z]) for z in range(4)]
    assert same == [True, False, False, True]


def test_bad_sources_are_named_and_the_others_done(tmp_path: Path, run: Run) -> None:
    good = tmp_path / "good.ome.tif"
    write_sample_tiff(good, make_sample("good"))
    text = tmp_path / "notes.txt"
    text.write_text("not an image")
    fake = tmp_path / "fake.ome.tif"
    fake.write_bytes(b"II*\0 but nothing else")
    broken = tmp_path / "broken.zarr"
    write_sample_zarr(broken, make_sample("broken"), "0.5")
    (broken / "zarr.json").write_text("{ not json")
    missing = tmp_path / "missing.zarr"
    result = run(good, text, fake, broken, missing, "--output", tmp_path / "out")
    assert result.exit_code == 1, result.output
    assert statuses(result) == ["done"]
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 4, result.stderr
    for path in (text, fake, broken, missing):
        assert sum(str(path) in line for line in lines) == 1, path


def test_nothing_readable_at_all_is_a_wrong_call(tmp_path: Path, run: Run) -> None:
    result = run(tmp_path / "missing.zarr", "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert "missing.zarr" in result.stderr


def test_pixels_without_a_value_stay_and_the_rest_is_denoised(tmp_path: Path, run: Run) -> None:
    sample = make_sample("x", (1, 1, 2, 16, 16), "float32")
    sample.pixels[0, 0, 1, 4, 4] = np.nan
    source, results = tmp_path / "x.zarr", tmp_path / "out"
    write_sample_zarr(source, sample, "0.5")
    assert run(source, "--output", results).exit_code == 0
    denoised = planes(results / "x.zarr")[1]
    assert np.isnan(denoised).sum() == 1
    assert np.isnan(denoised[4, 4])
    record = read_record(str(results / "x.zarr"))
    assert record[0, 0, :, RECORD_FIELDS.index("missing_pixels")].tolist() == [0, 1]
    assert CliRunner().invoke(main, ["verify", str(results)]).exit_code == 0


def test_a_corrupt_chunk_costs_its_plane_alone(tmp_path: Path, run: Run) -> None:
    source, results = tmp_path / "x.zarr", tmp_path / "out"
    write_sample_zarr(source, make_sample("x", (1, 1, 3, 16, 16)), "0.5")
    chunk = source / "0/c/0/0/1/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-7])
    result = run(source, "--output", results)
    assert result.exit_code == 1
    document = json.loads(result.stdout)["images"][0]
    assert (document["planes_done"], document["planes_failed"]) == (2, 1)
    assert statuses(result) == ["partial"]
    assert "c=0 t=0 z=1" in result.stderr
    (failure,) = read_failures(str(results / "x.zarr"))
    assert (failure.t, failure.c, failure.z) == (0, 0, 1)
    verified = CliRunner().invoke(main, ["verify", str(results)])
    assert verified.exit_code == 1
    assert "t=0 c=0 z=1: " in verified.stdout
    assert "cannot be read" in verified.stdout

    write_sample_zarr(tmp_path / "repaired.zarr", make_sample("x", (1, 1, 3, 16, 16)), "0.5")
    chunk.write_bytes((tmp_path / "repaired.zarr/0/c/0/0/1/0/0").read_bytes())
    again = run(source, "--output", results)
    assert again.exit_code == 0
    assert statuses(again) == ["done"]
    assert read_failures(str(results / "x.zarr")) == ()


def test_a_changed_recipe_does_not_mix_with_an_old_result(tmp_path: Path, run: Run) -> None:
    source, results = tmp_path / "x.zarr", tmp_path / "out"
    write_sample_zarr(source, make_sample("x"), "0.5")
    assert run(source, "--output", results).exit_code == 0
    old = planes(results / "x.zarr")
    refused = run(source, "--output", results, "--seed", 1)
    assert refused.exit_code == 1
    assert "seed: 0, now 1" in refused.stderr
    assert "--overwrite" in refused.stderr
    np.testing.assert_array_equal(planes(results / "x.zarr"), old)
    assert run(source, "--output", results, "--seed", 1, "--overwrite").exit_code == 0
    assert not np.array_equal(planes(results / "x.zarr"), old)


def test_a_folder_that_is_no_result_is_left_alone(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x"), "0.5")
    write_sample_zarr(tmp_path / "out/x.zarr", make_sample("y"), "0.5")
    before = digest(tmp_path / "out")
    result = run(source, "--output", tmp_path / "out", "--overwrite")
    assert result.exit_code == 1
    assert digest(tmp_path / "out") == before


def test_two_sources_with_one_target_are_not_mixed(tmp_path: Path, run: Run) -> None:
    for folder, seed in (("a", 1), ("b", 2)):
        sample = make_sample("x")
        write_sample_tiff(tmp_path / folder / "x.ome.tif", replace(sample, pixels=sample.pixels + seed))
    result = run(tmp_path / "a", tmp_path / "b", "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert statuses(result) == ["done"]
    assert "same path" in result.stderr


def test_results_do_not_depend_on_workers_or_layout(tmp_path: Path, run: Run, quick_table: str) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (1, 2, 3, 30, 30)))
    assert run(source, "--output", tmp_path / "two", "--tile", 16, "--halo", 4).exit_code == 0
    alone = [
        "denoise",
        str(source),
        "--output",
        str(tmp_path / "one"),
        "--workers",
        "1",
        "--zarr-format",
        "0.4",
    ]
    result = CliRunner().invoke(main, [*alone, "--table", quick_table, "--tile", "16", "--halo", "4"])
    assert result.exit_code == 0, result.output
    for c in (0, 1):
        np.testing.assert_array_equal(
            planes(tmp_path / "one/x.ome.zarr", c), planes(tmp_path / "two/x.ome.zarr", c)
        )
    assert zarr.open_group(tmp_path / "one/x.ome.zarr", mode="r").metadata.zarr_format == 2


def test_write_back_adds_one_group_and_remove_takes_it_out(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x", (1, 1, 2, 16, 16)), "0.4")
    before = digest(tmp_path)
    result = run(source, "--write-back")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["images"][0]["target"] == f"{source}/denoised"
    after = digest(tmp_path)
    assert {path: after[path] for path in before} == before
    assert all(path.startswith("x.zarr/denoised/") for path in after.keys() - before.keys())
    assert zarr.open_group(source / "denoised", mode="r").metadata.zarr_format == 2
    assert statuses(run(source, "--write-back")) == ["unchanged"]
    assert CliRunner().invoke(main, ["remove", f"{source}/denoised"]).exit_code == 0
    assert digest(tmp_path) == before


def test_write_back_into_a_tiff_is_refused_and_the_others_done(tmp_path: Path, run: Run) -> None:
    write_archive(tmp_path)
    result = run(tmp_path, "--write-back")
    assert result.exit_code == 1
    assert statuses(result) == ["done", "done"]
    assert "stack.ome.tif" in result.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here (needs root)")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_gives_one_message_and_the_small_images_are_done(
    tmp_path: Path, small_disk: Path, run: Run
) -> None:
    archive = tmp_path / "archive"
    big = make_sample("big", (1, 1, 2, 400, 400), "float32")
    big.pixels[:] = np.random.default_rng(0).normal(size=big.pixels.shape)  # does not compress
    write_sample_zarr(archive / "a_big.zarr", big, "0.5")
    write_sample_zarr(archive / "small.zarr", make_sample("small"), "0.5")
    result = run(archive, "--output", small_disk / "out")
    assert result.exit_code == 1
    assert statuses(result) == ["failed", "done"], result.stderr
    lines = [line for line in result.stderr.splitlines() if "a_big.zarr" in line]
    assert len(lines) == 1, result.stderr
    assert "space" in lines[0]


def test_a_target_that_cannot_be_created_is_named(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x"), "0.5")
    (tmp_path / "file").write_text("in the way")
    result = run(source, "--output", tmp_path / "file")
    assert result.exit_code == 2
    assert str(tmp_path / "file") in result.stderr


def test_a_result_whose_creation_was_killed_is_created_again(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x"), "0.5")
    assert run(source, "--output", tmp_path / "out").exit_code == 0
    whole = planes(tmp_path / "out/x.zarr")
    shutil.rmtree(tmp_path / "out/x.zarr/autodip/record")
    document = tmp_path / "out/x.zarr/zarr.json"
    document.write_text(document.read_text().replace('"status": "complete"', '"status": "running"'))
    again = run(source, "--output", tmp_path / "out")
    assert statuses(again) == ["done"], again.stderr
    np.testing.assert_array_equal(planes(tmp_path / "out/x.zarr"), whole)


def test_an_image_does_not_take_the_place_of_a_plate(tmp_path: Path, run: Run) -> None:
    write_plate(tmp_path / "a/p.zarr", 3)
    assert run(tmp_path / "a", "--output", tmp_path / "out").exit_code == 0
    before = digest(tmp_path / "out")
    write_sample_zarr(tmp_path / "b/p.zarr", make_sample("p"), "0.5")
    result = run(tmp_path / "b", "--output", tmp_path / "out", "--overwrite")
    assert result.exit_code == 1
    assert "several results" in result.stderr
    assert digest(tmp_path / "out") == before
