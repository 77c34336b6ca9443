"""Results as OME-TIFF: every level, every name, checked with tifffile, ome-types and the program itself."""

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
from ome_types import from_xml

from autodip_zarr.cli import main
from autodip_zarr.run.results.export import Exported, check_exported, export_results

from ..stores.builders import ome_xml, write_image, write_pages, write_plate
from .results import Run, statuses


@pytest.fixture
def here(quick_table: str) -> Run:
    """Run ``denoise --in-process``, with networks that fit in milliseconds."""

    def invoke(*arguments: object) -> Result:
        fixed = ["--table", quick_table, "--in-process", "--preset", "reference", "--json"]
        return CliRunner().invoke(main, ["denoise", *map(str, arguments), *fixed], catch_exceptions=False)

    return invoke


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)], catch_exceptions=False)


def exported(folder: Path, output: Path, tile_px: int = 512) -> Exported:
    """Export the one result of a folder."""
    (made,) = export_results(folder, output, tile_px=tile_px)
    assert isinstance(made, Exported), made
    return made


def noisy(shape: tuple[int, ...], dtype: str = "uint16") -> NDArray[Any]:
    return np.random.default_rng(0).poisson(40, shape).astype(dtype)


INSTRUMENT = (
    '<Instrument ID="Instrument:0"><Microscope Model="LSM 880" Manufacturer="Zeiss"/>'
    '<Objective ID="Objective:0" LensNA="1.4" NominalMagnification="63"/></Instrument>'
)


def test_an_ome_tiff_becomes_an_ome_tiff_again(tmp_path: Path, here: Run) -> None:
    header = ome_xml([(2, 2, 3, 300, 520)]).replace("<Image ", f"{INSTRUMENT}<Image ", 1)
    header = header.replace("<Pixels ", '<InstrumentRef ID="Instrument:0"/><Pixels ', 1)
    header = header.replace('Name="ch0"', 'Name="DAPI"', 1)
    write_pages(tmp_path / "in" / "x.ome.tif", noisy((12, 300, 520)), header)
    assert statuses(here(tmp_path / "in", "--output", tmp_path / "out", "--channels", "DAPI")) == ["done"]
    done = call(tmp_path / "out", "--output", tmp_path / "tif", "--tile", "256")
    assert done.exit_code == 0, done.output
    (path,) = (tmp_path / "tif").iterdir()
    assert path.name == "x.ome.tif"
    result: Any = zarr.open_group(str(tmp_path / "out" / "x.ome.zarr"), mode="r")
    with tifffile.TiffFile(path) as tif:
        assert tif.is_ome
        series = tif.series[0]
        assert series.axes == "TCZYX"
        assert [level.shape for level in series.levels] == [result[str(n)].shape for n in range(3)]
        for number, level in enumerate(series.levels):
            np.testing.assert_array_equal(level.asarray(), np.asarray(result[str(number)]))
        page: Any = tif.pages[0]
        assert (page.tile, page.compression.name) == ((256, 256), "ADOBE_DEFLATE")
        ome: Any = from_xml(tif.ome_metadata or "")
    pixels = ome.images[0].pixels
    assert (pixels.physical_size_x, pixels.physical_size_x_unit.value) == (0.5, "\u00b5m")
    assert (pixels.physical_size_z, pixels.physical_size_z_unit.value) == (2.0, "\u00b5m")
    assert [channel.name for channel in pixels.channels] == ["DAPI", "ch1"]
    assert ome.instruments[0].microscope.model == "LSM 880"
    (note,) = [one for one in ome.structured_annotations if "autodip" in str(one.namespace)]
    told = dict(note.value)
    assert told["channel 0 DAPI"].startswith("denoised with 2/4/4/")
    assert told["channel 1 ch1"].startswith("copied: ")
    assert check_exported(str(path)) == []


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float16", "uint32"])
def test_pixel_types(tmp_path: Path, dtype: str, here: Run) -> None:
    write_image(tmp_path / "x.zarr", noisy((2, 70, 90), dtype), "cyx", 2)
    assert statuses(here(tmp_path / "x.zarr", "--output", tmp_path / "out", "--channels", "0")) == ["done"]
    made = exported(tmp_path / "out", tmp_path / "tif", 64)
    assert made.status == "written", made
    expected = np.asarray(zarr.open_array(str(tmp_path / "out" / "x.zarr" / "0"), mode="r"))
    found = tifffile.imread(made.path)
    assert found.dtype == ("float32" if dtype == "float16" else dtype)
    np.testing.assert_array_equal(found, expected)
    assert check_exported(made.path) == []


