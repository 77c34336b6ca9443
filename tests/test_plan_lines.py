"""Plans as people read them: grouped on a terminal, a line an image in a pipe, warnings once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.report.plans import plan_lines
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.plan import Planning

from .samples import write_archive
from .stores.builders import pixels, write_image


def lines(*sources: Path, piped: bool = False, width: int | None = None) -> list[str]:
    planning = Planning([str(one) for one in sources], Choices())
    return list(plan_lines(planning, one_line_an_image=piped, width=width))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A few images of two kinds, with names longer than any terminal is wide."""
    write_archive(tmp_path / "archive")
    long = tmp_path / "archive" / ("very " * 30 + "long name")
    for number in range(3):
        write_image(long / f"{number}.zarr", pixels((1, 40, 50), seed=number), "cyx", 3)
    return tmp_path / "archive"


def test_images_that_share_their_channels_stand_together(archive: Path) -> None:
    told = lines(archive)
    heading = told[0].split()
    assert heading[:4] == ["channel", "microscope", "specimen", "matched"]
    first = next(index for index, line in enumerate(told) if line.startswith("  a/stack.ome.tif"))
    assert told[first - 1].split()[:3] == ["DAPI", "widefield", "nucleus"]
    assert told[first + 1].startswith("  b/lapse.ome.zarr")
    assert sum("very long name/1.zarr" in line for line in told) == 1, "paths are never cut"


@pytest.mark.parametrize("width", [80, 140])
def test_a_terminal_gets_what_fits_into_it(archive: Path, width: int) -> None:
    told, whole = lines(archive, width=width), lines(archive)
    images = [line for line in whole if line.startswith("  ") and "cost" in line]
    assert [line for line in told if line in images] == images, "names of images are never folded"
    assert max(len(line) for line in told if line not in images) <= width
    assert ("matched by" in told[0]) == (width == 140)
    words = " ".join(told).split()
    for line in whole[len(images) + 4 :]:
        if line.startswith(("warning", "skipped", "error", "matched")):
            assert " ".join(line.split()) in " ".join(words)


def test_a_pipe_gets_one_line_an_image(archive: Path) -> None:
    done = CliRunner().invoke(main, ["plan", str(archive)])
    rows = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    assert len(rows) == 6
    by_name = {row[0]: row[1:] for row in rows}
    planes, cost, channels = by_name["a/two.zarr"]
    assert planes == "2 planes"
    assert cost.startswith("cost ")
    assert channels.startswith("DAPI widefield nucleus microscope+specimen widefield+nucleus 8/asc/4/")
    assert "; MitoTracker Red confocal mito" in channels


def test_warnings_stand_once_with_their_count(archive: Path) -> None:
    warnings = [line for line in lines(archive) if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert "only the average over all calibration images matched" in warnings[0]
    assert warnings[0].endswith("(and 2 more like it)")


def test_tiers_are_counted(archive: Path) -> None:
    told = lines(archive)
    assert "matched by microscope+specimen: 4 channels of 3 images" in told
    assert "matched by nothing: 3 channels of 3 images; the average of the table is taken" in told
    planned = json.loads(CliRunner().invoke(main, ["plan", str(archive), "--json"]).stdout)
    assert planned["totals"]["tiers"] == {
        "microscope+specimen": {"channels": 4, "images": 3},
        "global": {"channels": 3, "images": 3},
    }


def test_sources_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_image(tmp_path / name / "x.zarr", pixels((1, 40, 50)), "cyx", 3)
    told = "\n".join(lines(tmp_path / "one", tmp_path / "two", piped=True))
    assert "one/x.zarr\t" in told
    assert "two/x.zarr\t" in told


def test_what_is_odd_about_a_header_reaches_the_plan(tmp_path: Path) -> None:
    for number in range(3):
        path = write_image(tmp_path / f"{number}.zarr", pixels((1, 40, 50)), "cyx", 2)
        document = json.loads((path / ".zattrs").read_text())
        dataset = document["multiscales"][0]["datasets"][0]
        dataset["coordinateTransformations"][0]["scale"] = [1, 0, 0.5 + number]
        (path / ".zattrs").write_text(json.dumps(document))
    (told,) = [line for line in lines(tmp_path) if "makes no sense" in line]
    assert told.startswith("warning: 0.zarr: 0: the coordinate transformation")
    assert told.endswith("(and 2 more like it)")
    planned = json.loads(CliRunner().invoke(main, ["plan", str(tmp_path), "--json"]).stdout)
    assert ["makes no sense" in image["warnings"][0] for image in planned["images"]] == [True] * 3


def test_json_tells_how_images_were_read(archive: Path) -> None:
    for command in ("plan", "inspect"):
        done = json.loads(CliRunner().invoke(main, [command, str(archive / "a"), "--json"]).stdout)
        (stack,) = [one for one in done["images"] if one["source"].endswith("stack.ome.tif")]
        assert (stack["axes"], stack["dtype"], len(stack["shape"])) == ("tczyx", "uint16", 5)
        assert stack["levels"] == [stack["shape"]]
        assert set(stack["pixel_size"]) == set("tzyx")


def test_what_is_skipped_is_named_by_its_path_alone(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.zarr", pixels((1, 40, 50)), "cyx", 2)
    (path / ".zattrs").write_text(json.dumps({"multiscales": [{"datasets": []}]}))
    done = CliRunner().invoke(main, ["plan", str(tmp_path), "--json"])
    (skip,) = json.loads(done.stdout)["skipped"][:1]
    assert skip["source"] == str(path)
    assert skip["at"] == f"{path}: multiscales[0].datasets"
