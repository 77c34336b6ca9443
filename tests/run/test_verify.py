"""Every byte of a result counts: verify finds any that was changed, wherever it is."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import digest, make_sample
from ..stores.builders import consolidate, write_plate, write_series
from .results import Run, assert_same_result, statuses
from .test_repair import level_files, root_document, verified
from .test_resume import cut, entry, flip, shard

FORMATS = ["0.4", "0.5"]
QUICK, SOAK = 60, 500


def flipped(target: Path, count: int, seed: int) -> Iterator[str]:
    """Change one bit of one byte of a result at a time, and yield where nobody noticed."""
    chance = random.Random(seed)
    files = [path for path in sorted(target.rglob("*")) if path.is_file() and path.stat().st_size]
    for _ in range(count):
        path = chance.choice(files)
        whole = path.read_bytes()
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
        if CliRunner().invoke(main, ["verify", str(target)], catch_exceptions=False).exit_code == 0:
            yield f"byte {at} of {path.relative_to(target)}"
        path.write_bytes(whole)


@pytest.fixture
def results(tmp_path: Path, run: Run, zarr_format: Literal["0.4", "0.5"]) -> list[Path]:
    """Return results of every kind: a stack with uncertainty, a plate, a series, and one written back."""
    version: list[object] = ["--zarr-format", zarr_format]
    sample = make_sample("x", (3, 2, 2, 260, 24))
    sample.pixels[1] = 0  # planes of which no chunk is stored
    write_sample_tiff(tmp_path / "x.ome.tif", sample)
    more = ["--preset", "best", "--uncertainty", "--t", "0"]
    assert run(tmp_path / "x.ome.tif", "--output", tmp_path / "out", *version, *more).exit_code == 0
    plate = write_plate(tmp_path / "plate.zarr", 3, ["A/1"], 1)
    series = write_series(tmp_path / "series.zarr", 3, ["0"])
    assert run(plate, series, "--output", tmp_path / "out", *version).exit_code == 0
    source = tmp_path / "back.zarr"
    write_sample_zarr(source, make_sample("x"), zarr_format)
    consolidate(source, 2 if zarr_format == "0.4" else 3)
    assert run(source, "--write-back").exit_code == 0
    assert (source / "denoised/autodip/pristine").is_dir()
    out = tmp_path / "out"
    return [out / "x.ome.zarr", out / "plate.zarr", out / "series.zarr", source / "denoised"]


@pytest.mark.parametrize(
    ("count", "zarr_format"),
    [
        *((QUICK, one) for one in FORMATS),
        *(pytest.param(SOAK, one, marks=pytest.mark.soak) for one in FORMATS),
    ],
)
def test_every_flipped_byte_is_found(results: list[Path], count: int) -> None:
    for number, target in enumerate(results):
        whole = digest(target)
        assert CliRunner().invoke(main, ["verify", str(target)]).exit_code == 0
        share = count - 3 * (count // 6) if number == 0 else count // 6
        assert list(flipped(target, share, number)) == []
        assert digest(target) == whole


def test_a_chunk_where_none_was_written_is_found(tmp_path: Path, run: Run) -> None:
    sample = make_sample("x", (2, 1, 1, 24, 24))
    sample.pixels[1] = 0
    write_sample_tiff(tmp_path / "x.ome.tif", sample)
    version = ["--zarr-format", "0.4", "--t", "0"]
    assert run(tmp_path / "x.ome.tif", "--output", tmp_path / "out", *version).exit_code == 0
    target = tmp_path / "out/x.ome.zarr"
    assert [path.relative_to(target).parts[1] for path in level_files(target, "0")] == ["0"]
    shutil.copytree(target / "0/0", target / "0/1")
    code, found = verified(target)
    assert code == 1
    assert "was not written by this program" in found["problems"][0]


def test_a_manifest_of_another_block_is_found(tmp_path: Path, run: Run) -> None:
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x", (2, 2, 1, 24, 24)))
    assert run(tmp_path / "x.ome.tif", "--output", tmp_path / "out").exit_code == 0
    target = tmp_path / "out/x.ome.zarr"
    manifests = sorted((target / "autodip/checksums").glob("planes-*.json"))
    assert len(manifests) == 2
    shutil.copy(manifests[0], manifests[1])
    assert verified(target)[0] == 1


def test_all_of_it_may_be_checked_and_none_of_it_is_secret(tmp_path: Path, run: Run) -> None:
    """The manifests are JSON that others can use: every file is named there with its SHA-256."""
    write_sample_tiff(tmp_path / "x.ome.tif", make_sample("x", (2, 1, 1, 260, 24)))
    assert run(tmp_path / "x.ome.tif", "--output", tmp_path / "out").exit_code == 0
    target = tmp_path / "out/x.ome.zarr"
    known: dict[str, str] = {}
    for name in ("layout", "planes-0-0-0", "result"):
        document = json.loads((target / f"autodip/checksums/{name}.json").read_text())
        known |= {key: one["sha256"] for key, one in document["objects"].items()}
    files = {name: one for name, one in digest(target).items() if "/checksums/" not in f"/{name}"}
    assert known.keys() - files.keys() == {"autodip/checksums/zarr.json"}
    assert {name: known[name] for name in files} == files


def as_an_earlier_version_left_it(target: Path) -> None:
    """Take away the checksums, and that there are any."""
    shutil.rmtree(target / "autodip/checksums")
    path = root_document(target)
    document = json.loads(path.read_text())
    del document.get("attributes", document)["autodip"]["run"]["layout"]["checksums"]
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_results_of_earlier_versions_are_checked_and_mended_as_far_as_can_be(
    tmp_path: Path, run: Run, zarr_format: str
) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (4, 1, 2, 260, 24)))
    arguments = [source, "--zarr-format", zarr_format, "--output", tmp_path / "out"]
    assert run(*arguments).exit_code == 0
    target, old = tmp_path / "out/x.ome.zarr", tmp_path / "old"
    as_an_earlier_version_left_it(target)
    shutil.copytree(target, old)
    code, found = verified(target)
    assert (code, found["status"], found["checked"]) == (0, "whole", "values")
    assert "before checksums were kept" in CliRunner().invoke(main, ["verify", str(target)]).stdout
    assert statuses(run(*arguments, "--repair")) == ["unchanged"]
    assert digest(target) == digest(old)

    cut(shard(target, 2), 0.5)
    shutil.copy(shard(target, 0), shard(target, 1))
    code, found = verified(target)
    assert (code, "--repair" in found["hint"]) == (1, True)
    mended = run(*arguments, "--repair")
    assert json.loads(mended.stdout)["images"][0]["planes_done"] == 4, mended.stderr
    assert_same_result(target, old)
    level_files(target, "1")[0].unlink()
    mended = run(*arguments, "--repair")
    assert json.loads(mended.stdout)["images"][0]["planes_done"] == 0, mended.stderr
    assert_same_result(target, old)
    for name in ("autodip", "") if zarr_format == "0.4" else ("autodip",):
        (target / name / (".zgroup" if zarr_format == "0.4" else "zarr.json")).unlink()
    (target / "0" / (".zarray" if zarr_format == "0.4" else "zarr.json")).unlink()
    mended = run(*arguments, "--repair")
    assert mended.exit_code == 0, mended.stderr
    assert_same_result(target, old)
    assert verified(target)[0] == 0
    shutil.rmtree(target / "autodip/record")
    mended = run(*arguments, "--repair")
    assert json.loads(mended.stdout)["images"][0]["planes_done"] == 8, mended.stderr
    assert verified(target)[1]["checked"] == "checksums", "it was made again"


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_half_of_an_earlier_version_is_finished_without_checksums(
    tmp_path: Path, run: Run, zarr_format: str
) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (3, 1, 2, 24, 24)))
    arguments = [source, "--zarr-format", zarr_format, "--output", tmp_path / "out"]
    assert run(*arguments).exit_code == 0
    target = tmp_path / "out/x.ome.zarr"
    as_an_earlier_version_left_it(target)
    path = root_document(target)
    path.write_text(path.read_text().replace('"complete"', '"running"'))
    entry(target, 1).unlink()
    again = run(*arguments)
    assert json.loads(again.stdout)["images"][0]["planes_done"] == 2, again.stderr
    code, found = verified(target)
    assert (code, found["checked"]) == (0, "values")
    assert not (target / "autodip/checksums").exists()


def test_a_result_that_is_still_made_names_what_is_missing_only(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (3, 1, 2, 24, 24)))
    assert run(source, "--output", tmp_path / "out").exit_code == 0
    target = tmp_path / "out/x.ome.zarr"
    path = root_document(target)
    path.write_text(path.read_text().replace('"complete"', '"running"'))
    entry(target, 1).unlink()
    (target / "autodip/checksums/planes-0-1-0.json").unlink()
    (target / "autodip/checksums/result.json").unlink()
    code, found = verified(target)
    assert code == 1
    assert found["problems"] == ["autodip.status: found 'running', expected 'complete'"]
    assert [one["t"] for one in found["failed_planes"]] == [1, 1]


def test_levels_of_many_chunks_have_their_checksums_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autodip_zarr.run.results.verify import find_damages
    from autodip_zarr.stores.result import pyramid

    from ..stores.test_write import make_result, make_spec

    monkeypatch.setattr(pyramid, "OBJECTS_IN_A_PART", 4)
    spec = make_spec(tmp_path / "x.zarr", 2)
    make_result(spec)
    parts = sorted((tmp_path / "x.zarr/autodip/checksums").glob("levels-*.json"))
    assert len(parts) == 2 * 2 * 5 // 4
    chunks = level_files(tmp_path / "x.zarr", "1")
    for path in (chunks[0], chunks[-1], parts[1]):
        whole = path.read_bytes()
        flip(path)
        assert [one.key for one in find_damages(spec.uri)] == [str(path.relative_to(tmp_path / "x.zarr"))]
        path.write_bytes(whole)
    assert np.prod(spec.levels[1].shape[:3]) == len(chunks)