def test_plates_give_a_file_a_field(tmp_path: Path, here: Run) -> None:
    write_plate(tmp_path / "plate.zarr", 3)
    assert set(statuses(here(tmp_path / "plate.zarr", "--output", tmp_path / "out"))) == {"done"}
    assert call(tmp_path / "out", "--output", tmp_path / "tif").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "tif").iterdir())
    assert names == [f"plate_{well}_{n}.ome.tif" for well in ("A_1", "B_2") for n in range(2)]


@pytest.mark.parametrize("level", [0, 1])
def test_what_is_there_and_whole_is_kept(tmp_path: Path, here: Run, level: int) -> None:
    write_pages(tmp_path / "x.ome.tif", noisy((1, 300, 280)), ome_xml([(1, 1, 1, 300, 280)]))
    here(tmp_path / "x.ome.tif", "--output", tmp_path / "out")
    made = exported(tmp_path / "out", tmp_path / "tif")
    before = Path(made.path).read_bytes()
    again = exported(tmp_path / "out", tmp_path / "tif")
    assert again.status == "kept"
    with tifffile.TiffFile(made.path) as tif:
        page = tif.series[0].levels[level].pages[0]
        assert isinstance(page, tifffile.TiffPage)
        middle = page.dataoffsets[0] + page.databytecounts[0] // 2
    damaged = bytearray(before)
    damaged[middle] ^= 0x10
    Path(made.path).write_bytes(damaged)
    assert check_exported(made.path) != []
    mended = exported(tmp_path / "out", tmp_path / "tif")
    assert mended.status == "written"
    assert Path(made.path).read_bytes() == before
    assert [path.name for path in (tmp_path / "tif").iterdir()] == ["x.ome.tif"]


def test_what_is_no_result_is_told(tmp_path: Path) -> None:
    write_image(tmp_path / "x.zarr", noisy((1, 70, 90)), "cyx", 2)
    done = call(tmp_path, "--output", tmp_path / "tif")
    assert done.exit_code == 2
    assert "holds no result of this program" in done.stderr
    assert call(tmp_path, "--output", tmp_path / "tif", "--tile", "100").exit_code == 2


def test_results_of_one_name_in_several_folders_give_a_file_each(tmp_path: Path, here: Run) -> None:
    for folder, value in (("a", 10), ("b", 90)):
        pixels = noisy((1, 70, 90)) + np.uint16(value)
        write_pages(tmp_path / "in" / folder / "x.ome.tif", pixels, ome_xml([(1, 1, 1, 70, 90)]))
    here(tmp_path / "in", "--output", tmp_path / "out")
    assert call(tmp_path / "out", "--output", tmp_path / "tif").exit_code == 0
    for folder in ("a", "b"):
        made = tifffile.imread(tmp_path / "tif" / folder / "x.ome.tif")
        result = zarr.open_array(str(tmp_path / "out" / folder / "x.ome.zarr" / "0"), mode="r")
        np.testing.assert_array_equal(made, np.asarray(result).reshape(made.shape))


def test_two_results_that_come_to_one_name_are_told(tmp_path: Path, here: Run) -> None:
    write_image(tmp_path / "in" / "x.zarr", noisy((1, 70, 90)), "cyx", 2)
    write_image(tmp_path / "in" / "x.ome.zarr", noisy((1, 70, 90)), "cyx", 2)
    here(tmp_path / "in", "--output", tmp_path / "out")
    done = call(tmp_path / "out", "--output", tmp_path / "tif")
    assert done.exit_code == 1
    assert "is exported under this name" in done.output
    assert [path.name for path in (tmp_path / "tif").iterdir()] == ["x.ome.tif"]


def test_a_result_that_was_made_anew_is_exported_anew(tmp_path: Path, here: Run) -> None:
    write_image(tmp_path / "x.zarr", noisy((1, 70, 90)), "cyx", 2)
    here(tmp_path / "x.zarr", "--output", tmp_path / "out")
    before = Path(exported(tmp_path / "out", tmp_path / "tif").path).read_bytes()
    here(tmp_path / "x.zarr", "--output", tmp_path / "out", "--overwrite", "--seed", "5")
    made = exported(tmp_path / "out", tmp_path / "tif")
    assert made.status == "written"
    assert Path(made.path).read_bytes() != before
    assert exported(tmp_path / "out", tmp_path / "tif").status == "kept"


