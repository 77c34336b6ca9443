"""Files as they really are, denoised and verified: orders of axes, small types, systems of coordinates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from autodip_zarr.cli import main
from autodip_zarr.stores import read_header, read_planes

from ..stores.builders import ome_xml, only, write_array, write_group, write_image, write_pages
from .results import Run, planes, statuses


@pytest.fixture
def here(quick_table: str) -> Run:
    """Run ``denoise --in-process``, with networks that fit in milliseconds."""

    def invoke(*arguments: object) -> Result:
        fixed = ["--table", quick_table, "--in-process", "--json"]
        return CliRunner().invoke(main, ["denoise", *map(str, arguments), *fixed], catch_exceptions=False)

    return invoke


def noisy(shape: tuple[int, ...], dtype: str = "uint16") -> NDArray[Any]:
    values = np.random.default_rng(0).poisson(40, shape)
    return values.astype(dtype) if np.dtype(dtype).kind != "f" else (values / 64).astype(dtype)


def verified(folder: Path) -> Result:
    return CliRunner().invoke(main, ["verify", str(folder)], catch_exceptions=False)


TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


@pytest.mark.parametrize("axes", ["yxc", "zyxc", "tzcyx", "xy", "cxy", "ztyx"])
def test_axes_are_written_in_the_order_of_the_specification(tmp_path: Path, axes: str, here: Run) -> None:
    sizes = {"t": 2, "c": 3, "z": 2, "y": 32, "x": 40}
    data = noisy(tuple(sizes[axis] for axis in axes))
    source = write_image(tmp_path / "in.zarr", data, axes, 2)
    document = json.loads((source / ".zattrs").read_text())
    image = document["multiscales"][0]
    image["datasets"][0]["coordinateTransformations"] = [
        {"type": "scale", "scale": [1 + "tczyx".index(axis) for axis in axes]}
    ]
    (source / ".zattrs").write_text(json.dumps(document))
    result = here(source, "--output", tmp_path / "out")
    assert statuses(result) == ["done"]
    ordered = sorted(axes, key="tczyx".index)
    made: Any = zarr.open_group(str(tmp_path / "out" / "in.zarr"), mode="r")
    written = made.attrs["ome"]["multiscales"][0]
    assert [axis["name"] for axis in written["axes"]] == ordered
    assert made["0"].shape == tuple(sizes[axis] for axis in ordered)
    (scale,) = written["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [1 + "tczyx".index(axis) for axis in ordered]
    assert "the order that OME-Zarr demands" in made.attrs["autodip"]["recipe"]["source"]["warnings"][-1]
    expected = data.transpose([axes.index(axis) for axis in ordered]).astype(float)
    smooth = np.asarray(made["0"]).astype(float)
    assert abs(smooth.mean() - expected.mean()) < 5
    along = tuple(range(len(ordered) - 2))
    np.testing.assert_allclose(smooth.mean(along), expected.mean(along), atol=40)
    assert verified(tmp_path / "out").exit_code == 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "uint8", "int16", "float64", ">u2"])
def test_pixel_types_are_kept_and_verified(tmp_path: Path, dtype: str, here: Run) -> None:
    source = write_image(tmp_path / "in.zarr", noisy((3, 40, 48), dtype), "cyx", 2)
    result = here(source, "--output", tmp_path / "out", "--channels", "0,1")
    assert statuses(result) == ["done"], result.output
    made: Any = zarr.open_group(str(tmp_path / "out" / "in.zarr"), mode="r")
    assert made["0"].dtype == np.dtype(dtype).newbyteorder("=")
    copied = planes(tmp_path / "out" / "in.zarr", 2)
    np.testing.assert_array_equal(copied, planes(source, 2))
    done = verified(tmp_path / "out")
    assert done.exit_code == 0, done.output


def test_several_systems_of_coordinates(tmp_path: Path, here: Run) -> None:
    """As drafts of 0.6 have them: the first is that of the pixels, and its axes are documented."""
    data = noisy((2, 32, 40))
    axes = [{"name": name, "type": TYPES[name]} for name in "cyx"]
    world = [{**axis, "name": f"world_{axis['name']}"} for axis in axes]
    image = {
        "name": "x",
        "coordinateSystems": [{"name": "intrinsic", "axes": axes}, {"name": "world", "axes": world}],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [
                    {"type": "scale", "scale": [1, 0.5, 0.25], "input": "0", "output": "intrinsic"}
                ],
            }
        ],
        "coordinateTransformations": [
            {"type": "translation", "translation": [0, 10, 20], "input": "intrinsic", "output": "world"}
        ],
    }
    source = tmp_path / "in.zarr"
    write_group(source, 3, {"multiscales": [image]})
    write_array(source / "0", data, 3)
    result = here(source, "--output", tmp_path / "out")
    assert statuses(result) == ["done"]
    made: Any = zarr.open_group(str(tmp_path / "out" / "in.zarr"), mode="r")
    written = made.attrs["ome"]["multiscales"][0]
    assert [axis["name"] for axis in written["axes"]] == list("cyx")
    assert written["datasets"][0]["coordinateTransformations"][0]["scale"] == [1, 0.5, 0.25]
    assert verified(tmp_path / "out").exit_code == 0


@pytest.mark.parametrize("size", [0.1, 0.3, 1 / 3, 0.065, 1e-7])
def test_physical_sizes_do_not_drift(tmp_path: Path, size: float, here: Run) -> None:
    source = write_image(tmp_path / "in.zarr", noisy((1, 33, 47)), "cyx", 2)
    document = json.loads((source / ".zattrs").read_text())
    document["multiscales"][0]["datasets"][0]["coordinateTransformations"] = [
        {"type": "scale", "scale": [1, size, size]}
    ]
    (source / ".zattrs").write_text(json.dumps(document))
    assert statuses(here(source, "--output", tmp_path / "out")) == ["done"]
    made: Any = zarr.open_group(str(tmp_path / "out" / "in.zarr"), mode="r")
    (scale,) = made.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [1, size, size]


def test_levels_of_float16_are_verified_at_its_rounding(tmp_path: Path, here: Run) -> None:
    data = (noisy((2, 300, 520)) * 0.37).astype("float16")
    text = ome_xml([(1, 2, 1, 300, 520)], kind="half")
    write_pages(tmp_path / "x.ome.tif", data, text)
    assert statuses(here(tmp_path / "x.ome.tif", "--output", tmp_path / "out", "--channels", "0")) == ["done"]
    made: Any = zarr.open_group(str(tmp_path / "out" / "x.ome.zarr"), mode="r")
    assert [made[str(level)].dtype for level in range(3)] == [np.dtype("float16")] * 3
    done = verified(tmp_path / "out")
    assert done.exit_code == 0, done.output


def test_an_imagej_hyperstack_keeps_what_it_tells(tmp_path: Path, here: Run) -> None:
    lut = np.zeros((3, 256), "uint8")
    green, magenta = lut.copy(), lut.copy()
    green[1] = np.arange(256)
    magenta[[0, 2]] = np.arange(256)
    labels = [f"c:{c}/2 z:{z}/3 - {name}" for z in (1, 2, 3) for c, name in ((1, "DAPI"), (2, "Phalloidin"))]
    told: dict[str, Any] = {"axes": "ZCYX", "unit": "um", "spacing": 0.3, "Labels": labels}
    told |= {"LUTs": [green, magenta], "Info": "Modality: Spinning Disk Confocal\nExposure: 100 ms"}
    tifffile.imwrite(
        tmp_path / "x.tif", noisy((3, 2, 40, 48)), imagej=True, resolution=(1 / 0.1, 1 / 0.1), metadata=told
    )
    assert statuses(here(tmp_path / "x.tif", "--output", tmp_path / "out")) == ["done"]
    made: Any = zarr.open_group(str(tmp_path / "out" / "x.ome.zarr"), mode="r")
    image, omero = (made.attrs["ome"][name] for name in ("multiscales", "omero"))
    assert [axis.get("unit") for axis in image[0]["axes"]] == [None, None, *["micrometer"] * 3]
    (scale,) = image[0]["datasets"][0]["coordinateTransformations"]
    np.testing.assert_allclose(scale["scale"], [1, 1, 0.3, 0.1, 0.1], rtol=1e-6)
    assert [(one["label"], one["color"]) for one in omero["channels"]] == [
        ("DAPI", "00FF00"),
        ("Phalloidin", "FF00FF"),
    ]
    known = made.attrs["autodip"]["recipe"]["channels"]
    assert [(one["microscope"], one["specimen"]) for one in known] == [
        ("spinning_disk", "nucleus"),
        ("spinning_disk", "actin"),
    ]


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [((20_000, 20_000), 3, 0.5), ((254_000, 254_000), 2, 0.1), ((300, 300), 2, 1.0), ((118, 118), 3, 1.0)],
)
def test_resolution_tags_count_unless_they_are_for_printers(
    tmp_path: Path, resolution: tuple[int, int], unit: int, expected: float
) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, noisy((40, 48)), resolution=resolution, resolutionunit=unit, metadata=None)
    header = read_header(only(path))
    np.testing.assert_allclose(header.levels[0].scale, (1, 1, 1, expected, expected), rtol=1e-6)


@pytest.mark.parametrize("planar", [True, False])
def test_colour_tiff_is_read_as_three_channels(tmp_path: Path, planar: bool) -> None:
    data = noisy((2, 3, 40, 48), "uint8")
    pages = data if planar else data.transpose(0, 2, 3, 1)
    config = "separate" if planar else "contig"
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, pages, photometric="rgb", planarconfig=config, metadata=None)
    header = read_header(only(path))
    assert [one.label for one in header.channels] == ["Red", "Green", "Blue"]
    for c in range(3):
        np.testing.assert_array_equal(read_planes(header, c, [(0, 0), (0, 1)]), data[:, c])


def test_a_tiff_is_known_by_its_content(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", noisy((40, 48)), metadata=None)
    path = (tmp_path / "x.tif").rename(tmp_path / "x.lsm")
    assert read_header(only(path)).levels[0].shape == (1, 1, 1, 40, 48)


def test_other_formats_are_counted(tmp_path: Path) -> None:
    write_image(tmp_path / "deep" / "x.zarr", noisy((1, 32, 40)), "cyx", 2)
    for name in ("a.czi", "b.CZI", "deep/c.czi", "d.nd2", "e.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    done = CliRunner().invoke(main, ["plan", str(tmp_path), "--json"])
    planned = json.loads(done.stdout)
    assert len(planned["images"]) == 1
    (skip,) = planned["skipped"]
    told = "passed over: 3 .czi, 1 .nd2 (convert them with bioformats2raw); "
    assert skip["reason"] == f"{told}1 .png (name the files to denoise them)"
    assert done.exit_code == 0
    named = CliRunner().invoke(main, ["plan", str(tmp_path / "a.czi")])
    assert named.exit_code == 2
    assert "convert it with bioformats2raw" in named.stdout


def test_a_named_picture_is_denoised(tmp_path: Path, here: Run) -> None:
    for name in ("x.png", "y.bmp"):
        Image.fromarray(noisy((40, 48), "uint8")).save(tmp_path / name)
    found = here(tmp_path / "x.png", tmp_path / "y.bmp", "--output", tmp_path / "out")
    assert statuses(found) == ["done", "done"]
    made: Any = zarr.open_group(str(tmp_path / "out" / "x.ome.zarr"), mode="r")
    assert made["0"].shape == (40, 48)
    assert verified(tmp_path / "out").exit_code == 0
