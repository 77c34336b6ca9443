"""Zip archives of many groups and of strange names: their directory is put in order once."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autodip_zarr.domain import ImageRef
from autodip_zarr.errors import SourceError
from autodip_zarr.stores import read_header, read_planes, walk
from autodip_zarr.stores.access.place import open_place

from .builders import pixels, write_image

GROUP = json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {}})


def test_fifteen_thousand_groups_are_walked_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "many.zarr.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", GROUP)
        for number in range(15_000):
            archive.writestr(f"g{number}/zarr.json", GROUP)
    plan = [sys.executable, "-m", "autodip_zarr", "plan", str(path)]
    ran = subprocess.run(plan, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert "holds no image" in ran.stdout


def zipped(path: Path, folder: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(one for one in folder.rglob("*") if one.is_file()):
            archive.write(file, prefix + str(file.relative_to(folder)))
    return path


def test_what_lies_in_folders(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a/b/c", "a/d", "e/", "f", "a/b/c2", "g/h/"):
            archive.writestr(name, b"")
    place = open_place(str(path))
    assert place.entries("") == [("a", True), ("e", True), ("f", False), ("g", True)]
    assert place.entries("a") == [("b", True), ("d", False)]
    assert place.entries("a/b") == [("c", False), ("c2", False)]
    assert place.entries("g") == [("h", True)]
    assert place.entries("e") == place.entries("nothing") == []


def test_an_archive_that_changes_is_opened_again(tmp_path: Path) -> None:
    data = pixels((2, 16, 16))
    for number in (1, 2):
        store = write_image(tmp_path / f"{number}.zarr", data[number - 1 :], "zyx")
        zipped(tmp_path / "x.zarr.zip", store, f"{number}/")
        (ref,) = walk([str(tmp_path / "x.zarr.zip")])
        assert isinstance(ref, ImageRef)
        assert ref.group == str(number)
        assert read_planes(read_header(ref), 0, [(0, 0)]).shape == (1, 16, 16)


def test_a_name_of_too_many_folders(tmp_path: Path) -> None:
    path = tmp_path / "deep.zarr.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/" * 30_000 + "zarr.json", GROUP)
    with pytest.raises(SourceError, match="more than 64 folders"):
        open_place(str(path))