@pytest.mark.parametrize("content", [b"no image at all", None])
def test_files_of_others_are_never_replaced(tmp_path: Path, here: Run, content: bytes | None) -> None:
    path = tmp_path / "in" / "x.ome.tif"
    write_pages(path, noisy((1, 70, 90)), ome_xml([(1, 1, 1, 70, 90)]))
    here(path, "--output", tmp_path / "out")
    if content is not None:
        path.write_bytes(content)
    before = path.read_bytes()
    done = call(tmp_path / "out", "--output", tmp_path / "in", "--overwrite")
    assert done.exit_code == 1
    assert "is not a file that this program exported" in done.output
    assert path.read_bytes() == before


def test_a_run_leaves_ome_tiff_and_goes_on(tmp_path: Path, here: Run) -> None:
    header = ome_xml([(1, 1, 1, 70, 90), (1, 1, 2, 70, 90)])
    write_pages(tmp_path / "in" / "a" / "x.ome.tif", noisy((3, 70, 90)), header)
    write_image(tmp_path / "in" / "y.zarr", noisy((1, 70, 90)), "cyx", 2)
    command = (tmp_path / "in", "--output", tmp_path / "out", "--format", "ome-tiff")
    first = here(*command)
    assert first.exit_code == 0, first.stderr
    files = ["a/x_0.ome.tif", "a/x_1.ome.tif", "y.ome.tif"]
    told = json.loads(first.stdout)["exported"]
    assert [(one["path"], one["status"]) for one in told] == [
        (str(tmp_path / "out" / name), "written") for name in files
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "ome-zarr", "y.ome.tif"]
    assert all(check_exported(str(tmp_path / "out" / name)) == [] for name in files)
    (tmp_path / "out" / "y.ome.tif").unlink()
    again = here(*command, "--log-json")
    events = [json.loads(line) for line in again.stderr.splitlines()]
    told = [(one["path"], one["status"]) for one in events if one["event"] == "export"]
    assert told == [(one["path"], one["status"]) for one in json.loads(again.stdout)["exported"]]
    assert set(statuses(again)) == {"unchanged"}
    assert [one["status"] for one in json.loads(again.stdout)["exported"]] == ["kept", "kept", "written"]
    grown = here(tmp_path / "out", "--output", tmp_path / "twice")  # nobody denoises twice by accident
    assert json.loads(grown.stdout)["images"] == []


@pytest.mark.parametrize("output", ["out", "./sub/../out/", "file://{}/out"])
def test_both_formats_lie_side_by_side(
    tmp_path: Path, here: Run, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "x.zarr", noisy((1, 70, 90)), "cyx", 2)
    done = here("x.zarr", "--output", output.format(tmp_path), "--format", "both")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert [one["target"] for one in told["exported"]] == [one["target"] for one in told["images"]]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["x.ome.tif", "x.zarr"]


def test_a_file_that_cannot_be_written_is_told_and_the_others_are(tmp_path: Path, here: Run) -> None:
    for name in ("x.zarr", "y.zarr"):
        write_image(tmp_path / "in" / name, noisy((1, 70, 90)), "cyx", 2)
    (tmp_path / "out" / "x.ome.tif").mkdir(parents=True)
    done = here(tmp_path / "in", "--output", tmp_path / "out", "--format", "both")
    assert done.exit_code == 1
    assert [one["status"] for one in json.loads(done.stdout)["exported"]] == ["failed", "written"]
    assert set(statuses(done)) == {"done"}


@pytest.mark.parametrize("where", [("--write-back",), ("--output", "s3://bucket/results")])
def test_ome_tiff_needs_a_folder_on_this_machine(tmp_path: Path, where: tuple[str, ...], here: Run) -> None:
    write_image(tmp_path / "x.zarr", noisy((1, 70, 90)), "cyx", 2)
    done = here(tmp_path / "x.zarr", *where, "--format", "both")
    assert done.exit_code == 2
    assert "--format" in done.stderr
