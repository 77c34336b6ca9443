"""Pictures and OME-TIFF files: what is written comes back."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from autodip_zarr.errors import SourceError, TargetError
from autodip_zarr.stores import encode_png, read_header, read_image, read_planes, write_image, write_ome_tiff

from .builders import ome_xml, only, pixels


@pytest.mark.parametrize(
    ("name", "dtype"), [("a.png", "uint8"), ("a.png", "uint16"), ("a.tif", "uint16"), ("a.tiff", "float32")]
)
def test_planes_come_back(tmp_path: Path, name: str, dtype: str) -> None:
    plane = np.random.default_rng(0).integers(0, 60_000, (8, 9)).astype(dtype)
    write_image(str(tmp_path / name), plane)
    found = read_image(str(tmp_path / name))
    assert found.dtype == plane.dtype
    np.testing.assert_array_equal(found, plane)


def test_grey_pictures_in_colour_files(tmp_path: Path) -> None:
    plane = pixels((8, 9), "uint8")
    write_image(str(tmp_path / "a.png"), np.stack([plane] * 3, axis=-1))
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.png")), plane)
    Image.fromarray(plane).convert("P").save(tmp_path / "b.png")
    assert read_image(str(tmp_path / "b.png")).shape == (8, 9)
    write_image(str(tmp_path / "c.png"), pixels((8, 9, 3), "uint8"))
    with pytest.raises(SourceError, match="one grayscale plane"):
        read_image(str(tmp_path / "c.png"))


def test_what_is_no_picture_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    (tmp_path / "a.tif").write_text("no picture")
    tifffile.imwrite(tmp_path / "stack.tif", pixels((5, 8, 9)), photometric="minisblack", metadata=None)
    Image.fromarray(pixels((80, 90), "uint8")).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:500])
    for name in ("a.png", "a.tif", "stack.tif", "cut.png", "gone.png", "gone.tif"):
        with pytest.raises(SourceError) as caught:
            read_image(str(tmp_path / name))
        assert name in caught.value.where


def test_what_has_no_picture_is_refused(tmp_path: Path) -> None:
    for plane in (np.zeros((8, 9)), np.zeros((8, 9, 3), np.uint16), np.zeros((2, 8, 9), np.uint8)):
        with pytest.raises(TargetError):
            encode_png(plane)
    with pytest.raises(TargetError, match="cannot be written"):
        write_image(str(tmp_path / "gone" / "a.png"), pixels((8, 9), "uint8"))
    assert Image.open(io.BytesIO(encode_png(pixels((8, 9), "uint8")))).size == (9, 8)


@pytest.mark.parametrize("order", [None, "XYZCT", "XYCZT", "XYTCZ"])
def test_ome_tiff_files_come_back(tmp_path: Path, order: str | None) -> None:
    data = pixels((2, 3, 4, 8, 9))
    write_ome_tiff(str(tmp_path / "a.ome.tif"), data, None if order is None else ome_xml([data.shape], order))
    header = read_header(only(tmp_path))
    assert header.levels[0].shape == data.shape
    for c in range(3):
        positions = [(t, z) for t in range(2) for z in range(4)]
        np.testing.assert_array_equal(read_planes(header, c, positions), data[:, c].reshape(-1, 8, 9))


def test_headers_that_contradict_the_pixels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="as the header says"):
        write_ome_tiff(str(tmp_path / "a.ome.tif"), pixels((1, 1, 1, 8, 9)), ome_xml([(1, 1, 2, 8, 9)]))
    with pytest.raises(TargetError, match="t, c, z, y, x"):
        write_ome_tiff(str(tmp_path / "a.ome.tif"), pixels((8, 9)))
    assert not list(tmp_path.iterdir())
