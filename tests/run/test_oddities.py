"""Planes that are none or not what they seem: never acquired, saturated, labels, pictures of a palette."""

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

from autodip_zarr.cli import main
from autodip_zarr.errors import AbsentPlaneError
from autodip_zarr.run.execution.statistics import repeated_share, saturated_share
from autodip_zarr.stores import RECORD_FIELDS, read_header, read_planes, read_record

from ..stores.builders import ZarrFormat, ome_xml, only, write_image, write_pages
from .results import Run, statuses

STATUS = RECORD_FIELDS.index("status")


def noisy(shape: tuple[int, ...], mean: float = 40) -> NDArray[Any]:
    return np.random.default_rng(0).poisson(mean, shape).astype("uint16")


def warned(result: Path) -> list[str]:
    """Return the warnings that a result records about its planes."""
    made: Any = zarr.open_group(str(result), mode="r")
    found: list[str] = made.attrs["autodip"]["run"]["warnings"]
    return found


def verified(folder: Path) -> int:
    return CliRunner().invoke(main, ["verify", str(folder)], catch_exceptions=False).exit_code


@pytest.mark.parametrize("first", [0, 2])
def test_planes_without_pages_are_left_empty(tmp_path: Path, first: int, here: Run) -> None:
    """Of four time points of two depths, the header lists pages for three planes."""
    data = noisy((3, 40, 48))
    blocks = f'<TiffData FirstT="{first // 2}" IFD="0" PlaneCount="3"/>'
    source = write_pages(tmp_path / "x.ome.tif", data, ome_xml([(4, 1, 2, 40, 48)], "XYZCT", {0: blocks}))
    header = read_header(only(source))
    (told,) = [one for one in header.warnings if "acquisition ended early" in one]
    assert told.startswith("its header names pages for 3 of 8 planes")
    with pytest.raises(AbsentPlaneError, match="the header names no page for it"):
        read_planes(header, 0, [(3, 1)])
    done = here(source, "--output", tmp_path / "out", "--log-json")
    assert statuses(done) == ["done"], done.output
    news = [
        one["run"] for one in map(json.loads, done.stderr.splitlines()) if "share_done" in one.get("run", {})
    ]
    assert (news[-1]["share_done"], news[-1]["planes_total"], news[-1]["planes_done"]) == (1, 3, 3)
    finished = json.loads(done.stderr.splitlines()[-1])
    assert (finished["planes_copied"], finished["planes_empty"]) == (0, 5)
    result = tmp_path / "out" / "x.ome.zarr"
    status = read_record(str(result))[:, 0, :, STATUS].ravel()
    expected = np.full(8, 3.0)
    expected[first : first + 3] = 1
    np.testing.assert_array_equal(status, expected)
    made: Any = zarr.open_group(str(result), mode="r")
    means = np.asarray(made["0"])[:, 0].mean((2, 3)).ravel()
    np.testing.assert_array_equal(means[status == 3], 0)
    np.testing.assert_allclose(means[status == 1], 40, atol=8)
    assert made.attrs["autodip"]["recipe"]["source"]["warnings"] == [told]
    assert warned(result) == []  # it was told once
    assert verified(tmp_path / "out") == 0
    assert statuses(here(source, "--output", tmp_path / "out")) == ["unchanged"]


def test_pages_that_the_header_does_not_name_are_no_empty_planes(tmp_path: Path, here: Run) -> None:
    """Writers that forget how many pages follow: the others are there, and fail with the reason."""
    text = ome_xml([(1, 1, 3, 40, 48)], "XYZCT", {0: '<TiffData IFD="0"/>'})
    source = write_pages(tmp_path / "x.ome.tif", noisy((3, 40, 48)), text)
    (told,) = [one for one in read_header(only(source)).warnings if "names pages" in one]
    assert (
        told
        == "its header names pages for 1 of 3 planes, and the file has more of them: the others are not read"
    )
    done = here(source, "--output", tmp_path / "out")
    assert statuses(done) == ["partial"]
    assert read_record(str(tmp_path / "out" / "x.ome.zarr"))[0, 0, :, STATUS].tolist() == [1, 0, 0]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_that_were_never_written_are_left_empty(
    tmp_path: Path, zarr_format: ZarrFormat, here: Run
) -> None:
    data = noisy((6, 40, 48))
    source = write_image(tmp_path / "in.zarr", data, "zyx", zarr_format)
    array = zarr.open_array(str(source / "0"), mode="r+")
    array[4:] = 0
    assert statuses(here(source, "--output", tmp_path / "out")) == ["done"]
    result = tmp_path / "out" / "in.zarr"
    assert read_record(str(result))[0, 0, :, STATUS].tolist() == [1, 1, 1, 1, 3, 3]
    made: Any = zarr.open_group(str(result), mode="r")
    np.testing.assert_array_equal(np.asarray(made["0"])[4:], 0)
    (warning,) = [one for one in warned(result) if "fill value" in one]
    assert warning.startswith("2 of 6 planes hold nothing but the fill value in the source")
    assert verified(tmp_path / "out") == 0


