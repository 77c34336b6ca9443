"""Pairs are found by name, whatever the format, and what does not fit together is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autodip_zarr.calibration import load_table
from autodip_zarr.domain import Skipped
from autodip_zarr.errors import OptionError
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.sources.crops import busiest_crop, parse_crop
from autodip_zarr.run.sources.overrides import Knowledge
from autodip_zarr.run.trials.evaluate import choose_crop
from autodip_zarr.run.trials.pairs import Pair, find_pairs
from autodip_zarr.stores import write_image
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import make_sample


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.prepare(Choices(), load_table())


def write_png(path: Path, side: int = 16) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(str(path), np.arange(side * side).reshape(side, side).astype(np.uint8))
    return str(path)


def found(noisy: Path | str, clean: Path | str, knowledge: Knowledge) -> tuple[list[Pair], list[Skipped]]:
    items = list(find_pairs([str(noisy)], [str(clean)], knowledge))
    skipped = [item for item in items if isinstance(item, Skipped)]
    assert all(item.is_error for item in skipped)
    return [item for item in items if isinstance(item, Pair)], skipped


def test_folders_are_paired_by_name_across_formats(tmp_path: Path, knowledge: Knowledge) -> None:
    write_png(tmp_path / "noisy/x/1.png")
    (tmp_path / "clean/x").mkdir(parents=True)
    write_image(str(tmp_path / "clean/x/1.tif"), np.zeros((16, 16)))
    write_sample_tiff(tmp_path / "noisy/y.ome.tif", make_sample("y"))
    write_sample_zarr(tmp_path / "clean/y.ome.zarr", make_sample("y"), "0.5")
    pairs, skipped = found(tmp_path / "noisy", tmp_path / "clean", knowledge)
    assert not skipped
    names = [(pair.noisy.header.ref.relative, pair.clean.ref.relative) for pair in pairs]
    assert sorted(names) == [("x/1.png", "x/1.tif"), ("y.ome.tif", "y.ome.zarr")]


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path, knowledge: Knowledge) -> None:
    noisy, clean = write_png(tmp_path / "raw_1.png"), write_png(tmp_path / "gt.png")
    pairs, skipped = found(noisy, clean, knowledge)
    assert (len(pairs), skipped) == (1, [])
    write_sample_zarr(tmp_path / "one.zarr", make_sample("one"), "0.4")
    write_sample_tiff(tmp_path / "other.ome.tif", make_sample("other"))
    pairs, skipped = found(tmp_path / "one.zarr", tmp_path / "other.ome.tif", knowledge)
    assert (len(pairs), skipped) == (1, [])


def test_captures_of_one_scene_share_their_clean_image(tmp_path: Path, knowledge: Knowledge) -> None:
    for name in ("raw_1", "raw_2", "gt"):
        write_png(tmp_path / f"{name}.png")
    pairs, skipped = found(tmp_path, tmp_path / "gt.png", knowledge)
    assert not skipped
    names = [(pair.noisy.header.ref.relative, pair.clean.ref.relative) for pair in pairs]
    assert names == [("raw_1.png", "gt.png"), ("raw_2.png", "gt.png")]


def test_what_has_no_partner_is_said_and_the_rest_goes_on(tmp_path: Path, knowledge: Knowledge) -> None:
    for name in ("noisy/a.png", "noisy/b.png", "clean/b.png", "clean/c.png"):
        write_png(tmp_path / name)
    pairs, skipped = found(tmp_path / "noisy", tmp_path / "clean", knowledge)
    assert [pair.clean.ref.relative for pair in pairs] == ["b.png"]
    assert [(Path(one.source).name, one.reason) for one in skipped] == [
        ("a.png", f"has no partner in {tmp_path / 'clean'}: no image is named 'a' there"),
        ("c.png", f"has no partner in {tmp_path / 'noisy'}: no image is named 'c' there"),
    ]


def test_different_shapes_are_refused(tmp_path: Path, knowledge: Knowledge) -> None:
    noisy, clean = write_png(tmp_path / "a.png", 16), write_png(tmp_path / "b.png", 17)
    pairs, skipped = found(noisy, clean, knowledge)
    assert not pairs
    assert "t=1 c=1 z=1 y=17 x=17; expected t=1 c=1 z=1 y=16 x=16" in skipped[0].reason


def test_an_image_is_not_its_own_clean_one(tmp_path: Path, knowledge: Knowledge) -> None:
    path = write_png(tmp_path / "a.png")
    pairs, skipped = found(path, path, knowledge)
    assert not pairs
    assert "is the noisy image itself" in skipped[0].reason


def test_one_name_in_two_formats_is_refused(tmp_path: Path, knowledge: Knowledge) -> None:
    for name in ("noisy/a.png", "clean/a.png"):
        write_png(tmp_path / name)
    write_image(str(tmp_path / "noisy/a.tif"), np.zeros((16, 16)))
    pairs, skipped = found(tmp_path / "noisy", tmp_path / "clean", knowledge)
    assert len(pairs) == 1
    assert [Path(one.source).name for one in skipped] == ["a.png"]
    assert "has the name of" in skipped[0].reason


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(40), b"no picture"])
def test_broken_pictures_are_said(content: bytes, tmp_path: Path, knowledge: Knowledge) -> None:
    write_png(tmp_path / "clean.png")
    (tmp_path / "noisy.png").write_bytes(content)
    pairs, skipped = found(tmp_path / "noisy.png", tmp_path / "clean.png", knowledge)
    assert not pairs
    assert len(skipped) == 1


def test_a_missing_source_is_said(tmp_path: Path, knowledge: Knowledge) -> None:
    pairs, skipped = found(tmp_path / "nowhere", write_png(tmp_path / "clean.png"), knowledge)
    assert not pairs
    assert "missing" in skipped[0].reason


def test_as_many_noisy_as_clean_sources(knowledge: Knowledge) -> None:
    with pytest.raises(OptionError, match="2 noisy and 1 clean"):
        list(find_pairs(["a", "b"], ["c"], knowledge))


def test_the_busiest_part_is_found() -> None:
    plane = np.zeros((200, 300))
    plane[128:160, 64:96] = np.arange(32)
    assert busiest_crop(plane, 32) == (slice(128, 160), slice(64, 96))
    plane[0, 0] = np.nan
    assert busiest_crop(plane, 32) == (slice(128, 160), slice(64, 96))
    assert busiest_crop(plane, 1000) == (slice(0, 1000), slice(0, 1000))


def test_crops_are_read() -> None:
    plane = np.zeros((40, 50))
    assert choose_crop(None, plane) == (slice(None), slice(None))
    assert choose_crop("3,4,10,20", plane) == (slice(3, 13), slice(4, 24))
    assert choose_crop("40", plane) == (slice(0, 40), slice(0, 40))
    for text in ("41", "0", "3,4", "0,0,41,1", "-1,0,2,2"):
        with pytest.raises(OptionError, match="--crop"):
            choose_crop(text, plane)
    with pytest.raises(OptionError, match="--crop"):
        parse_crop("40", (40, 50))
