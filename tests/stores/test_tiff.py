"""TIFF in all its forms: what a walk finds, what the header says, and that each plane is the right one."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from autodip_zarr.domain import ChannelDisplay, ImageRef, Skipped
from autodip_zarr.errors import HeaderError, PixelError, SourceError
from autodip_zarr.stores import read_header, read_planes, walk

from .builders import errors, images, ome_xml, only, pixels, read_all, write_pages

ORDERS = ["XY" + "".join(order) for order in itertools.permutations("ZCT")]


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_of_planes(tmp_path: Path, order: str) -> None:
    data = pixels((2, 3, 4, 5, 6))
    axes = ["TCZ".index(axis) for axis in reversed(order[2:])]
    pages = data.transpose(*axes, 3, 4).reshape(-1, 5, 6)
    header = read_header(only(write_pages(tmp_path / "x.ome.tif", pages, ome_xml([data.shape], order))))
    assert [axis.name for axis in header.axes] == list("tczyx")
    np.testing.assert_array_equal(read_all(header), data)


def test_every_header_field(tmp_path: Path) -> None:
    path = write_pages(
        tmp_path / "x.ome.tif", pixels((6, 50, 60)), ome_xml([(1, 2, 3, 50, 60)]), rowsperstrip=20
    )
    ref = only(path)
    assert ref == ImageRef("ome-tiff", str(path), "", None, 0, "x.ome.tif")
    header = read_header(ref)
    assert (header.name, header.dtype, header.chunk) == ("image 0", "uint16", (1, 1, 1, 20, 60))
    assert header.levels[0].scale == (1.0, 1.0, 2000.0, 1.0, 0.5)
    assert [axis.unit for axis in header.axes] == [None, None, "nanometer", None, "micrometer"]
    assert header.channels == (ChannelDisplay("ch0", "FF0000", None), ChannelDisplay("ch1", "FF0000", None))
    assert (header.zarr_format, header.ome_version) == (None, None)
    assert header.texts[0].kind == "ome-xml"
    assert header.texts[0].source == str(path)
    assert header.fingerprint.size_bytes == path.stat().st_size
    assert header.fingerprint.checksum is not None


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tiled.ome.tif", {"tile": (16, 32)}),
        ("lzw.ome.tiff", {"compression": "lzw"}),
        ("zstd.tif", {"compression": "zstd", "predictor": True}),
        ("deflate.TIFF", {"compression": "deflate", "tile": (16, 16)}),
        ("big.ome.btf", {"bigtiff": True}),
        ("big.ome.tf8", {"bigtiff": True}),
        ("old.ome.tf2", {"byteorder": ">"}),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_encoding(tmp_path: Path, name: str, options: dict[str, Any], dtype: str) -> None:
    data = pixels((3, 40, 50), dtype)
    header = read_header(only(write_pages(tmp_path / name, data, ome_xml([(1, 1, 3, 40, 50)]), **options)))
    planes = read_planes(header, 0, [(0, 2), (0, 0)])
    assert planes.dtype == np.dtype(dtype)
    assert planes.dtype.isnative
    np.testing.assert_array_equal(planes, data[[2, 0]])


def test_pyramids(tmp_path: Path) -> None:
    path, data = tmp_path / "x.ome.tif", pixels((2, 64, 80))
    text = ome_xml([(1, 2, 1, 64, 80)]).encode()
    with tifffile.TiffWriter(path, ome=False) as tif:
        for plane in data:
            common: dict[str, Any] = {"metadata": None, "photometric": "minisblack", "tile": (32, 32)}
            tif.write(plane, subifds=2, description=text, **common)
            tif.write(plane[::2, ::2], subfiletype=1, **common)
            tif.write(plane[::4, ::4], subfiletype=1, **common)
    header = read_header(only(path))
    assert [level.shape for level in header.levels] == [
        (1, 2, 1, 64, 80),
        (1, 2, 1, 32, 40),
        (1, 2, 1, 16, 20),
    ]
    assert [level.scale[-1] for level in header.levels] == [0.5, 1.0, 2.0]
    np.testing.assert_array_equal(read_all(header)[0, :, 0], data)


def test_several_series(tmp_path: Path) -> None:
    path = tmp_path / "x.ome.tif"
    first, second = pixels((2, 1, 1, 8, 9)), pixels((1, 1, 3, 6, 7), seed=1)
    blocks = {0: '<TiffData IFD="0" PlaneCount="2"/>', 1: '<TiffData IFD="2" PlaneCount="3"/>'}
    text = ome_xml([first.shape, second.shape], data=blocks).encode()
    with tifffile.TiffWriter(path, ome=False) as tif:
        for plane in [*first.reshape(-1, 8, 9), *second.reshape(-1, 6, 7)]:
            tif.write(plane, metadata=None, description=text, photometric="minisblack")
    found = images(list(walk([str(tmp_path)])))
    assert [(ref.series, ref.image_index) for ref in found] == [(0, 0), (1, 1)]
    for ref, data in zip(found, (first, second), strict=True):
        np.testing.assert_array_equal(read_all(read_header(ref)), data)


def test_files_of_tifffile_itself(tmp_path: Path) -> None:
    data = pixels((2, 3, 4, 5, 6))
    tifffile.imwrite(tmp_path / "x.ome.tif", data, metadata={"axes": "TCZYX"})
    np.testing.assert_array_equal(read_all(read_header(only(tmp_path))), data)


@pytest.mark.parametrize("planar", [False, True])
def test_samples_become_channels(tmp_path: Path, planar: bool) -> None:
    data = pixels((2, 3, 5, 6), "uint8")  # z, sample, y, x
    text = ome_xml([(1, 3, 2, 5, 6)]).replace(
        '<Channel ID="Channel:0:0"', '<Channel SamplesPerPixel="3" ID="C"', 1
    )
    text = text.replace('<Channel ID="Channel:0:1" Name="ch1" Color="-16776961"/>', "")
    text = text.replace('<Channel ID="Channel:0:2" Name="ch2" Color="-16776961"/>', "")
    pages = data if planar else data.transpose(0, 2, 3, 1)
    config = "separate" if planar else "contig"
    tifffile.imwrite(
        tmp_path / "x.ome.tif",
        pages,
        description=text.encode(),
        metadata=None,
        ome=False,
        photometric="rgb",
        planarconfig=config,
    )
    header = read_header(only(tmp_path))
    assert len(header.channels) == 3
    np.testing.assert_array_equal(read_all(header)[0], data.transpose(1, 0, 2, 3))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('SizeX="9"', 'SizeX="nine"'),
        ('SizeX="9"', 'SizeX="0"'),
        ('SizeX="9"', 'SizeX="-9"'),
        ('SizeX="9"', 'SizeX="1e3"'),
        ('SizeX="9"', ""),
        ('"XYZCT"', '"ZXYCT"'),
        ('"XYZCT"', '"XYZZT"'),
        ("<TiffData/>", '<TiffData IFD="-1"/>'),
        ("<TiffData/>", '<TiffData FirstZ="x"/>'),
        ("</OME>", ""),
        ("<OME ", '<!DOCTYPE OME [<!ENTITY a "b">]><OME '),
        ("<Pixels", "<Pix"),
    ],
)
def test_broken_headers_are_refused(tmp_path: Path, old: str, new: str) -> None:
    text = ome_xml([(1, 1, 1, 8, 9)])
    assert old in text
    path = write_pages(tmp_path / "x.ome.tif", pixels((1, 8, 9)), text.replace(old, new))
    assert len(errors(path)) == 1


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    text = ome_xml([(1, 1, 1, 8, 9)]).replace("<OME ", f"{bomb}<OME ").replace("image 0", "&b;")
    assert (
        "without DTD and entities" in errors(write_pages(tmp_path / "x.ome.tif", pixels((1, 8, 9)), text))[0]
    )


@pytest.mark.parametrize("shape", [(1, 1, 1, 8, 10), (1, 1, 1, 7, 9)])
def test_pages_of_another_size_are_refused(tmp_path: Path, shape: tuple[int, int, int, int, int]) -> None:
    path = write_pages(tmp_path / "x.ome.tif", pixels((1, 8, 9)), ome_xml([shape]))
    with pytest.raises(HeaderError, match="as in the first page"):
        read_header(only(path))


def test_a_header_of_millions_of_planes_costs_nothing_and_of_billions_is_refused(tmp_path: Path) -> None:
    text = ome_xml([(3000, 1, 3000, 8, 9)])
    header = read_header(only(write_pages(tmp_path / "x.ome.tif", pixels((2, 8, 9)), text)))
    assert read_planes(header, 0, [(0, 1)]).shape == (1, 8, 9)
    with pytest.raises(PixelError, match="t=2999 c=0 z=5"):
        read_planes(header, 0, [(2999, 5)])
    text = ome_xml([(10**6, 1, 10**6, 8, 9)])
    with pytest.raises(HeaderError, match="planes; expected at most"):
        read_header(only(write_pages(tmp_path / "y.ome.tif", pixels((2, 8, 9)), text)))


def test_truncated_files_name_the_plane(tmp_path: Path) -> None:
    path = write_pages(
        tmp_path / "x.ome.tif", pixels((3, 40, 50)), ome_xml([(1, 1, 3, 40, 50)]), compression="zlib"
    )
    header = read_header(only(path))
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[1].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[start : start + 40] = bytes(40)
    path.write_bytes(content)
    assert read_planes(header, 0, [(0, 0)]).shape == (1, 40, 50)
    with pytest.raises(PixelError, match="plane t=0 c=0 z=1: cannot be read"):
        read_planes(header, 0, [(0, 0), (0, 1)])
    with pytest.raises(PixelError, match="outside the image"):
        read_planes(header, 0, [(0, 3)])
    cut = tmp_path / "cut.ome.tif"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = list(walk([str(cut)]))
    refs = images(found)
    assert refs or errors(cut)
    for ref in refs:
        with pytest.raises(SourceError):
            read_planes(read_header(ref), 0, [(0, 2)])


def test_plain_grayscale_files_are_images(tmp_path: Path) -> None:
    data = pixels((4, 8, 9))
    tifffile.imwrite(tmp_path / "a.tif", data, metadata=None, photometric="minisblack")
    tifffile.imwrite(tmp_path / "b.tif", pixels((2, 3, 4, 8, 9)), imagej=True, metadata={"axes": "TZCYX"})
    tifffile.imwrite(tmp_path / "c.tif", data, metadata={"axes": "ZYX"}, photometric="minisblack")
    tifffile.imwrite(tmp_path / "d.tif", data[0], metadata=None)
    headers = [read_header(ref) for ref in images(list(walk([str(tmp_path)])))]
    shapes = [(1, 1, 4, 8, 9), (2, 4, 3, 8, 9), (1, 1, 4, 8, 9), (1, 1, 1, 8, 9)]
    assert [header.levels[0].shape for header in headers] == shapes
    assert all(header.texts == () for header in headers)
    np.testing.assert_array_equal(read_all(headers[0])[0, 0], data)
    np.testing.assert_array_equal(read_all(headers[1]), pixels((2, 3, 4, 8, 9)).transpose(0, 2, 1, 3, 4))


def test_contiguous_imagej_files_with_one_page(tmp_path: Path) -> None:
    data = pixels((4, 8, 9))
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        page: Any = tif.pages[0]
        next_page = page.offset + 2 + 12 * len(page.tags)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[next_page : next_page + 4] = bytes(4)  # as ImageJ writes files above 4 GB
    (tmp_path / "a.tif").write_bytes(content)
    header = read_header(only(tmp_path))
    np.testing.assert_array_equal(read_planes(header, 0, [(0, z) for z in range(4)]), data)


def test_colour_and_bilevel_files_are_skipped_and_foreign_ones_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "colour.tif", pixels((8, 9, 4), "uint8"), photometric="rgb")
    tifffile.imwrite(tmp_path / "mask.tif", np.ones((8, 9), bool))
    found = list(walk([str(tmp_path)]))
    assert all(isinstance(item, Skipped) and not item.is_error for item in found)
    assert len(found) == 2
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    (tmp_path / "text.tif").write_text("no image")
    (tmp_path / "empty.ome.tif").write_bytes(b"")
    (tmp_path / "gone.tif").symlink_to(tmp_path / "nowhere")
    assert len(errors(tmp_path)) == 3


@pytest.mark.shared
def test_reference_stack(shared: Path) -> None:
    header = read_header(only(shared / "data" / "stack" / "lysosome_1.tif"))
    assert sorted(header.levels[0].shape) == [1, 1, 50, 128, 128]
    expected = tifffile.imread(shared / "data" / "stack" / "lysosome_1.tif")
    np.testing.assert_array_equal(read_all(header).reshape(50, 128, 128), expected)


def in_a_circle(path: Path) -> Path:
    """Have the first page of a file come after its last."""
    with tifffile.TiffFile(path) as tif:
        first, last = tif.pages[0].offset, tif.pages[-1].offset
    content = bytearray(path.read_bytes())
    at = last + 2 + 12 * int.from_bytes(content[last : last + 2], "little")
    content[at : at + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def test_pages_in_a_circle_are_not_repeated_in_silence(tmp_path: Path) -> None:
    pages = np.random.default_rng(0).poisson(40, (3, 8, 9)).astype("uint16")
    text = ome_xml([(1, 1, 5, 8, 9)], "XYZCT")
    header = read_header(only(in_a_circle(write_pages(tmp_path / "x.ome.tif", pages, text))))
    np.testing.assert_array_equal(read_planes(header, 0, [(0, 2)])[0], pages[2])
    with pytest.raises(PixelError, match="run in a circle"):
        read_planes(header, 0, [(0, 3)])


@pytest.mark.parametrize("count", [2, 150])
def test_pages_in_a_circle_are_not_counted_for_ever(tmp_path: Path, count: int) -> None:
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as tif:
        for _ in range(count):
            tif.write(np.zeros((8, 9), "uint16"), metadata=None, contiguous=False)
    (told,) = errors(in_a_circle(path))
    assert "run in a circle" in str(told)
