"""Images of several TIFF files: members by name and identifier, companions, copies, pages of each plane."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from autodip_zarr.domain import Skipped
from autodip_zarr.errors import PixelError
from autodip_zarr.stores import read_header, read_planes, walk

from .builders import errors, images, ome_xml, only, pixels, read_all, write_pages


def member(name: str, first_t: int, uuid: str) -> str:
    inner = f'<UUID FileName="{name}">{uuid}</UUID>'
    return f'<TiffData FirstT="{first_t}" IFD="0" PlaneCount="1">{inner}</TiffData>'


def write_set(folder: Path, *, own_uuid: bool) -> NDArray[Any]:
    """Write a set of three files, each with the whole header."""
    data = pixels((3, 1, 1, 8, 9))
    blocks = "".join(member(f"m{t}.ome.tif", t, f"urn:uuid:{t}") for t in range(3))
    for t in range(3):
        head = f'UUID="urn:uuid:{t}"' if own_uuid else ""
        write_pages(folder / f"m{t}.ome.tif", data[t, 0], ome_xml([data.shape], data={0: blocks}, head=head))
    return data


@pytest.mark.parametrize("own_uuid", [True, False])
def test_a_set_of_files_is_one_image(tmp_path: Path, own_uuid: bool) -> None:
    data = write_set(tmp_path, own_uuid=own_uuid)
    ref = only(tmp_path)
    assert ref.relative == "m0.ome.tif"
    np.testing.assert_array_equal(read_all(read_header(ref)), data)
    assert only(tmp_path / "m2.ome.tif", tmp_path / "m0.ome.tif").uri == str(tmp_path / "m2.ome.tif")
    np.testing.assert_array_equal(read_all(read_header(only(tmp_path / "m1.ome.tif"))), data)


def test_a_missing_member_costs_its_planes_only(tmp_path: Path) -> None:
    data = write_set(tmp_path, own_uuid=True)
    (tmp_path / "m1.ome.tif").unlink()
    header = read_header(only(tmp_path))
    np.testing.assert_array_equal(read_planes(header, 0, [(2, 0), (0, 0)]), data[[2, 0], 0, 0])
    with pytest.raises(PixelError, match=r"t=1 c=0 z=0: its file 'm1.ome.tif' is missing"):
        read_planes(header, 0, [(0, 0), (1, 0), (2, 0)])
    (tmp_path / "m0.ome.tif").unlink()
    header = read_header(only(tmp_path))
    assert "is missing" in header.warnings[0]
    np.testing.assert_array_equal(read_planes(header, 0, [(2, 0)])[0], data[2, 0, 0])


def test_binary_only_files_with_a_companion(tmp_path: Path) -> None:
    data = pixels((2, 1, 1, 8, 9))
    blocks = "".join(member(f"m{t}.ome.tif", t, f"urn:uuid:{t}") for t in range(2))
    (tmp_path / "set.companion.ome").write_text(ome_xml([data.shape], data={0: blocks}))
    binary_only = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{}">'
        '<BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:9"/></OME>'
    )
    for t in range(2):
        write_pages(tmp_path / f"m{t}.ome.tif", data[t, 0], binary_only.format(t))
    header = read_header(only(tmp_path))
    assert header.texts[0].source == str(tmp_path / "set.companion.ome")
    np.testing.assert_array_equal(read_all(header), data)
    (tmp_path / "set.companion.ome").unlink()
    (reason,) = errors(tmp_path)
    assert reason == "is missing; expected the file with the header of 2 TIFF files: m0.ome.tif, m1.ome.tif"


def test_binary_only_files_with_a_master(tmp_path: Path) -> None:
    data = pixels((2, 1, 1, 8, 9))
    blocks = '<TiffData FirstT="0" IFD="0" PlaneCount="1"/>' + member("a.ome.tif", 1, "urn:uuid:1")
    write_pages(tmp_path / "master.ome.tif", data[0, 0], ome_xml([data.shape], data={0: blocks}))
    text = '<OME UUID="urn:uuid:1"><BinaryOnly MetadataFile="master.ome.tif" UUID="urn:uuid:0"/></OME>'
    write_pages(tmp_path / "a.ome.tif", data[1, 0], text)
    np.testing.assert_array_equal(read_all(read_header(only(tmp_path))), data)


def test_a_renamed_file_is_its_own_member(tmp_path: Path) -> None:
    data = pixels((1, 1, 1, 8, 9))
    text = ome_xml([data.shape], data={0: member("old name.ome.tif", 0, "urn:uuid:5")})
    header = read_header(only(write_pages(tmp_path / "new.ome.tif", data[0, 0], text)))
    np.testing.assert_array_equal(read_all(header), data)


def test_files_without_a_name_are_found_by_their_identifier(tmp_path: Path) -> None:
    data = pixels((3, 1, 1, 8, 9))
    blocks = "".join(member(f"m{t}.ome.tif", t, f"urn:uuid:{t}") for t in range(3))
    nameless = re.sub(' FileName="[^"]*"', "", blocks)
    for t in range(3):
        text = ome_xml([data.shape], data={0: nameless}, head=f'UUID="urn:uuid:{t}"')
        write_pages(tmp_path / f"{'bca'[t]}.ome.tif", data[t, 0], text)
    np.testing.assert_array_equal(read_all(read_header(only(tmp_path))), data)
    (tmp_path / "a.ome.tif").unlink()
    assert len(errors(tmp_path)) == 2
    assert all("urn:uuid:2" in reason and "a FileName" in reason for reason in errors(tmp_path))


def test_an_identifier_of_a_file_without_one_is_its_own(tmp_path: Path) -> None:
    data = pixels((2, 1, 1, 8, 9))
    block = '<TiffData IFD="0" PlaneCount="2"><UUID>urn:uuid:7</UUID></TiffData>'
    path = write_pages(tmp_path / "x.ome.tif", data[:, 0, 0], ome_xml([data.shape], data={0: block}))
    np.testing.assert_array_equal(read_all(read_header(only(path))), data)


def test_a_copy_that_names_the_original_is_told(tmp_path: Path) -> None:
    data = pixels((1, 1, 1, 8, 9))
    text = ome_xml([data.shape], data={0: member("b.ome.tif", 0, "urn:uuid:5")})
    write_pages(tmp_path / "b.ome.tif", data[0, 0], text)
    for name in ("a.ome.tif", "c.ome.tif"):
        write_pages(tmp_path / name, pixels((1, 8, 9), seed=9), text)
    found = list(walk([str(tmp_path)]))
    assert [ref.relative for ref in images(found)] == ["b.ome.tif"]
    told = [item for item in found if isinstance(item, Skipped)]
    assert [Path(item.source).name for item in told] == ["a.ome.tif", "c.ome.tif"]
    assert all("'b.ome.tif'" in item.reason for item in told)
    np.testing.assert_array_equal(read_all(read_header(images(found)[0])), data)


def test_planes_of_the_schema_of_2008(tmp_path: Path) -> None:
    data = pixels((1, 1, 4, 8, 9))
    blocks = '<TiffData IFD="2" NumPlanes="2"/><TiffData FirstZ="2" IFD="0" NumPlanes="2"/>'
    path = write_pages(
        tmp_path / "x.ome.tif", data[0, 0][[2, 3, 0, 1]], ome_xml([data.shape], data={0: blocks})
    )
    np.testing.assert_array_equal(read_all(read_header(only(path))), data)


def test_planes_in_reverse(tmp_path: Path) -> None:
    data = pixels((1, 1, 3, 8, 9))
    blocks = "".join(f'<TiffData FirstZ="{z}" IFD="{2 - z}" PlaneCount="1"/>' for z in range(3))
    path = write_pages(tmp_path / "x.ome.tif", data[0, 0, ::-1], ome_xml([data.shape], data={0: blocks}))
    np.testing.assert_array_equal(read_all(read_header(only(path))), data)


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ('<TiffData FirstZ="3" IFD="0"/>', "0 to 2"),
        ('<TiffData FirstC="1" IFD="0"/>', "0 to 0"),
        ('<TiffData IFD="0"/><TiffData IFD="1"/>', "in two places"),
        ('<TiffData IFD="0" PlaneCount="2"/><TiffData FirstZ="1" IFD="2"/>', "in two places"),
    ],
)
def test_planes_that_cannot_be_are_refused(tmp_path: Path, blocks: str, told: str) -> None:
    text = ome_xml([(1, 1, 3, 8, 9)], data={0: blocks})
    (reason,) = errors(write_pages(tmp_path / "x.ome.tif", pixels((3, 8, 9)), text))
    assert told in reason


def test_the_same_plane_said_twice_is_one(tmp_path: Path) -> None:
    data = pixels((1, 1, 1, 8, 9))
    text = ome_xml([data.shape], data={0: '<TiffData IFD="0"/>' * 2})
    path = write_pages(tmp_path / "x.ome.tif", data[0, 0], text)
    np.testing.assert_array_equal(read_all(read_header(only(path))), data)


@pytest.mark.parametrize("name", ["../secret.tif", "/etc/passwd", "https://host/x.tif", "..\\secret.tif", ""])
def test_names_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    write_pages(tmp_path / "secret.tif", pixels((1, 8, 9)), "")
    folder = tmp_path / "folder"
    write_pages(
        folder / "a.ome.tif", pixels((1, 8, 9)), ome_xml([(1, 1, 1, 8, 9)], data={0: member(name, 0, "u")})
    )
    text = f'<OME><BinaryOnly MetadataFile="{name}" UUID="u"/></OME>'
    write_pages(folder / "b.ome.tif", pixels((1, 8, 9)), text)
    assert [("a path inside the store" in reason) for reason in errors(folder)] == [True, True]
