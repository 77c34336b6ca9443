"""TIFF under other names: of the laser scanning microscopes of Zeiss, of MetaMorph, and without any."""

from __future__ import annotations

import json
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from click.testing import CliRunner
from numpy.typing import NDArray
from tifffile.tifffile import TIFF

from autodip_zarr.cli import main
from autodip_zarr.errors import HeaderError
from autodip_zarr.stores import read_header, read_planes
from autodip_zarr.stores.tiff.files import read_tiff_source

from ..stores.builders import ome_xml, only, write_pages
from ..stores.other_tiffs import Told, write_lsm, write_stk


def noisy(shape: tuple[int, ...], dtype: str = "uint16") -> NDArray[Any]:
    return np.random.default_rng(0).poisson(40, shape).astype(dtype)


def inspected(*arguments: object) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["inspect", *map(str, arguments), "--json"], catch_exceptions=False)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 2), (4, 1, 2), (2, 3, 1), (2, 2, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_each_plane_is_the_right_one(tmp_path: Path, shape: tuple[int, int, int], dtype: str) -> None:
    data = noisy((*shape, 40, 48), dtype)
    header = read_header(only(write_lsm(tmp_path / "x.lsm", data, Told(interval_s=2.5))))
    t, z, c = shape
    assert header.levels[0].shape == (t, c, z, 40, 48)
    assert header.dtype == dtype
    for channel in range(c):
        planes = read_planes(header, channel, [(i, j) for i in range(t) for j in range(z)])
        np.testing.assert_array_equal(planes, data[:, :, channel].reshape(-1, 40, 48))
    assert header.levels[0].scale[:] == (2.5, 1, 0.3, 0.1, 0.1)
    assert [axis.unit for axis in header.axes] == ["second", None, *["micrometer"] * 3]


@pytest.mark.parametrize("size", [1.98e-7, 6.5e-8, 1e-7, 1.03779296875e-7])
def test_voxels_do_not_drift(tmp_path: Path, size: float) -> None:
    path = write_lsm(tmp_path / "x.lsm", noisy((1, 1, 1, 40, 48)), Told((size, size, 1e-6)))
    assert read_header(only(path)).levels[0].scale[-1] == float(f"{size * 1e6:.12g}")


def test_what_it_tells_is_evidence(tmp_path: Path) -> None:
    told = Told(names=["Ch1-T1", "Ch2-T1"], dyes=["DAPI", "Alexa Fluor 488"], waves_nm=[405, 488])
    (image,) = inspected(write_lsm(tmp_path / "x.lsm", noisy((1, 2, 2, 40, 48)), told))["images"]
    assert [one["name"] for one in image["channels"]] == ["DAPI", "Alexa Fluor 488"]
    assert [one["microscope"] for one in image["channels"]] == ["confocal", "confocal"]
    assert [one["contrast"] for one in image["channels"]] == ["fluorescence", "fluorescence"]
    assert image["channels"][0]["specimen"] == "nucleus"
    (evidence, *_) = image["channels"][0]["evidence"]
    assert evidence["source"].endswith("x.lsm#CZ_LSMINFO")
    assert "laser scanning confocal" in evidence["raw"]


def test_names_and_colours_of_channels(tmp_path: Path) -> None:
    told = Told(names=["Ch1-T1", "Ch2-T1"], dyes=["DAPI", ""])
    header = read_header(only(write_lsm(tmp_path / "x.lsm", noisy((1, 1, 2, 40, 48)), told)))
    assert [(one.label, one.color) for one in header.channels] == [("Ch1-T1", "00FF00"), ("Ch2-T1", "FF0000")]


def test_infrared_excitation_is_that_of_two_photons(tmp_path: Path) -> None:
    for name, waves in (("two", [800.0]), ("one", [488.0]), ("both", [488.0, 800.0])):
        write_lsm(tmp_path / f"{name}.lsm", noisy((1, 1, 1, 40, 48)), Told(waves_nm=waves))
    found = {Path(one["source"]).stem: one["channels"][0] for one in inspected(tmp_path)["images"]}
    known = {name: channel["microscope"] for name, channel in found.items()}
    assert known == {"one": "confocal", "two": "twophoton", "both": None}


def test_notes_count_as_remarks(tmp_path: Path) -> None:
    told = Told(notes="live imaging of Danio rerio")
    (image,) = inspected(write_lsm(tmp_path / "x.lsm", noisy((1, 1, 1, 40, 48)), told))["images"]
    assert image["channels"][0]["organism"] == "Danio rerio"


def test_an_lsm_beside_its_export_is_denoised_with_it(tmp_path: Path, quick_table: str) -> None:
    data = noisy((1, 2, 1, 40, 48))
    (tmp_path / "in").mkdir()
    write_lsm(tmp_path / "in" / "x.lsm", data)
    tifffile.imwrite(tmp_path / "in" / "x.tif", data[0, :, 0], imagej=True, metadata={"axes": "ZYX"})
    arguments = ["denoise", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--table", quick_table]
    done = CliRunner().invoke(main, [*arguments, "--in-process"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    names = ("x.lsm.ome.zarr", "x.ome.zarr")
    made: list[Any] = [zarr.open_group(str(tmp_path / "out" / name), mode="r") for name in names]
    assert all(np.asarray(one["0"]).shape == (1, 1, 2, 40, 48) for one in made)
    checked = CliRunner().invoke(main, ["verify", str(tmp_path / "out")], catch_exceptions=False)
    assert checked.exit_code == 0, checked.output


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    several = write_lsm(tmp_path / "several.lsm", noisy((1, 2, 1, 40, 48)), Told(positions=2))
    whole = write_lsm(tmp_path / "whole.lsm", noisy((1, 3, 1, 40, 48)))
    content = bytearray(whole.read_bytes())
    with tifffile.TiffFile(whole) as tif:
        at = tif.pages.first.tags[34412].valueoffset
    content[at + 16 : at + 20] = (5).to_bytes(4, "little")  # DimensionZ
    (tmp_path / "cut.lsm").write_bytes(content)
    done = CliRunner().invoke(main, ["plan", str(tmp_path)], catch_exceptions=False)
    assert f"{several}: is an LSM file of several positions; convert it with bioformats2raw" in done.stdout
    assert f"{tmp_path / 'cut.lsm'}: is an LSM file whose 3 pages do not fit its header" in done.stdout
    assert f"{whole}: is" not in done.stdout


def test_tiff_without_an_ending_is_found_by_its_content(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", noisy((40, 48)), metadata=None)
    for name in ("Image001", "stack.001", "sub.folder/deep"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "x.tif", tmp_path / name)
    (tmp_path / "README").write_text("no image")
    (tmp_path / "notes.txt").write_bytes((tmp_path / "x.tif").read_bytes())
    document = inspected(tmp_path)
    names = [str(Path(one["source"]).relative_to(tmp_path)) for one in document["images"]]
    assert names == ["Image001", "stack.001", "sub.folder/deep", "x.tif"]
    assert document["skipped"] == []


@pytest.mark.parametrize(
    ("z_um", "step_ms", "shape", "is_warned"),
    [(0.5, 0, (1, 1, 4), False), (0.0, 1000, (4, 1, 1), False), (0.0, 0, (1, 1, 4), True)],
)
def test_stacks_of_metamorph(
    tmp_path: Path, z_um: float, step_ms: int, shape: tuple[int, int, int], is_warned: bool
) -> None:
    data = noisy((4, 40, 48))
    write_stk(tmp_path / "x.stk", data, z_um=z_um, step_ms=step_ms)
    header = read_header(only(tmp_path))
    assert header.levels[0].shape == (*shape, 40, 48)
    positions = [(i, j) for i in range(shape[0]) for j in range(shape[2])]
    np.testing.assert_array_equal(read_planes(header, 0, positions), data)
    assert any("no header says" in one for one in header.warnings) == is_warned


def test_a_bare_header_gives_one_result_with_its_names(tmp_path: Path, quick_table: str) -> None:
    data = noisy((1, 2, 3, 40, 48))
    (tmp_path / "in").mkdir()
    text = ome_xml([data.shape]).replace('Name="ch0"', 'Name="DAPI"')
    (tmp_path / "in" / "x.ome.xml").write_text(text)
    write_pages(tmp_path / "in" / "x.tif", data.reshape(-1, 40, 48), "")
    arguments = ["denoise", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--table", quick_table]
    done = CliRunner().invoke(main, [*arguments, "--in-process", "--json"], catch_exceptions=False)
    (image,) = json.loads(done.stdout)["images"]
    assert (image["status"], Path(image["target"]).name) == ("done", "x.ome.zarr")
    made: Any = zarr.open_group(image["target"], mode="r")
    assert made["0"].shape == data.shape
    assert [one["label"] for one in made.attrs["ome"]["omero"]["channels"]] == ["DAPI", "ch1"]
    export = ["export", image["target"], "--output", str(tmp_path / "exported")]
    ended = CliRunner().invoke(main, export, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output


def test_stacks_under_names_of_vendors_are_passed_over_in_folders(tmp_path: Path) -> None:
    for name in ("b.flex", "c.svs"):
        tifffile.imwrite(tmp_path / "x.tif", noisy((3, 40, 48)), metadata=None, photometric="minisblack")
        (tmp_path / "x.tif").rename(tmp_path / name)
    (skip,) = inspected(tmp_path)["skipped"][:1]
    assert skip["reason"] == "passed over: 1 .flex, 1 .svs (convert them with bioformats2raw)"
    (image,) = inspected(tmp_path / "b.flex")["images"]
    assert "no header says what its 3 pages are" in image["warnings"][0]


@pytest.mark.parametrize(("field", "record"), [(108, "IIIIII"), (100, "iIiiii"), (104, "iIiiii")])
def test_parts_of_an_lsm_that_nobody_writes_are_refused_at_once(
    tmp_path: Path, field: int, record: str
) -> None:
    """Read as they are, a few megabytes of colours without names would take an hour."""
    path = write_lsm(tmp_path / "x.lsm", noisy((1, 1, 1, 40, 48)))
    with tifffile.TiffFile(path) as tif:
        at = tif.pages.first.tags[34412].valueoffset + field
    content = bytearray(path.read_bytes())
    content[at : at + 4] = len(content).to_bytes(4, "little")
    head = (5_000_000, 0, 0, 24, 24, 0) if field == 108 else (60, 1_000_000, 0, 0, 0, 0)
    path.write_bytes(content + struct.pack(f"<{record}", *head) + bytes(2_000_000))
    with pytest.raises(HeaderError, match=re.escape("000; expected at most")):
        read_tiff_source(str(path))


@pytest.mark.parametrize(
    ("name", "inner"),
    [
        *[("ChannelDataTypes", 0), ("TimeStamps", 4), ("EventList", 4)],
        *[("ChannelWavelength", 0), ("TilePositions", 0), ("Positions", 0)],
    ],
)
def test_lists_of_an_lsm_that_nobody_writes_are_refused_at_once(
    tmp_path: Path, name: str, inner: int
) -> None:
    """Read as they are, two bytes of a number would take the memory of a hundred gigabytes."""
    path = write_lsm(tmp_path / "x.lsm", noisy((1, 1, 1, 40, 48)))
    fields = np.dtype([(name or f"reserved{i}", kind) for i, (name, kind) in enumerate(TIFF.CZ_LSMINFO)])
    with tifffile.TiffFile(path) as tif:
        at = tif.pages.first.tags[34412].valueoffset + dict(fields.fields or {})[f"Offset{name}"][1]
    content = bytearray(path.read_bytes())
    content[at : at + 4] = len(content).to_bytes(4, "little")
    path.write_bytes(content + bytes(inner) + struct.pack("<I", 2_000_000_000) + bytes(64))
    with pytest.raises(
        HeaderError, match=re.escape(f"{name}: found a size of 2,000,000,000; expected at most")
    ):
        read_tiff_source(str(path))


def test_an_lsm_of_an_older_version_has_no_such_lists(tmp_path: Path) -> None:
    path = write_lsm(tmp_path / "x.lsm", noisy((1, 1, 1, 40, 48)))
    with tifffile.TiffFile(path) as tif:
        at = tif.pages.first.tags[34412].valueoffset
    content = bytearray(path.read_bytes())
    content[at + 4 : at + 8] = (152).to_bytes(4, "little")  # where version 2.0 ends
    content[at + 336 : at + 340] = (at + 340).to_bytes(4, "little")
    content[at + 340 : at + 344] = b"\xff" * 4
    path.write_bytes(content)
    assert read_tiff_source(str(path)).images
