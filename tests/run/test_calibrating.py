"""`calibrate` as people use it: planned, measured, killed, gone on with, joined, chosen, applied."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from scipy.ndimage import gaussian_filter

import autodip_zarr
from autodip_zarr import Choices, Grid, Machine
from autodip_zarr.calibration import load_table
from autodip_zarr.dip.planes.denoise import denoise_plane
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import DipConfig
from autodip_zarr.metrics import score
from autodip_zarr.stores import read_image, write_image
from autodip_zarr.stores.frames import Frames, read_frames

from ..metrics.test_metrics import network_through
from ..pages import check_page
from ..test_cli import call

GRID = ["--depths", "2,3", "--widths", "4", "--skips", "0,4", "--preset", "reference"]
STOPS = ["--stops", "4,8,12", "--crop", "40"]
HERE = ["--in-process"]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the tests of this file from the network, and without the weights of LPIPS."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-weights"))
    network_through(9, monkeypatch)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two captures of each of two fields, as folders and list."""
    random = np.random.default_rng(4)
    lines = ["noisy,clean,microscope,specimen,field"]
    for number in range(2):
        clean = 20 + 500 * gaussian_filter(random.random((48, 56)), 3)
        write_image(str(tmp_path / f"clean{number}.png"), clean.astype(np.uint16))
        for capture in range(2):
            name = f"noisy{number}_{capture}.png"
            write_image(str(tmp_path / name), random.poisson(clean).astype(np.uint16))
            lines.append(f"{name},clean{number}.png,confocal,nucleus,field{number}")
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def calibrate(*arguments: object) -> tuple[int, str, str]:
    return call("calibrate", *arguments, *GRID, *STOPS, *HERE)


def test_a_table_is_made_and_tells_what_it_rests_on(pairs: Path, tmp_path: Path) -> None:
    table = tmp_path / "out" / "ours.json"
    page = tmp_path / "page.html"
    code, out, err = calibrate(pairs, "--output", table, "--seeds", "2", "--page", page)
    assert code == 0, err
    text, plots = check_page(page.read_text(encoding="utf-8"))
    assert plots == 4 * (3 + 2), "a heat map for each number of skip channels"
    assert "confocal+nucleus" in text
    assert "pairs: 4 of 2 fields" in err
    assert "left to measure: 32 of 32 fits, about" in err
    assert "warning: no LPIPS" in err
    assert "32/32" in err
    made = load_table(str(table))
    assert [dict(entry.group) for entry in made.entries] == [
        {"microscope": "confocal", "specimen": "nucleus"},
        {"microscope": "confocal"},
        {"specimen": "nucleus"},
        {},
    ]
    assert {entry.metric for entry in made.entries} == {"cheapest"}
    (measured,) = made.measured
    assert (measured.preset, measured.crop_px, measured.seeds, measured.device) == (
        "reference",
        40,
        (0, 1),
        "cpu",
    )
    assert measured.grid.stops == (4, 8, 12)
    assert {pair.field for pair in measured.pairs} == {"field0", "field1"}
    found = made.entries[0].found
    assert found is not None
    assert found.fields == 2
    assert found.left_out_db is not None
    assert f"{found.left_out_db:.2f}" in out.splitlines()[1]
    dataset = xarray.open_zarr(tmp_path / "out" / "ours.zarr")
    assert dict(dataset.sizes) == {
        "pair": 4,
        "seed": 2,
        "depth": 2,
        "width": 1,
        "skip": 2,
        "stop": 3,
        "output": 3,
    }
    assert np.isfinite(dataset["psnr"]).all()
    assert np.isnan(dataset["lpips"]).all()
    assert dataset["field"].to_numpy().tolist() == ["field0", "field0", "field1", "field1"]
    assert (dataset["noise_std"] > 0).all()
    last, preset = (dataset["psnr"].sel(output=name) for name in ("last", "preset"))
    assert (last == preset).all(), "what reference takes is the last output"
    code, out, err = call(
        "evaluate",
        "--noisy",
        tmp_path / "noisy0_0.png",
        "--clean",
        tmp_path / "clean0.png",
        "--method",
        "reference",
        "--table",
        table,
        "--microscope",
        "confocal",
        "--json",
    )
    assert code == 0, err
    assert json.loads(out)["pairs"][0]["microscope"] == "confocal"


