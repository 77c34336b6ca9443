"""A result that was cut off anywhere is made whole by the same command, and equals one never disturbed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import digest, make_sample
from .results import Run, assert_same_result, statuses

TIMES, DEPTHS = 12, 2
HEX = "0123456789abcdef" * 2


def cut(path: Path, length: float) -> None:
    """Leave the first part of a file, as when the power failed."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * length)])


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def garble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[: len(content) // 2] = bytes(len(content) // 2)
    path.write_bytes(content)


def shard(target: Path, t: int) -> Path:
    """Return the one shard of a time point, or its first chunk."""
    for name in (f"0/c/{t}/0/0/0/0", f"0/{t}/0/0/0/0"):
        if (target / name).exists():
            return target / name
    raise AssertionError(sorted(digest(target)))


def entry(target: Path, t: int) -> Path:
    """Return the chunk of the record of a time point."""
    for name in (f"autodip/record/c/{t}/0/0/0", f"autodip/record/{t}/0/0/0"):
        if (target / name).exists():
            return target / name
    raise AssertionError(sorted(digest(target)))


DAMAGES: dict[str, Callable[[Path, int], object]] = {
    "half a shard": lambda target, t: cut(shard(target, t), 0.5),
    "a shard but for its last bytes": lambda target, t: cut(shard(target, t), 0.98),
    "an empty shard": lambda target, t: cut(shard(target, t), 0),
    "no shard": lambda target, t: shard(target, t).unlink(),
    "half of a shard never reached the disk": lambda target, t: garble(shard(target, t)),
    "the shard of another plane": lambda target, t: shutil.copy(shard(target, TIMES - 1), shard(target, t)),
    "half an entry of the record": lambda target, t: cut(entry(target, t), 0.5),
    "an empty entry of the record": lambda target, t: cut(entry(target, t), 0),
    "no entry of the record": lambda target, t: entry(target, t).unlink(),
    "one bit of a shard": lambda target, t: flip(shard(target, t)),
    "one bit of an entry of the record": lambda target, t: flip(entry(target, t)),
}
"""What a killed run, or a machine without power, leaves; one to a time point."""


def as_if_killed_before_its_end(target: Path) -> None:
    path = next(path for path in (target / "zarr.json", target / ".zattrs") if path.exists())
    document = json.loads(path.read_text())
    attributes = document["attributes"] if path.name == "zarr.json" else document
    attributes["autodip"]["status"] = "running"
    path.write_text(json.dumps(document))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "x.ome.tif"
    write_sample_tiff(path, make_sample("x", (TIMES, 1, DEPTHS, 24, 40)))
    return path


@pytest.mark.parametrize("zarr_format", ["0.4", "0.5"])
def test_half_written_blocks_are_found_and_made_again(
    tmp_path: Path, source: Path, run: Run, zarr_format: str
) -> None:
    arguments = [source, "--zarr-format", zarr_format]
    assert run(*arguments, "--output", tmp_path / "whole").exit_code == 0
    whole, target = tmp_path / "whole/x.ome.zarr", tmp_path / "out/x.ome.zarr"
    shutil.copytree(whole, target)
    for t, damage in enumerate(DAMAGES.values()):
        damage(target, t)
    found = json.loads(CliRunner().invoke(main, ["verify", str(target), "--json"]).stdout)["images"][0]
    assert found["status"] == "broken"
    named = " ".join(found["problems"] + [f"t={plane['t']} " for plane in found["failed_planes"]])
    assert all(f"t={t} " in named or "more" in named for t in range(len(DAMAGES)))

    as_if_killed_before_its_end(target)
    leftovers = [target / f"0/c/0/0/0/0/0.{HEX}.partial", target / f"autodip/.lock.json.{HEX}.partial"]
    for leftover in leftovers:
        leftover.parent.mkdir(parents=True, exist_ok=True)
        leftover.write_bytes(b"half")
    again = run(*arguments, "--output", tmp_path / "out")
    assert again.exit_code == 0, again.stderr
    (image,) = json.loads(again.stdout)["images"]
    assert image["planes_done"] == len(DAMAGES) * DEPTHS, "what is whole is not made again"
    assert_same_result(target, whole)
    assert CliRunner().invoke(main, ["verify", str(target)]).exit_code == 0


def test_a_run_killed_while_the_pyramid_was_written(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x", (2, 1, 1, 300, 280)))
    assert run(source, "--output", tmp_path / "whole").exit_code == 0
    whole, target = tmp_path / "whole/x.ome.zarr", tmp_path / "out/x.ome.zarr"
    shutil.copytree(whole, target)
    (chunk, *_) = sorted(path for path in (target / "1").rglob("*") if path.is_file() and "c/" in str(path))
    cut(chunk, 0.5)
    as_if_killed_before_its_end(target)
    assert statuses(run(source, "--output", tmp_path / "out")) == ["done"]
    assert_same_result(target, whole)


def test_half_a_result_does_not_mix_with_another_recipe(tmp_path: Path, source: Path, run: Run) -> None:
    assert run(source, "--output", tmp_path / "out").exit_code == 0
    target = tmp_path / "out/x.ome.zarr"
    entry(target, 3).unlink()
    as_if_killed_before_its_end(target)
    before = digest(target)
    for change, said in (
        (["--seed", 1], "seed: 0, now 1"),
        (["--tile", 128], "tile_px: 512, now 128"),
        (["--dtype", "float32"], "pixel type: uint16, now float32"),
    ):
        refused = run(source, "--output", tmp_path / "out", *change)
        assert refused.exit_code == 1
        assert said in refused.stderr
        assert "--overwrite to start over" in refused.stderr
        assert digest(target) == before
    changed = [source, "--seed", 1, "--output"]
    again = run(*changed, tmp_path / "out", "--overwrite")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout)["images"][0]["planes_done"] == TIMES * DEPTHS, "nothing of the old half"
    assert run(*changed, tmp_path / "whole").exit_code == 0
    assert_same_result(target, tmp_path / "whole/x.ome.zarr")


@pytest.mark.soak
@pytest.mark.parametrize("zarr_format", ["0.4", "0.5"])
def test_a_run_killed_at_any_file_of_its_beginning(
    tmp_path: Path, source: Path, run: Run, zarr_format: str
) -> None:
    """Every state that the creation of a result passes through is continued, or begun again."""
    arguments = [source, "--zarr-format", zarr_format, "--output"]
    assert run(*arguments, tmp_path / "whole").exit_code == 0
    whole = tmp_path / "whole/x.ome.zarr"
    documents = [
        path for path in whole.rglob("*") if path.name in ("zarr.json", ".zgroup", ".zattrs", ".zarray")
    ]
    order = sorted(documents, key=lambda path: path.stat().st_mtime_ns)
    root = ".zattrs" if zarr_format == "0.4" else "zarr.json"  # its time is that of the end; it comes first
    order = [whole / root, *(path for path in order if path != whole / root)]
    for count in (1, 2, len(order) // 2, len(order) - 1):
        target = tmp_path / f"out{count}" / "x.ome.zarr"
        for path in order[:count]:
            copy = target / path.relative_to(whole)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
        as_if_killed_before_its_end(target)
        again = run(*arguments, target.parent)
        assert statuses(again) == ["done"], again.stderr
        assert_same_result(target, whole)