def test_fill_values_that_are_no_numbers_are_empty_too(tmp_path: Path, here: Run) -> None:
    data = noisy((3, 40, 48)).astype("float32")
    source = write_image(tmp_path / "in.zarr", data, "zyx", 2)
    document = json.loads((source / "0" / ".zarray").read_text())
    document["fill_value"] = "NaN"
    (source / "0" / ".zarray").write_text(json.dumps(document))
    array = zarr.open_array(str(source / "0"), mode="r+")
    array[2:] = np.nan
    assert statuses(here(source, "--output", tmp_path / "out")) == ["done"]
    result = tmp_path / "out" / "in.zarr"
    assert read_record(str(result))[0, 0, :, STATUS].tolist() == [1, 1, 3]
    made: Any = zarr.open_group(str(result), mode="r")
    assert np.isnan(np.asarray(made["0"])[2]).all()


def test_an_image_that_is_whole_is_not_warned_about(tmp_path: Path, here: Run) -> None:
    source = write_image(tmp_path / "in.zarr", noisy((2, 40, 48)), "zyx", 3)
    assert statuses(here(source, "--output", tmp_path / "out")) == ["done"]
    told = " ".join(warned(tmp_path / "out" / "in.zarr"))
    assert not any(word in told for word in ("fill value", "saturated", "patches"))


@pytest.mark.parametrize(
    ("dtype", "top"),
    [
        ("uint8", 255),
        ("uint16", 65535),
        ("uint16", 4095),
        ("uint16", 1023),
        ("uint16", 65520),
        ("uint16", 16383),
    ],
)
def test_saturated_pixels_are_counted(dtype: str, top: int) -> None:
    step = 16 if top == 65520 else 1
    rng = np.random.default_rng(0)
    values = rng.normal(0.8 * top, 0.15 * top, (200, 200)) // step * step
    plane = np.clip(values, 0, top).astype(dtype)
    share = float((plane == top).mean())
    assert share > 0.05
    assert saturated_share(plane) == pytest.approx(share)
    assert saturated_share(np.clip(values * 0.5, 0, top).astype(dtype)) == 0


def test_planes_that_are_not_saturated_are_not_said_to_be() -> None:
    ramp = np.tile(np.arange(256, dtype="uint8"), (40, 1))
    mask = np.zeros((40, 48), "uint8")
    mask[10:30] = 255
    clipped = np.minimum(noisy((200, 200), 900), 1000)  # at no end of bits
    assert [saturated_share(one) for one in (ramp, mask, clipped, noisy((40, 48)))] == [0, 0, 0, 0]
    assert np.isnan(saturated_share(ramp.astype("float32")))


def test_saturation_is_warned_about(tmp_path: Path, here: Run) -> None:
    plane = np.minimum(noisy((2, 64, 64), 4050), 4095)
    source = write_image(tmp_path / "in.zarr", plane, "cyx", 2)
    assert statuses(here(source, "--output", tmp_path / "out")) == ["done"]
    (warning,) = [one for one in warned(tmp_path / "out" / "in.zarr") if "saturated" in one]
    share = float((plane == 4095).mean((1, 2)).max())
    assert f"2 planes have up to {share:.1%} saturated pixels" in warning


def test_labels_are_warned_about(tmp_path: Path, here: Run) -> None:
    labels = np.zeros((96, 96), "uint16")
    for number in range(16):
        y, x = divmod(number, 4)
        labels[24 * y + 3 : 24 * y + 20, 24 * x + 3 : 24 * x + 20] = 1000 + 37 * number
    assert repeated_share(labels) > 0.9
    assert repeated_share(noisy((96, 96))) < 0.2
    assert repeated_share(noisy((96, 96), 0.3)) < 0.5
    assert np.isnan(repeated_share(np.full((4, 4), 7)))
    source = write_image(tmp_path / "in.zarr", np.stack([noisy((96, 96)), labels]), "cyx", 2)
    assert statuses(here(source, "--output", tmp_path / "out")) == ["done"]
    (warning,) = [one for one in warned(tmp_path / "out" / "in.zarr") if "patches" in one]
    assert warning.startswith("1 planes are made of patches of equal values without noise")


def test_a_palette_under_the_name_of_a_channel_is_warned_about(tmp_path: Path) -> None:
    colors = np.random.default_rng(0).integers(0, 65535, (3, 256)).astype("uint16")
    description = ome_xml([(1, 1, 1, 40, 48)], kind="uint8")
    pixels = noisy((40, 48)).astype("uint8")
    path = tmp_path / "x.ome.tif"
    tifffile.imwrite(
        path, pixels, photometric="palette", colormap=colors, description=description.encode(), metadata=None
    )
    assert any("numbers of colours in a palette" in one for one in read_header(only(path)).warnings)


@pytest.mark.parametrize("preset", ["reference", "standard"])
def test_an_offset_of_the_camera_changes_nothing_but_itself(tmp_path: Path, preset: str, here: Run) -> None:
    """Planes are scaled by their own range: 100 counts more come out as 100 counts more."""
    data = noisy((1, 64, 64)).astype("float32")
    for name, offset in (("a", 0), ("b", 128)):
        source = write_image(tmp_path / f"{name}.zarr", data + np.float32(offset), "cyx", 2)
        arguments = [source, "--output", tmp_path / "out", "--preset", preset]
        assert statuses(here(*arguments)) == ["done"]
    made = [np.asarray(zarr.open_group(str(tmp_path / "out" / f"{one}.zarr"), mode="r")["0"]) for one in "ab"]
    np.testing.assert_allclose(made[1] - made[0], 128, atol=0.5)
