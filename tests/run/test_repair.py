"""Damage in complete results: found by verify, made again bit for bit by denoise --repair."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import digest, make_sample
from ..stores.builders import consolidate, write_plate, write_series
from .results import Run, assert_same_result, statuses
from .test_resume import cut, entry, flip, garble, shard

TIMES, DEPTHS = 8, 2
FORMATS = ["0.4", "0.5"]
Damaging = Callable[[Path], object]


def verified(target: Path) -> tuple[int, dict[str, Any]]:
    """Return the exit code of ``verify`` and what it found out about one result."""
    result = CliRunner().invoke(main, ["verify", str(target), "--json"])
    (image,) = json.loads(result.stdout)["images"]
    return result.exit_code, dict(image)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a source of two levels, and whole results of it in both formats once asked for."""
    path = tmp_path_factory.mktemp("repair")
    write_sample_tiff(path / "x.ome.tif", make_sample("x", (TIMES, 1, DEPTHS, 260, 24)))
    return path


def whole_result(folder: Path, run: Run, zarr_format: str) -> Path:
    """Return a whole result, made once a format."""
    whole = folder / zarr_format / "x.ome.zarr"
    if not whole.exists():
        made = run(folder / "x.ome.tif", "--output", whole.parent, "--zarr-format", zarr_format)
        assert made.exit_code == 0, made.stderr
    return whole