def test_each_number_is_that_of_a_fit_of_its_own(pairs: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.json"
    assert calibrate(pairs, "--output", table, "--seed", "3")[0] == 0
    dataset = xarray.open_zarr(tmp_path / "t.zarr")
    noisy, clean = (read_image(str(tmp_path / name)) for name in ("noisy1_1.png", "clean1.png"))
    crop = slice(0, 40), slice(0, 40)
    recipe = preset_recipe("reference", seed=3, precision="float32")
    job = FitJob(DipConfig(3, 4, 0, 8), recipe, "cpu")
    alone = denoise_plane(noisy[crop], job, (0, 0, 0, 0)).plane
    expected = score(alone, clean[crop], noisy[crop])
    found = dataset.sel(pair="noisy1_1.png", seed=3, depth=3, width="4", skip=0, stop=8, output="preset")
    assert float(found["psnr"]) == pytest.approx(expected.psnr, abs=1e-5)
    assert float(found["psnr_range255"]) == pytest.approx(expected.psnr_data_range, abs=1e-5)
    assert float(found["ssim"]) == pytest.approx(expected.ssim, abs=1e-5)


def test_planning_reads_no_torch_and_fits_nothing(pairs: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from autodip_zarr.cli import main\n"
        f"main({['calibrate', str(pairs), '--output', str(tmp_path / 't.json'), '--plan', '--json']!r},"
        " standalone_mode=False)\n"
    )
    check = "except SystemExit:\n    pass\nsys.exit('torch' in sys.modules)\n"
    body = script.replace("main([", "try:\n    main([", 1)
    done = subprocess.run([sys.executable, "-c", body + check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["fits"] == document["fits_left"] == 4 * 70
    assert document["grid"]["stops"] == [25, 50, 75, 100, 125, 150], "of the preset standard"
    assert document["hours_left"] > 1
    assert not (tmp_path / "t.json").exists()


def test_a_second_run_does_what_is_left_and_nothing_more(pairs: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.json"
    assert calibrate(pairs, "--output", table)[0] == 0
    journal = tmp_path / "t.measured.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    assert len(lines) == 16
    entries = load_table(str(table)).entries
    code, _, err = calibrate(pairs, "--output", table)
    assert code == 0, err
    assert "16 of them for LPIPS alone" in err
    assert journal.read_text().splitlines(keepends=True) == lines
    journal.write_text("".join(lines[:9]) + lines[9][:40])  # as a kill leaves it
    code, _, err = calibrate(pairs, "--output", table)
    assert code == 0
    assert "7/7, " in err
    assert load_table(str(table)).entries == entries
    code, _, err = call(
        "calibrate", pairs, "--output", table, *GRID, "--stops", "4,16", "--crop", "40", *HERE
    )
    assert code == 0
    assert "16/16" in err, "a stop that was not measured"
    assert load_table(str(table)).measured[0].grid.stops == (4, 16)
    assert "16 of them for LPIPS alone" in calibrate(pairs, "--output", table)[2], "those before are kept"
    journal.write_text("no record\n" + "".join(lines))
    code, _, err = calibrate(pairs, "--output", table)
    assert code == 1
    assert "t.measured.jsonl, line 1: no record" in err


@pytest.mark.soak
def test_a_run_that_is_killed_keeps_what_it_has_measured(pairs: Path, tmp_path: Path) -> None:
    table, journal = tmp_path / "t.json", tmp_path / "t.measured.jsonl"
    slow = ["--stops", "120", "--crop", "40"]
    command = [sys.executable, "-m", "autodip_zarr", "calibrate", str(pairs), "--output", str(table)]
    process = subprocess.Popen([*command, *GRID, *slow, *HERE], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2) and time.monotonic() < until:
        time.sleep(0.05)
    other = call("calibrate", pairs, "--output", table, *GRID, *slow, *HERE)
    assert other[0] == 1
    assert "another run is at work on it" in other[2]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = journal.read_bytes().count(b"\n")
    assert 2 <= done < 16
    code, _, err = call("calibrate", pairs, "--output", table, *GRID, *slow, *HERE)
    assert code == 0, err
    assert f"{16 - done}/{16 - done}, " in err


@pytest.mark.soak
def test_ctrl_c_writes_what_was_measured(pairs: Path, tmp_path: Path) -> None:
    table, journal = tmp_path / "t.json", tmp_path / "t.measured.jsonl"
    command = [sys.executable, "-m", "autodip_zarr", "calibrate", str(pairs), "--output", str(table)]
    options = [*GRID, "--stops", "60", "--crop", "40", *HERE]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 5) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "the same command goes on where it stopped" in err
    dataset = xarray.open_zarr(tmp_path / "t.zarr")
    assert int(dataset["psnr"].sel(output="preset").notnull().sum()) >= 5
    assert load_table(str(table)).entries[-1].images == 4, "of the networks that all pairs have"


def test_no_fit_is_begun_that_would_end_after_the_hours(pairs: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.json"
    code, _, err = calibrate(pairs, "--output", table, "--hours", "1e-9")
    assert code == 1
    assert "no table: nothing was measured" in err
    assert "16 fits are left" in err
    assert not table.exists()
    assert calibrate(pairs, "--output", table, "--hours", "1")[0] == 0


@pytest.mark.soak
def test_rungs_drop_networks_where_they_agree(pairs: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.json"
    grid = [
        "--depths",
        "1,2,3",
        "--widths",
        "4,72",
        "--skips",
        "0,4",
        "--preset",
        "reference",
        "--stops",
        "6,12",
    ]
    command = ["calibrate", pairs, "--output", table, *grid, "--rungs", "24,40", "--seeds", "2", *HERE]
    code, out, err = call(*command, "--plan")
    assert code == 0
    assert "left to measure: at most 144 of 144 fits" in out, "12 networks, 4 pairs, 1 and 2 seeds"
    code, _, err = call(*command)
    assert code == 0, err
    (said,) = [line for line in err.splitlines() if "Kendall" in line]
    assert "rungs of 24 and 40 px: Kendall's tau" in said
    assert "on 2 pairs; " in said
    dataset = xarray.open_zarr(tmp_path / "t.zarr")
    assert set(dataset["width_px"].to_numpy()) == {40.0}, "of the last rung alone"
    assert dataset["seed"].to_numpy().tolist() == [0, 1]
    networks = int(np.isfinite(dataset["psnr"].sel(output="preset").min(["pair", "seed", "stop"])).sum())
    assert 3 <= networks <= 12
    if "nothing is dropped" not in said:
        assert f"{networks} of " in said
    lines = (tmp_path / "t.measured.jsonl").read_text().splitlines()
    code, _, err = call(*command)
    assert code == 0
    assert (tmp_path / "t.measured.jsonl").read_text().splitlines() == lines, "nothing is measured twice"
    assert "fits are left" not in err


@pytest.mark.soak
def test_measurements_of_several_runs_join(pairs: Path, tmp_path: Path) -> None:
    rows = pairs.read_text().splitlines()
    for name, lines in (("a", rows[1:3]), ("b", rows[3:])):
        (tmp_path / f"{name}.csv").write_text("\n".join([rows[0], *lines]))
        assert calibrate(tmp_path / f"{name}.csv", "--output", tmp_path / f"{name}.json")[0] == 0
    code, out, err = calibrate(tmp_path / "a.zarr", tmp_path / "b.zarr", "--output", tmp_path / "ab.json")
    assert code == 0, err
    assert "joined with" in err
    assert calibrate(pairs, "--output", tmp_path / "all.json")[0] == 0
    both, at_once = (load_table(str(tmp_path / f"{name}.json")) for name in ("ab", "all"))
    assert both.entries == at_once.entries
    assert "left out" in out
    other = call(
        "calibrate",
        tmp_path / "a.zarr",
        tmp_path / "a.csv",
        "--output",
        tmp_path / "x.json",
        *HERE,
        *("--preset", "prior", "--depths", "2", "--widths", "4", "--skips", "4"),
        *("--stops", "1", "--crop", "40"),
    )
    assert other[0] == 2
    assert "measurements of an earlier run: preset reference; expected preset prior" in other[2]


def test_a_bad_pair_costs_itself_alone(pairs: Path, tmp_path: Path) -> None:
    write_image(str(tmp_path / "flat.png"), np.full((48, 56), 7, np.uint16))
    write_image(str(tmp_path / "small.png"), np.full((20, 20), 7, np.uint16))
    with pairs.open("a") as file:
        file.write("\nflat.png,clean0.png,confocal,nucleus,field9\nsmall.png,clean0.png,,,\n")
    code, _, err = calibrate(pairs, "--output", tmp_path / "t.json")
    assert code == 1
    assert "flat.png: noisy: all pixels are 7" in err
    assert "y=20 x=20" in err
    assert load_table(str(tmp_path / "t.json")).measured[0].pairs[-1].name == "noisy1_1.png"


def test_a_table_is_extended(pairs: Path, tmp_path: Path) -> None:
    code, _, err = calibrate(
        pairs, "--output", tmp_path / "more.json", "--add", "published", "--microscope", "light_sheet"
    )
    assert code == 0, err
    made, published = load_table(str(tmp_path / "more.json")), load_table()
    assert made.find("lpips_psnr", {}) == published.find("lpips_psnr", {})
    assert made.find("cheapest", {"microscope": "light_sheet", "specimen": "nucleus"}) is not None
    assert made.default_metric == published.default_metric


def test_what_makes_no_sense_is_refused_before_anything_is_read(pairs: Path, tmp_path: Path) -> None:
    wrong: list[tuple[list[Any], str]] = [
        (["--output", tmp_path / "t.txt"], "ends in .json"),
        (["--output", tmp_path / "t.json", "--choose", "paper"], "no LPIPS"),
    ]
    for options, message in wrong:
        code, _, err = calibrate(pairs, *options)
        assert code == 2
        assert message in err
    (tmp_path / "mine.json").write_text("{}")
    assert "is there, and not of such a run" in calibrate(pairs, "--output", tmp_path / "mine.json")[2]
    code, _, err = calibrate(tmp_path / "none.csv", "--output", tmp_path / "t.json")
    assert code == 2
    assert "cannot be read" in err


@pytest.mark.soak
def test_workers_measure_the_same(pairs: Path, tmp_path: Path, scheduler: str) -> None:
    assert calibrate(pairs, "--output", tmp_path / "here.json")[0] == 0
    there = tmp_path / "there.json"
    code, _, err = call("calibrate", pairs, "--output", there, *GRID, *STOPS, "--scheduler", scheduler)
    assert code == 0, err
    one, other = (xarray.open_zarr(tmp_path / f"{name}.zarr") for name in ("here", "there"))
    xarray.testing.assert_equal(one.drop_vars("seconds"), other.drop_vars("seconds"))


def test_it_can_be_called_from_python(pairs: Path, tmp_path: Path) -> None:
    grid = Grid(depths=(2,), widths=(4,), skips=(4,), stops=(4, 8))
    here, news = Machine(in_process=True), list[int]()
    found = autodip_zarr.calibrate(
        *(pairs, tmp_path / "t.json"),
        grid=grid,
        crop_px=40,
        choices=Choices(preset="reference"),
        machine=here,
        watch=lambda one: news.append(one.done),
    )
    assert found.is_whole
    assert found.table == str(tmp_path / "t.json")
    assert max(news) == 4
    frame = found.to_dataframe()
    assert frame["group"].tolist() == ["confocal+nucleus", "confocal", "nucleus", "global"]
    assert "4 configurations chosen" in found._repr_html_()
    assert [load_table(found.table).find("cheapest", dict(one.group)) is not None for one in found.chosen]


def test_frames_of_another_scale_are_scored_on_one(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    clean = 100 + 9000 * gaussian_filter(random.random((48, 48)), 3)
    np.save(tmp_path / "clean.npy", clean)
    np.save(tmp_path / "noisy.npy", random.poisson(clean / 8, (3, 48, 48)).astype(np.uint16))
    (tmp_path / "list.csv").write_text("noisy,clean\nnoisy.npy,clean.npy\n")
    code, _, err = calibrate(tmp_path / "list.csv", "--output", tmp_path / "t.json", "--captures", "2")
    assert code == 0, err
    dataset = xarray.open_zarr(tmp_path / "t.zarr")
    assert dataset.sizes["pair"] == 2
    assert dataset["slope"].to_numpy() == pytest.approx([1 / 8, 1 / 8], rel=0.1)
    assert float(dataset["psnr"].max()) > 10
    assert read_frames(Frames(str(tmp_path / "noisy.npy"), 1)).shape == (48, 48)
