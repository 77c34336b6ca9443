"""What no header tells and a person does: sizes of pixels, and the axes that pages run along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from click.testing import CliRunner
from numpy.typing import NDArray

from autodip_zarr import Choices
from autodip_zarr import inspect as inspect_sources
from autodip_zarr import plan as make_plan
from autodip_zarr.cli import main

from ..stores.builders import ome_xml, write_image, write_pages
from .results import Run, statuses


def noisy(shape: tuple[int, ...]) -> NDArray[Any]:
    return np.random.default_rng(0).poisson(40, shape).astype("uint16")


def stack(path: Path, pages: int = 6) -> Path:
    """Write pages of which no header says what they are; each has a mean of its own."""
    data = noisy((pages, 40, 48)) + 100 * np.arange(pages, dtype="uint16")[:, None, None]
    with tifffile.TiffWriter(path) as tif:
        for page in data:
            tif.write(page, metadata=None, contiguous=False)
    return path


def planned(*arguments: object) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["plan", *map(str, arguments), "--json"], catch_exceptions=False)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def made(path: Path) -> Any:
    return zarr.open_group(str(path), mode="r")


def scale(path: Path, level: int = 0) -> list[float]:
    steps = made(path).attrs["ome"]["multiscales"][0]["datasets"][level]["coordinateTransformations"]
    found: list[float] = steps[0]["scale"]
    return found


def units(path: Path) -> list[str | None]:
    return [axis.get("unit") for axis in made(path).attrs["ome"]["multiscales"][0]["axes"]]


@pytest.mark.parametrize(
    ("typed", "expected", "recorded"),
    [
        ("0.1", [1, 1, 1, 0.1, 0.1], {"y": 0.1, "x": 0.1}),
        ("0.1x0.2x0.3", [1, 1, 0.3, 0.1, 0.2], {"y": 0.1, "x": 0.2, "z": 0.3}),
    ],
)
def test_a_pixel_size_is_used_where_none_is_told(
    tmp_path: Path, typed: str, expected: list[float], recorded: dict[str, float], here: Run
) -> None:
    source = stack(tmp_path / "x.tif", 2)
    assert statuses(here(source, "--output", tmp_path / "out", "--pixel-size", typed)) == ["done"]
    result = tmp_path / "out" / "x.ome.zarr"
    assert scale(result) == expected
    assert units(result) == [None, None, "micrometer" if "z" in recorded else None, *["micrometer"] * 2]
    assert made(result).attrs["autodip"]["recipe"]["pixel_size_um"] == recorded


def test_a_pixel_size_of_zarr_without_units_scales_all_levels(tmp_path: Path, here: Run) -> None:
    source = write_image(tmp_path / "in.zarr", noisy((1, 64, 64)), "cyx", 2)
    document = json.loads((source / ".zattrs").read_text())
    del document["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    for axis in document["multiscales"][0]["axes"]:
        axis.pop("unit", None)
    (source / ".zattrs").write_text(json.dumps(document))
    assert statuses(here(source, "--output", tmp_path / "out", "--pixel-size", "0.065")) == ["done"]
    assert scale(tmp_path / "out" / "in.zarr") == [1, 0.065, 0.065]


def test_a_pixel_size_that_is_told_stays_and_is_warned_about(tmp_path: Path, here: Run) -> None:
    source = write_pages(tmp_path / "x.ome.tif", noisy((1, 40, 48)), ome_xml([(1, 1, 1, 40, 48)]))
    bare = here(source, "--output", tmp_path / "bare")
    assert statuses(bare) == ["done"]
    said = here(source, "--output", tmp_path / "out", "--pixel-size", "0.1")
    assert statuses(said) == ["done"]
    before, after = scale(tmp_path / "bare" / "x.ome.zarr"), scale(tmp_path / "out" / "x.ome.zarr")
    assert before == [1, 1, 2.0, 1, 0.5]  # x and z are told, y is not
    assert after == [1, 1, 2.0, 0.1, 0.5]
    recipe = made(tmp_path / "out" / "x.ome.zarr").attrs["autodip"]["recipe"]
    assert recipe["pixel_size_um"] == {"y": 0.1}
    warning = "--pixel-size 0.1: the header tells 0.5 micrometer along x, which is kept"
    assert warning in recipe["source"]["warnings"]
    assert warning in planned(source, "--pixel-size", "0.1")["images"][0]["warnings"]
    assert not any("pixel-size" in one for one in planned(source)["images"][0].get("warnings", []))


def test_a_result_of_another_pixel_size_is_not_taken_for_complete(tmp_path: Path, here: Run) -> None:
    source = stack(tmp_path / "x.tif", 1)
    assert statuses(here(source, "--output", tmp_path / "out")) == ["done"]
    again = here(source, "--output", tmp_path / "out", "--pixel-size", "0.1")
    assert statuses(again) == ["failed"]
    assert "pixel_size_um.x: None, now 0.1" in again.stdout
    started = here(source, "--output", tmp_path / "out", "--pixel-size", "0.1", "--overwrite")
    assert statuses(started) == ["done"]
    assert statuses(here(source, "--output", tmp_path / "out", "--pixel-size", "0.10")) == ["unchanged"]


@pytest.mark.parametrize("typed", ["0.1um", "0", "-1", "0.1x0.1", "nan", "", "1x2x3x4", "0,1"])
def test_pixel_sizes_that_are_none_are_refused(tmp_path: Path, typed: str) -> None:
    done = CliRunner().invoke(main, ["plan", str(stack(tmp_path / "x.tif")), f"--pixel-size={typed}"])
    assert done.exit_code == 2
    assert "error: --pixel-size" in done.stderr
    assert "0.1x0.1x0.3 for y, x and z" in done.stderr


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("zyx", [1, 1, 6, 40, 48]),
        ("TYX", [6, 1, 1, 40, 48]),
        ("cyx", [1, 6, 1, 40, 48]),
        ("tz3yx", [2, 1, 3, 40, 48]),
        ("z2t3yx", [3, 1, 2, 40, 48]),
        ("tc1z3yx", [2, 1, 3, 40, 48]),
    ],
)
def test_pages_run_along_the_axes_that_were_given(
    tmp_path: Path, axes: str, shape: list[int], here: Run
) -> None:
    source = stack(tmp_path / "x.tif")
    (image,) = planned(source, "--axes", axes)["images"]
    assert image["shape"] == shape
    assert not any("no header says" in one for one in image.get("warnings", []))
    result = here(source, "--output", tmp_path / "out", "--axes", axes)
    assert statuses(result) == ["done"], result.output
    written = made(tmp_path / "out" / "x.ome.zarr")
    assert list(written["0"].shape) == shape
    assert written.attrs["autodip"]["recipe"]["axes"] == axes.lower()
    means = np.asarray(written["0"]).astype(float).mean((3, 4))
    expected = 40 + 100 * np.arange(6.0)
    steps = {"z2t3yx": means[:, 0, :].T.ravel(), "cyx": means[0, :, 0]}.get(axes, means[:, 0, :].ravel())
    np.testing.assert_allclose(steps, expected, atol=20)


def test_pages_that_nothing_explains_are_warned_about(tmp_path: Path) -> None:
    (image,) = planned(stack(tmp_path / "x.tif"))["images"]
    assert image["warnings"] == [
        "no header says what its 6 pages are: they are taken along z; --axes says it"
    ]
    (image,) = planned(stack(tmp_path / "y.tif", 1))["images"]
    assert "warnings" not in image


@pytest.mark.parametrize("axes", ["tzyx", "tz4yx", "t2z2yx", "t5yx", "t6z2yx"])
def test_axes_that_do_not_fit_are_refused(tmp_path: Path, axes: str) -> None:
    source = stack(tmp_path / "x.tif")
    done = CliRunner().invoke(main, ["plan", str(source), "--axes", axes])
    assert done.exit_code == 2
    assert f"{source}: --axes {axes}: does not fit 6 pages" in done.stdout
    assert "tz5yx for 5 depths at each time point" in done.stdout


@pytest.mark.parametrize("axes", ["yxz", "zzyx", "xy", "", "zyxc", "t0yx", "qyx"])
def test_axes_that_are_none_are_refused(tmp_path: Path, axes: str) -> None:
    done = CliRunner().invoke(main, ["plan", str(stack(tmp_path / "x.tif")), f"--axes={axes}"])
    assert done.exit_code == 2
    assert "error: --axes" in done.stderr


def test_axes_of_a_header_are_not_overruled(tmp_path: Path) -> None:
    told = write_pages(tmp_path / "a.ome.tif", noisy((3, 40, 48)), ome_xml([(1, 1, 3, 40, 48)]))
    tifffile.imwrite(tmp_path / "b.tif", noisy((3, 40, 48)), imagej=True, metadata={"axes": "ZYX"})
    write_image(tmp_path / "c.zarr", noisy((3, 40, 48)), "zyx", 2)
    stack(tmp_path / "d.tif", 3)
    document = planned(tmp_path, "--axes", "tyx")
    assert [Path(image["source"]).name for image in document["images"]] == ["d.tif"]
    assert [Path(skip["source"]).name for skip in document["skipped"]] == ["a.ome.tif", "b.tif", "c.zarr"]
    assert all("the header tells z=3" in skip["reason"] for skip in document["skipped"])
    agreeing = planned(tmp_path, "--axes", "tzyx", "--pixel-size", "0.1")
    assert [Path(image["source"]).name for image in agreeing["images"]] == ["a.ome.tif", "b.tif", "c.zarr"]
    assert statuses_of(told, "zyx") == [[1, 1, 3, 40, 48]]


def statuses_of(source: Path, axes: str) -> list[list[int]]:
    return [image["shape"] for image in planned(source, "--axes", axes)["images"]]


def test_shapes_without_names_take_as_many_axes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", noisy((2, 1, 3, 40, 48)), photometric="minisblack")
    assert statuses_of(tmp_path / "x.tif", "tczyx") == [[2, 1, 3, 40, 48]]
    assert statuses_of(tmp_path / "x.tif", "tzyx") == [[2, 1, 3, 40, 48]]
    assert statuses_of(tmp_path / "x.tif", "ztyx") == [[3, 1, 2, 40, 48]]
    assert statuses_of(tmp_path / "x.tif", "zyx") == []


def test_the_recipe_of_a_result_says_it_again(tmp_path: Path, here: Run) -> None:
    source = stack(tmp_path / "x.tif")
    said = ["--axes", "tz3yx", "--pixel-size", "0.2"]
    assert statuses(here(source, "--output", tmp_path / "out", *said)) == ["done"]
    first = tmp_path / "out" / "x.ome.zarr"
    again = ["denoise", source, "--output", tmp_path / "again", "--recipe", first, "--in-process", "--json"]
    done = CliRunner().invoke(main, [str(one) for one in again], catch_exceptions=False)
    assert statuses(done) == ["done"], done.output
    second = tmp_path / "again" / "x.ome.zarr"
    assert scale(second) == [1, 1, 1, 0.2, 0.2]
    np.testing.assert_array_equal(made(first)["0"], made(second)["0"])


def test_the_axes_of_a_recipe_give_way_to_headers(tmp_path: Path, here: Run) -> None:
    (tmp_path / "in").mkdir()
    told: dict[str, Any] = {"axes": "ZYX"}
    tifffile.imwrite(tmp_path / "in" / "x.tif", noisy((6, 40, 48)), imagej=True, metadata=told)
    stack(tmp_path / "in" / "y.tif", 4)
    stack(tmp_path / "x.tif")
    assert statuses(here(tmp_path / "x.tif", "--output", tmp_path / "out", "--axes", "tyx")) == ["done"]
    recipe = ["--recipe", tmp_path / "out" / "x.ome.zarr"]
    images = planned(tmp_path / "in", *recipe)["images"]
    assert [image["shape"][:3] for image in images] == [[1, 1, 6], [4, 1, 1]]


def test_a_file_of_options_says_it_too(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('pixel-size = 0.25\naxes = "tyx"\n')
    (image,) = planned(stack(tmp_path / "x.tif"), "--config", config)["images"]
    assert image["shape"] == [6, 1, 1, 40, 48]
    assert image["pixel_size"]["x"] == {"value": 0.25, "unit": "micrometer"}
    printed = CliRunner().invoke(main, ["plan", "x", "--config", str(config), "--print-config"])
    assert 'axes = "tyx"' in printed.stdout
    assert 'pixel-size = "0.25"' in printed.stdout


def test_python_and_the_other_commands_know_it(tmp_path: Path, quick_table: str) -> None:
    source = stack(tmp_path / "x.tif")
    choices = Choices(axes="tyx", pixel_size="0.1", table=quick_table)
    assert make_plan(source, choices).images[0].header.size("t") == 6
    header = inspect_sources(source, choices).images[0].header
    assert header is not None
    assert (header.size("t"), header.levels[0].scale[-1]) == (6, 0.1)
    arguments = ["preview", str(source), "--axes", "tyx", "--t", "4", "--table", quick_table]
    picture = ["--picture", str(tmp_path / "p.png")]
    done = CliRunner().invoke(main, [*arguments, *picture], catch_exceptions=False)
    assert done.exit_code == 0, done.output
