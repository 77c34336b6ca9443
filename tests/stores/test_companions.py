"""Headers of TIFF files that stand in documents beside them: companions, and bare OME-XML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from autodip_zarr.domain import Header, ImageRef, Skipped
from autodip_zarr.stores import read_header, read_planes, walk

from .builders import ome_xml, only, pixels, write_pages

SHAPE = (2, 1, 3, 8, 9)
STUB = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
STUB += '<BinaryOnly MetadataFile="{}" UUID="u"/></OME>'


def planes(header: Header) -> NDArray[Any]:
    positions = [(t, z) for t in range(header.size("t")) for z in range(header.size("z"))]
    return read_planes(header, 0, positions).reshape(SHAPE)


def described(names: list[str]) -> str:
    """Return a header of two time points, each in a file."""
    blocks = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="3">'
        f'<UUID FileName="{name}">urn:uuid:{t}</UUID></TiffData>'
        for t, name in enumerate(names)
    )
    return ome_xml([SHAPE], data={0: blocks})


def found(folder: Path) -> list[ImageRef | Skipped]:
    return list(walk([str(folder)]))


@pytest.mark.parametrize("name", ["set.companion.ome", "set.ome", "set.ome.xml", "set.xml"])
@pytest.mark.parametrize("prefix", ["", "./"])
def test_companions_of_every_name(tmp_path: Path, name: str, prefix: str) -> None:
    data = pixels(SHAPE)
    (tmp_path / name).write_text(described([f"{prefix}m0.tif", f"{prefix}m1.tif"]))
    for t in range(2):
        write_pages(tmp_path / f"m{t}.tif", data[t, 0], STUB.format(f"{prefix}{name}"))
    ref = only(tmp_path)
    assert ref.relative == "m0.tif"
    np.testing.assert_array_equal(planes(read_header(ref)), data)
    np.testing.assert_array_equal(planes(read_header(only(tmp_path / "m1.tif"))), data)


@pytest.mark.parametrize("up", ["../", "", "./../"])
def test_a_companion_in_a_folder_of_its_own(tmp_path: Path, up: str) -> None:
    data = pixels(SHAPE)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "set.companion.ome").write_text(described([f"{up}m0.tif", f"{up}m1.tif"]))
    for t in range(2):
        write_pages(tmp_path / f"m{t}.tif", data[t, 0], STUB.format("./meta/set.companion.ome"))
    np.testing.assert_array_equal(planes(read_header(only(tmp_path))), data)


def test_members_in_folders_are_listed_once(tmp_path: Path) -> None:
    data = pixels(SHAPE)
    (tmp_path / "set.ome.xml").write_text(described(["a/m.tif", "./b/m.tif"]))
    for t, folder in enumerate("ab"):
        write_pages(tmp_path / folder / "m.tif", data[t, 0], "")
    ref = only(tmp_path)
    assert ref.relative == "set.ome.xml"
    np.testing.assert_array_equal(planes(read_header(ref)), data)


def test_a_missing_companion_is_one_line(tmp_path: Path) -> None:
    for t in range(7):
        write_pages(tmp_path / f"m{t}.tif", pixels((1, 8, 9)), STUB.format("set.companion.ome"))
    write_pages(tmp_path / "z.tif", pixels((1, 8, 9)), "")
    image, missing = found(tmp_path)
    assert isinstance(image, ImageRef)
    assert isinstance(missing, Skipped)
    assert missing.is_error
    assert missing.source == str(tmp_path / "set.companion.ome")
    names = "m0.tif, m1.tif, m2.tif and 4 more"
    assert missing.reason == f"is missing; expected the file with the header of 7 TIFF files: {names}"
    (alone,) = found(tmp_path / "m3.tif")
    assert isinstance(alone, Skipped)
    assert alone.reason == "is missing; expected the file with the header of a TIFF file: m3.tif"


def test_bare_ome_xml_beside_its_files(tmp_path: Path) -> None:
    data = pixels(SHAPE)
    (tmp_path / "z.ome.xml").write_text(described(["m0.tif", "m1.tif"]))
    for t in range(2):
        write_pages(tmp_path / f"m{t}.tif", data[t, 0], "")
    ref = only(tmp_path)
    header = read_header(ref)
    assert header.texts[0].source == str(tmp_path / "z.ome.xml")
    assert header.levels[0].scale[:] == (1, 1, 2000, 1, 0.5)
    np.testing.assert_array_equal(planes(header), data)
    assert only(tmp_path / "z.ome.xml").uri == str(tmp_path / "z.ome.xml")


@pytest.mark.parametrize("blocks", ["", '<TiffData IFD="0" PlaneCount="6"/>'])
def test_bare_ome_xml_of_the_same_name(tmp_path: Path, blocks: str) -> None:
    data = pixels(SHAPE)
    (tmp_path / "x.ome.xml").write_text(ome_xml([SHAPE], data={0: blocks}))
    write_pages(tmp_path / "x.tif", data[:, 0].reshape(-1, 8, 9), "")
    write_pages(tmp_path / "y.tif", pixels((1, 8, 9)), "")
    refs = found(tmp_path)
    assert [one.relative for one in refs if isinstance(one, ImageRef)] == ["x.ome.xml", "y.tif"]
    assert isinstance(refs[0], ImageRef)
    np.testing.assert_array_equal(planes(read_header(refs[0])), data)


def test_bare_ome_xml_that_does_not_fit_is_told_and_left(tmp_path: Path) -> None:
    (tmp_path / "x.ome.xml").write_text(ome_xml([(5, 1, 3, 8, 9)]))
    (tmp_path / "broken.ome.xml").write_text("<OME><Image>")
    write_pages(tmp_path / "x.tif", pixels((6, 8, 9)), "")
    items = found(tmp_path)
    assert [one.relative for one in items if isinstance(one, ImageRef)] == ["x.tif"]
    told = [one for one in items if isinstance(one, Skipped)]
    assert [(Path(one.source).name, one.is_error) for one in told] == [
        ("broken.ome.xml", False),
        ("x.ome.xml", False),
    ]
    assert "describes 15 planes" in told[1].reason


def test_documents_of_files_that_tell_themselves_are_left_alone(tmp_path: Path) -> None:
    data = pixels((1, 1, 1, 8, 9))
    write_pages(tmp_path / "x.ome.tif", data[0, 0], ome_xml([data.shape]))
    (tmp_path / "x.ome.xml").write_text(ome_xml([data.shape]).replace('SizeX="9"', 'SizeX="99"'))
    (tmp_path / "alone.ome.xml").write_text(described(["gone.tif", "away.tif"]))
    (tmp_path / "other.ome").write_text("no XML at all")
    assert only(tmp_path).relative == "x.ome.tif"


def test_a_missing_first_file_of_a_document_is_named(tmp_path: Path) -> None:
    (tmp_path / "z.ome.xml").write_text(described(["m0.tif", "m1.tif"]))
    write_pages(tmp_path / "m1.tif", pixels((3, 8, 9)), "")
    with pytest.raises(Exception, match=r"m0.tif: is missing; expected the first file of"):
        read_header(only(tmp_path))
