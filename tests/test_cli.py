"""The command line as people and programs use it: documents, exit codes, and what it must not load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from autodip_zarr.cli import main
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from .samples import make_sample, write_archive


def call(*arguments: object) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("command", [["--help"], ["plan", "ARCHIVE"], ["inspect", "ARCHIVE", "--json"]])
def test_planning_loads_neither_torch_nor_torchvision(command: list[str], tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive")
    arguments = [str(archive) if part == "ARCHIVE" else part for part in command]
    script = (
        "import sys\n"
        "from autodip_zarr.cli import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "sys.exit([name for name in ('torch', 'torchvision', 'dask', 'lpips') if name in sys.modules] or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_engine_needs_only_torch_and_numpy() -> None:
    script = (
        "import sys\n"
        "import autodip_zarr.dip.planes.denoise\n"
        "names = ('zarr', 'dask', 'tifffile', 'ome_types', 'skimage', 'click', 'rich', 'torchvision')\n"
        "sys.exit([n for n in names if n in sys.modules] or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["plan", "denoise", "inspect", "preview", "verify", "report", "remove"])
def test_a_command_without_a_source_says_what_is_missing(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autodip_zarr", command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Missing argument" in done.stderr


def test_plan_document(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive")
    code, out, _ = call("plan", archive, "--output", tmp_path / "out", "--json")
    assert code == 0
    document = json.loads(out)
    assert document.keys() == {"images", "skipped", "totals"}
    assert (document["totals"]["images"], document["totals"]["planes"]) == (3, 7)
    stack, two, lapse = document["images"]
    how = {"axes", "shape", "dtype", "pixel_size", "levels"}
    assert stack.keys() == {"source", "target", "channels", *how}
    assert stack["source"] == str(archive / "a/stack.ome.tif")
    assert stack["target"] == str(tmp_path / "out/a/stack.ome.zarr")
    assert lapse["channels"][0]["planes"] == 2
    dapi, mito = two["channels"]
    assert dapi.keys() == {
        "index",
        "name",
        "microscope",
        "specimen",
        "tier",
        "group",
        "config",
        "planes",
        "relative_cost",
        "warnings",
    }
    assert dapi["config"] == {"depth": 8, "width": "asc", "skip": 4, "iterations": 300}
    assert (mito["microscope"], mito["specimen"]) == ("confocal", "mito")
    assert mito["config"] == {"depth": 5, "width": 128, "skip": 4, "iterations": 1300}
    assert mito["relative_cost"] > 20 * dapi["relative_cost"] > 0


def test_overrides_and_metrics_change_the_group(tmp_path: Path) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x"))
    options = ["--microscope", "two-photon", "--specimen", "nuclei", "--metric", "psnr"]
    _, out, _ = call("plan", source, *options, "--json")
    (channel,) = json.loads(out)["images"][0]["channels"]
    assert channel["group"] == "twophoton+nucleus"
    assert channel["config"] == {"depth": 5, "width": 32, "skip": 4, "iterations": 400}


def test_a_required_tier_turns_a_global_match_into_a_skip(tmp_path: Path) -> None:
    source = tmp_path / "x.ome.tif"
    sample = make_sample("x")
    write_sample_tiff(source, sample)
    code, out, _ = call("plan", source, "--microscope", "light sheet", "--json")
    (channel,) = json.loads(out)["images"][0]["channels"]
    assert (code, channel["tier"], channel["group"]) == (0, "global", "global")
    assert channel["warnings"]
    code, out, _ = call(
        "plan", source, "--microscope", "light sheet", "--require-tier", "microscope", "--json"
    )
    document = json.loads(out)
    assert (code, document["images"]) == (0, [])
    assert "tier" in document["skipped"][0]["reason"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--microscope", "telescope"],
        ["--metric", "beauty"],
        ["--tile", "32", "--halo", "32"],
        ["--z", "first"],
        ["--require-tier", "best"],
        ["--output", "o", "--write-back"],
        ["--output", "o", "--suffix", "dip"],
        *(["--write-back", "--suffix", name] for name in ("", "1", "a/b", "..", "labels", "OME", "a_b")),
        ["--write-back", "--suffix", "x" * 65],
        ["--dtype", "int7"],
        ["--table", "no-such-table.json"],
        ["--preset", "fancy"],
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], tmp_path: Path) -> None:
    source = tmp_path / "x.ome.tif"
    write_sample_tiff(source, make_sample("x"))
    code, _, err = call("plan", source, *arguments)
    assert code == 2, err
    assert arguments[0] in err or arguments[-1] in err


def test_denoise_needs_a_destination(tmp_path: Path) -> None:
    code, _, err = call("denoise", tmp_path)
    assert code == 2
    assert "--output" in err


def test_inspect_document_of_an_image_and_of_a_bare_header(tmp_path: Path) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x", (1, 2, 1, 8, 8)), "0.4")
    code, out, _ = call("inspect", source, "--json")
    assert code == 0
    (image,) = json.loads(out)["images"]
    assert image["source"] == str(source)
    dapi, _ = image["channels"]
    assert (dapi["microscope"], dapi["specimen"], dapi["organism"]) == ("widefield", "nucleus", None)
    evidence = dapi["evidence"][0]
    assert evidence.keys() == {"field", "value", "source", "raw", "trust"}
    code, out, _ = call("inspect", source / "OME/METADATA.ome.xml", "--json")
    assert code == 0
    assert json.loads(out)["images"][0]["channels"][0]["specimen"] == "nucleus"


def test_inspect_of_what_is_no_header(tmp_path: Path) -> None:
    bad = tmp_path / "bad.ome.xml"
    bad.write_text("<html/>")
    code, _, err = call("inspect", bad)
    assert code == 2
    assert str(bad) in err


def test_preview_writes_a_picture_and_says_how_long_it_takes(tmp_path: Path, quick_table: str) -> None:
    source, picture = tmp_path / "x.ome.tif", tmp_path / "p.png"
    write_sample_tiff(source, make_sample("x", (1, 2, 3, 40, 48)))
    where = ["--channel", "DAPI", "--z", 1, "--crop", "4,8,20,30"]
    code, out, _ = call("preview", source, *where, "--picture", picture, "--table", quick_table)
    assert code == 0
    assert "widefield+nucleus" in out
    assert "20 x 30 pixels took" in out
    with Image.open(picture) as image:
        assert image.width == 3 * 30 + 2 * 4
    code, _, err = call("preview", source, "--channel", "0", "--crop", "30,0,20,20", "--table", quick_table)
    assert code == 2
    assert "--crop" in err


def test_demo_shows_numbers_and_a_picture(tmp_path: Path, quick_table: str) -> None:
    code, out, _ = call("demo", "--output", tmp_path / "demo", "--workers", 1, "--table", quick_table)
    assert code == 0
    assert "PSNR before" in out
    assert "global" in out
    with Image.open(tmp_path / "demo/before-and-after.png") as image:
        assert image.height > 500


def test_verify_of_something_else_is_not_whole(tmp_path: Path) -> None:
    code, out, _ = call("verify", tmp_path, "--json")
    assert code == 1
    assert json.loads(out)["images"][0]["status"] == "unreadable"


@pytest.mark.parametrize("arguments", [["--help"], ["denoise", "--help"], ["plan", "--no-such-option"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = """
import sys
from autodip_zarr.cli import main
try:
    main(sys.argv[1:])
finally:
    heavy = ("numpy", "torch", "zarr", "dask", "tifffile", "fsspec")
    loaded = [name for name in heavy if name in sys.modules]
    assert not loaded, loaded
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert "AssertionError" not in done.stderr, done.stderr
