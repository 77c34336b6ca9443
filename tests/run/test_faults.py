"""Damaged sources, through the command line: named with the reason, retried alone once they are mended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from ..stores.builders import ome_xml, pixels, write_array, write_image, write_pages
from .results import Run, planes, statuses

DEPTHS = 4


def sharded(path: Path) -> Path:
    """Write an image whose planes are a shard each, of four chunks."""
    data = pixels((1, 1, DEPTHS, 24, 32))
    write_image(path, data, "tczyx", 3)
    shutil.rmtree(path / "0")
    names = list("tczyx")
    write_array(
        path / "0", data, 3, chunks=(1, 1, 1, 12, 16), shards=(1, 1, 1, 24, 32), dimension_names=names
    )
    return path


def cut_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_bits(path: Path) -> None:
    """Change the first bytes, where each compressed chunk says what it is."""
    content = bytearray(path.read_bytes())
    content[:40] = bytes(255 - byte for byte in content[:40])
    path.write_bytes(content)


def verified(target: Path) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["verify", str(target), "--json"])
    (image,) = json.loads(result.stdout)["images"]
    assert result.exit_code == (0 if image["status"] == "whole" else 1)
    return dict(image)


@pytest.mark.parametrize("damage", [cut_half, flip_bits, empty])
def test_a_damaged_shard_costs_its_plane_until_it_is_mended(
    tmp_path: Path, run: Run, damage: Callable[[Path], None]
) -> None:
    source = sharded(tmp_path / "in/x.zarr")
    write_sample_zarr(tmp_path / "in/y.zarr", make_sample("y"), "0.5")
    shard = source / "0/c/0/0/2/0/0"
    whole = shard.read_bytes()
    damage(shard)
    arguments = [tmp_path / "in", "--output", tmp_path / "out", "--microscope", "confocal"]
    first = run(*arguments)
    assert first.exit_code == 1
    assert statuses(first) == ["partial", "done"]
    (failed,) = verified(tmp_path / "out/x.zarr")["failed_planes"]
    assert (failed["t"], failed["c"], failed["z"]) == (0, 0, 2)
    assert "cannot be read" in failed["reason"]
    said = CliRunner().invoke(main, ["verify", str(tmp_path / "out/x.zarr")]).stdout
    assert "plane t=0 c=0 z=2: " in said

    again = run(*arguments)
    assert again.exit_code == 1, "still damaged: tried again, recorded again"
    shard.write_bytes(whole)
    mended = run(*arguments)
    assert mended.exit_code == 0, mended.stderr
    assert statuses(mended) == ["done", "unchanged"]
    assert json.loads(mended.stdout)["images"][0]["planes_done"] <= DEPTHS
    assert verified(tmp_path / "out/x.zarr")["status"] == "whole"
    assert run(source, *arguments[1:2], tmp_path / "fresh", *arguments[3:]).exit_code == 0
    np.testing.assert_array_equal(planes(tmp_path / "out/x.zarr"), planes(tmp_path / "fresh/x.zarr"))


def test_a_shard_that_was_never_written_is_zeros_as_zarr_says(tmp_path: Path, run: Run) -> None:
    source = sharded(tmp_path / "x.zarr")
    (source / "0/c/0/0/2/0/0").unlink()
    result = run(source, "--output", tmp_path / "out", "--microscope", "confocal")
    assert result.exit_code == 0, result.stderr
    assert not planes(tmp_path / "out/x.zarr")[2].any()


def test_a_truncated_tiff_costs_the_pages_that_are_gone(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "in/x.ome.tif"
    noisy = pixels((DEPTHS, 24, 32))
    write_pages(path, noisy, ome_xml([(1, 1, DEPTHS, 24, 32)]), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        last = tif.pages[DEPTHS - 1].dataoffsets[-1]
    whole = path.read_bytes()
    path.write_bytes(whole[: last + 4] + bytes(len(whole) - last - 4))  # as a copy that was preallocated
    arguments = [path, "--output", tmp_path / "out", "--microscope", "confocal"]
    first = run(*arguments)
    assert first.exit_code == 1
    assert statuses(first) == ["partial"], first.stderr
    (failed,) = verified(tmp_path / "out/x.ome.zarr")["failed_planes"]
    assert (failed["z"], "cannot be read" in failed["reason"]) == (DEPTHS - 1, True)
    path.write_bytes(whole)
    assert statuses(run(*arguments)) == ["changed"], "who knows what else changed in the file"
    mended = run(*arguments, "--overwrite", "changed")
    assert statuses(mended) == ["done"], mended.stderr
    assert verified(tmp_path / "out/x.ome.zarr")["status"] == "whole"


def test_a_tiff_that_ends_too_soon_is_named_and_others_go_on(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "in/x.ome.tif"
    write_pages(path, pixels((DEPTHS, 24, 32)), ome_xml([(1, 1, DEPTHS, 24, 32)]), compression="zlib")
    write_sample_zarr(tmp_path / "in/y.zarr", make_sample("y"), "0.5")
    with tifffile.TiffFile(path) as tif:
        last = tif.pages[DEPTHS - 1]
    whole = path.read_bytes()
    arguments = [tmp_path / "in", "--output", tmp_path / "out", "--microscope", "confocal"]
    for end in (last.dataoffsets[0] + 3, last.offset + 6, len(whole) // 2, 100, 5, 0):
        path.write_bytes(whole[:end])
        cut = run(*arguments)
        assert cut.exit_code == 1, (end, cut.output)
        assert any("x.ome.tif" in line for line in cut.stderr.splitlines()), (end, cut.stderr)
        assert statuses(cut)[-1] in {"done", "unchanged"}, (end, cut.stderr)
    path.write_bytes(whole)
    mended = run(*arguments, "--overwrite", "changed")
    assert mended.exit_code == 0, mended.stderr
    assert run(path, "--output", tmp_path / "fresh", *arguments[3:]).exit_code == 0
    np.testing.assert_array_equal(planes(tmp_path / "out/x.ome.zarr"), planes(tmp_path / "fresh/x.ome.zarr"))


def test_planes_of_nothing_but_nan_are_kept_and_nothing_fails(tmp_path: Path, run: Run) -> None:
    sample = make_sample("x", (1, 1, 3, 16, 16), "float32")
    sample.pixels[0, 0, 1] = np.nan
    write_sample_zarr(tmp_path / "x.zarr", sample, "0.5")
    result = run(tmp_path / "x.zarr", "--output", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    found = planes(tmp_path / "out/x.zarr")
    assert np.isnan(found[1]).all()
    assert np.isfinite(found[[0, 2]]).all()
    assert verified(tmp_path / "out/x.zarr")["status"] == "whole"
