"""Damaged files end in an error of this package, never in another, and never in a hang."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import tifffile

from autodip_zarr.domain import ImageRef
from autodip_zarr.errors import AutodipError
from autodip_zarr.stores import read_header, read_planes, walk

from .builders import ome_xml, pixels, write_image, write_pages, write_plate

MARKS = b'\x00\xff"[{9-'


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[Path]]:
    """Every file of some small images."""
    blocks = {0: '<TiffData IFD="0" PlaneCount="3"/>', 1: '<TiffData IFD="3" PlaneCount="2"/>'}
    text = ome_xml([(1, 1, 3, 20, 30), (1, 2, 1, 20, 30)], data=blocks)
    write_pages(tmp_path / "a.ome.tif", pixels((5, 20, 30)), text, compression="zlib")
    write_pages(tmp_path / "b.ome.tif", pixels((3, 32, 32)), ome_xml([(1, 1, 3, 32, 32)]), tile=(16, 16))
    tifffile.imwrite(tmp_path / "c.tif", pixels((2, 3, 4, 8, 9)), imagej=True, metadata={"axes": "TZCYX"})
    write_plate(tmp_path / "d.zarr", 2, wells=("A/1",))
    write_image(tmp_path / "e.zarr", pixels((2, 8, 9)), "zyx", 3)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    yield sorted(file for file in tmp_path.rglob("*") if file.is_file())
    logging.getLogger("tifffile").setLevel(logging.NOTSET)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return bytes with a few of them changed, cut off or repeated."""
    changed = bytearray(content)
    kind, at = chance.random(), chance.randrange(len(content))
    if kind < 0.6:
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(content))] = chance.choice([*MARKS, chance.randrange(256)])
    elif kind < 0.8:
        del changed[at:]
    else:
        changed[at:at] = changed[at : at + chance.randint(1, 50)]
    return bytes(changed)


def read_everything(source: Path) -> None:
    for item in walk([str(source)]):
        if not isinstance(item, ImageRef):
            continue
        header = read_header(item)
        if header.size("y") * header.size("x") < 10**7:
            read_planes(header, 0, [(0, z) for z in range(min(header.size("z"), 3))])


def attack(files: list[Path], folder: Path, seed: int, rounds: int) -> int:
    """Damage one file at a time, and return how often that was noticed."""
    chance, noticed = random.Random(seed), 0
    for _ in range(rounds):
        file = chance.choice(files)
        content = file.read_bytes()
        file.write_bytes(damaged(content, chance))
        try:
            read_everything(folder / file.relative_to(folder).parts[0])
        except (AutodipError, MemoryError):  # a damaged size may ask for more memory than there is
            noticed += 1
        finally:
            file.write_bytes(content)
    return noticed


def test_damage_is_noticed_or_harmless(tmp_path: Path, files: list[Path]) -> None:
    assert 0 < attack(files, tmp_path, seed=0, rounds=200) < 200


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 9))
def test_much_damage_is_noticed_or_harmless(tmp_path: Path, files: list[Path], seed: int) -> None:
    assert attack(files, tmp_path, seed, rounds=5000) > 0


@pytest.mark.parametrize("tag", ["ImageWidth", "ImageLength"])
def test_a_page_of_no_pixels_is_no_image(tmp_path: Path, tag: str) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, pixels((8, 9), "uint8"), photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags[tag].overwrite(0)
    for found in walk([str(path)]):
        if isinstance(found, ImageRef):
            with pytest.raises(AutodipError, match=r"x\.tif"):
                read_header(found)
        else:
            assert found.is_error