def fresh_copy(whole: Path, target: Path) -> Path:
    """Copy a whole result to a place, whatever was left there, and return the place."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(whole, target))


def level_files(target: Path, level: str) -> list[Path]:
    """Return the chunks of a level, or its shards."""
    files = (path for path in sorted((target / level).rglob("*")) if path.is_file())
    return [path for path in files if not path.name.startswith((".z", "zarr.json"))]


def root_document(target: Path) -> Path:
    return target / ("zarr.json" if (target / "zarr.json").exists() else ".zattrs")


def without_recipe(target: Path) -> None:
    path = root_document(target)
    document = json.loads(path.read_text())
    del document.get("attributes", document)["autodip"]["recipe"]
    path.write_text(json.dumps(document))


def without_layout(target: Path) -> None:
    path = root_document(target)
    document = json.loads(path.read_text())
    del document.get("attributes", document)["autodip"]["run"]
    path.write_text(json.dumps(document))


def unlink_all(paths: Iterable[Path]) -> None:
    for path in list(paths):
        path.unlink()


BLOCK_DAMAGES: dict[str, Callable[[Path, int], object]] = {
    "no shard": lambda target, t: shard(target, t).unlink(),
    "half a shard": lambda target, t: cut(shard(target, t), 0.5),
    "an empty shard": lambda target, t: cut(shard(target, t), 0),
    "one bit of a shard": lambda target, t: flip(shard(target, t)),
    "half a shard of zeros": lambda target, t: garble(shard(target, t)),
    "the shard of another time": lambda target, t: shutil.copy(shard(target, TIMES - 1), shard(target, t)),
    "no checksums of a block": lambda target, t: (target / f"autodip/checksums/planes-0-{t}-0.json").unlink(),
}
"""Damages after which a block is made again, one to a time point."""


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_damaged_blocks_alone_are_made_again(
    tmp_path: Path, folder: Path, run: Run, zarr_format: str
) -> None:
    whole, target = whole_result(folder, run, zarr_format), tmp_path / "out/x.ome.zarr"
    shutil.copytree(whole, target)
    arguments = [folder / "x.ome.tif", "--zarr-format", zarr_format, "--output", tmp_path / "out"]
    untouched = digest(target)
    assert statuses(run(*arguments, "--repair")) == ["unchanged"]
    assert digest(target) == untouched, "a whole result is left as it is"
    for t, damage in enumerate(BLOCK_DAMAGES.values()):
        damage(target, t)
    code, found = verified(target)
    assert (code, found["status"]) == (1, "broken")
    assert "--repair" in found["hint"]
    assert "--repair" in CliRunner().invoke(main, ["verify", str(target)]).stdout
    assert statuses(run(*arguments)) == ["unchanged"], "nobody reads a whole archive without being asked"

    mended = run(*arguments, "--repair")
    assert mended.exit_code == 0, mended.stderr
    (image,) = json.loads(mended.stdout)["images"]
    assert image["planes_done"] == len(BLOCK_DAMAGES) * DEPTHS, "what is whole is not made again"
    assert_same_result(target, whole)
    assert verified(target)[0] == 0


RESTORED: dict[str, Damaging] = {
    "no root document": lambda target: root_document(target).unlink(),
    "a broken root document": lambda target: cut(root_document(target), 0.5),
    "an empty root document": lambda target: cut(root_document(target), 0),
    "no recipe": without_recipe,
    "no mark of a result": lambda target: without_mark(target),  # noqa: PLW0108 - is below
    "no layout in the provenance": without_layout,
    "no record": lambda target: shutil.rmtree(target / "autodip/record"),
    "one bit of the record": lambda target: flip(entry(target, 3)),
    "an entry of the record": lambda target: entry(target, 3).unlink(),
    "no documents of a level": lambda target: unlink_all((target / "1").glob("*z*")),
    "no crate": lambda target: (target / "ro-crate-metadata.json").unlink(),
    "no names of the fields": lambda target: shutil.rmtree(target / "autodip/field"),
}
"""Damages after which everything is put back, byte for byte and without a fit."""


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_documents_are_put_back_without_a_fit(
    tmp_path: Path, folder: Path, run: Run, zarr_format: str
) -> None:
    whole, target = whole_result(folder, run, zarr_format), tmp_path / "out/x.ome.zarr"
    arguments = [folder / "x.ome.tif", "--zarr-format", zarr_format, "--output", tmp_path / "out"]
    for name, damage in RESTORED.items():
        damage(fresh_copy(whole, target))
        said = CliRunner().invoke(main, ["verify", str(tmp_path / "out")])
        assert (said.exit_code, "--repair" in said.stdout) == (1, True), (name, said.stdout)
        damaged = digest(target)
        run(*arguments)
        assert digest(target) == damaged, f"{name}: nothing is overwritten unasked"
        mended = run(*arguments, "--repair")
        assert mended.exit_code == 0, (name, mended.stderr)
        assert json.loads(mended.stdout)["images"][0]["planes_done"] == 0, name
        assert digest(target) == digest(whole), name


FINISHED: dict[str, Damaging] = {
    "no lower level": lambda target: shutil.rmtree(target / "1"),
    "no chunk of a level": lambda target: level_files(target, "1")[0].unlink(),
    "half a chunk of a level": lambda target: cut(level_files(target, "1")[-1], 0.5),
    "one bit of a level": lambda target: flip(level_files(target, "1")[0]),
    "no checksums of what finished it": lambda target: (target / "autodip/checksums/result.json").unlink(),
    "no checksums of its documents": lambda target: (target / "autodip/checksums/layout.json").unlink(),
    "neither checksums nor document": lambda target: unlink_all(
        [target / "autodip/checksums/result.json", root_document(target)]
    ),
    "broken checksums": lambda target: flip(target / "autodip/checksums/layout.json"),
}
"""Damages after which a result is finished again, without a fit."""


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_levels_and_checksums_are_made_again_without_a_fit(
    tmp_path: Path, folder: Path, run: Run, zarr_format: str
) -> None:
    whole, target = whole_result(folder, run, zarr_format), tmp_path / "out/x.ome.zarr"
    arguments = [folder / "x.ome.tif", "--zarr-format", zarr_format, "--output", tmp_path / "out"]
    for name, damage in FINISHED.items():
        damage(fresh_copy(whole, target))
        code, found = verified(target)
        assert (code, "--repair" in found["hint"]) == (1, True), name
        mended = run(*arguments, "--repair")
        assert mended.exit_code == 0, (name, mended.stderr)
        assert json.loads(mended.stdout)["images"][0]["planes_done"] == 0, name
        assert_same_result(target, whole)
        assert verified(target)[0] == 0, name


@pytest.mark.parametrize("damage", ["one bit of a plane", "no record", "no lower level"])
def test_other_software_makes_no_block_again(tmp_path: Path, folder: Path, run: Run, damage: str) -> None:
    """As a result of last year: complete, and made with another version of torch."""
    whole, target = whole_result(folder, run, "0.5"), tmp_path / "out/x.ome.zarr"
    shutil.copytree(whole, target)
    path = root_document(target)
    document = json.loads(path.read_text())
    document["attributes"]["autodip"]["recipe"]["software"]["torch"] = "1.0"
    del document["attributes"]["autodip"]["run"]["layout"]["checksums"]
    path.write_text(json.dumps(document))
    shutil.rmtree(target / "autodip/checksums")
    if damage == "one bit of a plane":
        cut(shard(target, 0), 0.9)
    else:
        shutil.rmtree(target / ("autodip/record" if damage == "no record" else "1"))
    damaged = digest(target)
    result = run(folder / "x.ome.tif", "--output", tmp_path / "out", "--repair")
    if damage == "no lower level":
        assert result.exit_code == 0, "that takes no fit"
        assert '"torch": "1.0"' in path.read_text()
        return
    assert result.exit_code == 1
    assert "software.torch: 1.0, now" in result.stderr
    assert digest(target) == damaged


def test_all_is_made_again_where_only_the_recipe_is_left(tmp_path: Path, folder: Path, run: Run) -> None:
    whole, target = whole_result(folder, run, "0.5"), tmp_path / "out/x.ome.zarr"
    shutil.copytree(whole, target)
    shutil.rmtree(target / "autodip")
    arguments = [folder / "x.ome.tif", "--output", tmp_path / "out"]
    mended = run(*arguments, "--repair")
    assert mended.exit_code == 0, mended.stderr
    assert json.loads(mended.stdout)["images"][0]["planes_done"] == TIMES * DEPTHS
    assert_same_result(target, whole)


@pytest.mark.parametrize("folder_lost", ["autodip/checksums", "0"])
def test_a_folder_that_is_lost_is_made_again(
    tmp_path: Path, folder: Path, run: Run, folder_lost: str
) -> None:
    whole, target = whole_result(folder, run, "0.4"), tmp_path / "out/x.ome.zarr"
    shutil.copytree(whole, target)
    shutil.rmtree(target / folder_lost)
    assert verified(target)[0] == 1
    arguments = [folder / "x.ome.tif", "--zarr-format", "0.4", "--output", tmp_path / "out"]
    mended = run(*arguments, "--repair")
    assert mended.exit_code == 0, mended.stderr
    assert_same_result(target, whole)
    assert verified(target)[0] == 0


@pytest.mark.parametrize(
    ("zarr_format", "every"),
    [("0.4", 17), ("0.5", 13), *(pytest.param(one, 1, marks=pytest.mark.soak) for one in FORMATS)],
)
def test_whatever_file_is_lost_or_changed_is_mended(
    tmp_path: Path, folder: Path, run: Run, zarr_format: str, every: int
) -> None:
    whole, target = whole_result(folder, run, zarr_format), tmp_path / "out/x.ome.zarr"
    arguments = [folder / "x.ome.tif", "--zarr-format", zarr_format, "--output", tmp_path / "out"]
    damages: list[Callable[[Path], object]] = [Path.unlink, flip]
    for name in list(digest(whole))[::every]:
        for damage in damages:
            damage(fresh_copy(whole, target) / name)
            assert CliRunner().invoke(main, ["verify", str(tmp_path / "out")]).exit_code == 1, name
            mended = run(*arguments, "--repair")
            assert mended.exit_code == 0, (name, mended.stderr)
            assert_same_result(target, whole)
            assert verified(target)[0] == 0, name


def test_an_unfinished_result_without_its_document_goes_on(tmp_path: Path, folder: Path, run: Run) -> None:
    whole, target = whole_result(folder, run, "0.5"), tmp_path / "out/x.ome.zarr"
    shutil.copytree(whole, target)
    (target / "autodip/checksums/result.json").unlink()
    (target / "zarr.json").unlink()
    entry(target, 2).unlink()
    (target / "autodip/checksums/planes-0-2-0.json").unlink()
    arguments = [folder / "x.ome.tif", "--output", tmp_path / "out"]
    refused = run(*arguments)
    assert (refused.exit_code, "--repair" in refused.stderr) == (1, True)
    assert not (target / "autodip/lock.json").exists()
    mended = run(*arguments, "--repair")
    assert json.loads(mended.stdout)["images"][0]["planes_done"] == DEPTHS, mended.stderr
    assert_same_result(target, whole)


@pytest.mark.parametrize("options", [[], ["--repair"], ["--overwrite"]])
def test_what_does_not_say_whose_it_is_is_never_overwritten(
    tmp_path: Path, folder: Path, run: Run, options: list[str]
) -> None:
    whole, target = whole_result(folder, run, "0.5"), tmp_path / "out/x.ome.zarr"
    shutil.copytree(whole, target)
    (target / "zarr.json").unlink()
    shutil.rmtree(target / "autodip/checksums")
    before = digest(target)
    refused = run(folder / "x.ome.tif", "--output", tmp_path / "out", *options)
    assert refused.exit_code == 1
    assert "does not say what it is" in refused.stderr
    assert "move it away" in refused.stderr
    assert digest(target) == before
    shutil.rmtree(target)
    target.mkdir()
    (target / "thesis.docx").write_text("years of work")
    refused = run(folder / "x.ome.tif", "--output", tmp_path / "out", *options)
    assert refused.exit_code == 1
    assert (target / "thesis.docx").read_text() == "years of work"
    assert list(target.iterdir()) == [target / "thesis.docx"], "not even a lock"


def test_a_result_without_its_document_is_named_in_a_folder_of_whole_ones(
    tmp_path: Path, folder: Path, run: Run
) -> None:
    whole = whole_result(folder, run, "0.5")
    for name in ("a", "b"):
        shutil.copytree(whole, tmp_path / f"out/{name}.ome.zarr")
    (tmp_path / "out/b.ome.zarr/zarr.json").unlink()
    (tmp_path / "out/autodip").mkdir()
    said = CliRunner().invoke(main, ["verify", str(tmp_path / "out")])
    assert said.exit_code == 1
    assert "b.ome.zarr" in said.stdout
    assert "--repair" in said.stdout


@pytest.mark.parametrize("kind", ["plate", "series"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_documents_around_results_are_checked_and_put_back(
    tmp_path: Path, run: Run, zarr_format: str, kind: str
) -> None:
    if kind == "plate":
        source = write_plate(tmp_path / "x.zarr", 3, ["A/1"], 1)
    else:
        source = write_series(tmp_path / "x.zarr", 3, ["0"])
    arguments = [source, "--output", tmp_path / "out", "--zarr-format", zarr_format]
    assert run(*arguments).exit_code == 0
    root = tmp_path / "out/x.zarr"
    inner = "A/1/0/" if kind == "plate" else "0/"
    around = [name for name in digest(root) if not name.startswith(inner)]
    assert len(around) > 4
    whole = digest(root)
    for number, name in enumerate(around):
        if number % 2:
            (root / name).unlink()
        else:
            flip(root / name)
        assert CliRunner().invoke(main, ["verify", str(tmp_path / "out")]).exit_code != 0, name
        mended = run(*arguments, "--repair")
        assert mended.exit_code == 0, (name, mended.stderr)
        assert digest(root) == whole, name
    assert CliRunner().invoke(main, ["verify", str(tmp_path / "out")]).exit_code == 0


def pristine(target: Path) -> Path:
    return root_document(target / "autodip/pristine")


def without_mark(target: Path) -> None:
    path = root_document(target)
    document = json.loads(path.read_text())
    del document.get("attributes", document)["autodip"]
    path.write_text(json.dumps(document))


WRITTEN_BACK: dict[str, Damaging] = {
    "no root document": lambda target: root_document(target).unlink(),
    "half a root document": lambda target: cut(root_document(target), 0.5),
    "no mark of a result": without_mark,
    "what was changed around it": lambda target: flip(pristine(target)),
    "nothing of what was changed around it": lambda target: pristine(target).unlink(),
    "no checksums of that": lambda target: (target / "autodip/checksums/registration.json").unlink(),
    "one bit of a plane": lambda target: flip(level_files(target, "0")[0]),
}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_was_written_back_is_mended_and_leaves_without_a_trace(
    tmp_path: Path, run: Run, zarr_format: Literal[2, 3]
) -> None:
    source = write_plate(tmp_path / "x.zarr", zarr_format, ["A/1"], 1)
    consolidate(source, zarr_format)
    before, target = digest(source), source / "A/1/0denoised"
    assert run(source, "--write-back").exit_code == 0
    whole = digest(source)
    for name, damage in WRITTEN_BACK.items():
        damage(target)
        assert CliRunner().invoke(main, ["verify", str(source)]).exit_code == 1, name
        mended = run(source, "--write-back", "--repair")
        assert (mended.exit_code, len(statuses(mended))) == (0, 1), (name, mended.stderr)
        after = digest(source)
        changed = {key for key in whole if after.get(key) != whole[key]}
        assert not changed or name == "one bit of a plane", (name, changed)
        assert not {key for key in changed if "denoised/0/" in key or "pristine" in key}, (name, changed)
        assert CliRunner().invoke(main, ["verify", str(source)]).exit_code == 0, name
    assert CliRunner().invoke(main, ["remove", str(target)]).exit_code == 0
    assert digest(source) == before
