"""`evaluate` as people and programs use it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import ChannelMetadata, DipConfig
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.trials.evaluate import METHODS, Evaluation, Question
from autodip_zarr.stores import write_image
from autodip_zarr.stores.sample import Sample, SampleChannel, write_sample_tiff, write_sample_zarr

from .metrics.test_metrics import network_through
from .pages import check_page
from .test_cli import call

ROW = {"noisy", "clean", "method", "microscope", "specimen"}
ROW |= {"psnr", "psnr_data_range", "ssim", "lpips", "seconds", "relative_cost"}
MITO = SampleChannel("MitoTracker Red", "LaserScanningConfocalMicroscopy")
DAPI = SampleChannel("DAPI", "WideField")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the tests of this file from the network, and without the weights of LPIPS."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-weights"))
    network_through(9, monkeypatch)


def planes(shape: tuple[int, ...] = (40, 48)) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy and clean pixels, uint16."""
    generator = np.random.default_rng(1)
    clean = 300 + 2000 * gaussian_filter(generator.random(shape), (*[0] * (len(shape) - 2), 3, 3))
    return generator.poisson(clean).astype(np.uint16), clean.astype(np.uint16)


def write_pngs(folder: Path, names: tuple[str, ...] = ("a.png",)) -> tuple[Path, Path]:
    for part, pixels in zip(("noisy", "clean"), planes(), strict=True):
        (folder / part).mkdir(parents=True)
        for name in names:
            write_image(str(folder / part / name), pixels)
    return folder / "noisy", folder / "clean"


def test_the_document_of_all_methods(tmp_path: Path, quick_table: str) -> None:
    noisy, clean = write_pngs(tmp_path)
    for path, pixels in zip((noisy, clean), planes((80, 96)), strict=True):
        write_image(str(path / "a.png"), pixels)
    methods = [word for name in METHODS if name != "original-dip" for word in ("--method", name)]
    order = ["--microscope", "confocal", "--specimen", "nucleus", "--table", quick_table]
    code, out, err = call("evaluate", "--noisy", noisy, "--clean", clean, *methods, *order, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document.keys() == {"pairs"}
    rows = document["pairs"]
    measured = [name for name in METHODS if name != "original-dip"]
    assert [row["method"] for row in rows] == measured
    for row in rows:
        assert row.keys() == ROW
        assert row["noisy"] == str(noisy / "a.png")
        assert row["clean"] == str(clean / "a.png")
        assert (row["microscope"], row["specimen"]) == ("confocal", "nucleus")
        assert row["lpips"] is None
    assert rows[1]["psnr"] > rows[0]["psnr"]
    assert "warning: no LPIPS: " in err
    assert "alexnet-owt-7be5be79.pth: is missing and could not be downloaded" in err


@pytest.mark.shared
def test_real_captures_reach_the_known_values(
    shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared / "torch_home"))
    field = shared / "data/fmd/TwoPhoton_BPAE_R/fov19"
    known = json.loads((shared / "reference/lpips/values.json").read_text())["fmd_noisy_vs_gt"]
    expected = known["TwoPhoton_BPAE_R/fov19/raw_1.png"]
    pair = ["--noisy", field / "raw_1.png", "--clean", field / "gt.png", "--method", "noisy"]
    code, out, _ = call("evaluate", *pair, "--json")
    assert code == 0
    (row,) = json.loads(out)["pairs"]
    assert row["psnr"] == pytest.approx(expected["psnr_noisy_minmax"], abs=1e-6)
    assert row["psnr_data_range"] == pytest.approx(expected["psnr_255"], abs=1e-6)
    assert row["lpips"] == pytest.approx(expected["lpips_alex_unit_range"], abs=1e-4)
    assert row["microscope"] == "twophoton", "from the name of the folder, where there is no header"
    code, out, _ = call("evaluate", *pair, "--json", "--lpips-range", "signed")
    assert json.loads(out)["pairs"][0]["lpips"] == pytest.approx(
        expected["lpips_alex_signed_range"], abs=1e-4
    )
    page = tmp_path / "page.html"
    assert call("evaluate", *pair, "--method", "blur", "--crop", "64", "--page", page)[0] == 0
    text, pictures = check_page(page.read_text(encoding="utf-8"))
    assert pictures == 3
    assert "upper bound" in text


def test_stacks_of_channels_are_measured_plane_by_plane(tmp_path: Path, quick_table: str) -> None:
    noisy, clean = (pixels for pixels in planes((1, 2, 2, 20, 24)))
    write_sample_tiff(tmp_path / "n.ome.tif", Sample("n", noisy, 0.1, (DAPI, MITO)))
    write_sample_zarr(tmp_path / "c.ome.zarr", Sample("c", clean, 0.1, (DAPI, MITO)), "0.5")
    pair = ["--noisy", tmp_path / "n.ome.tif", "--clean", tmp_path / "c.ome.zarr", "--table", quick_table]
    code, out, err = call("evaluate", *pair, "--method", "noisy", "--method", "standard", "--json")
    assert code == 0, err
    rows = json.loads(out)["pairs"]
    places = [{"t": 0, "c": c, "z": z} for c in range(2) for z in range(2) for _ in range(2)]
    assert [row["plane"] for row in rows] == places
    assert {(row["microscope"], row["specimen"]) for row in rows} == {
        ("widefield", "nucleus"),
        ("confocal", "mito"),
    }
    code, out, _ = call("evaluate", *pair, "--method", "noisy", "--channels", "1", "--z", "0", "--json")
    assert [row["plane"] for row in json.loads(out)["pairs"]] == [{"t": 0, "c": 1, "z": 0}]


def test_the_table_says_that_the_blur_is_an_upper_bound(tmp_path: Path) -> None:
    noisy, clean = write_pngs(tmp_path, ("a.png", "b.png"))
    command = ["evaluate", "--noisy", noisy, "--clean", clean, "--method", "noisy", "--method", "blur"]
    code, out, err = call(*command)
    assert code == 0
    assert "upper bound" in out
    assert out.count("a.png") == 2
    assert any(line.split()[:2] == ["blur", "2"] for line in out.splitlines()), out
    assert f"{noisy / 'b.png'}, blur: PSNR" in err


def test_a_part_that_does_not_fit_costs_its_image_alone(tmp_path: Path) -> None:
    noisy, clean = write_pngs(tmp_path, ("a.png", "b.png"))
    for folder in (noisy, clean):
        write_image(str(folder / "a.png"), planes((20, 20))[folder == clean])
    command = ["evaluate", "--noisy", noisy, "--clean", clean, "--method", "noisy", "--crop", "32", "--json"]
    code, out, err = call(*command)
    assert code == 1
    assert [Path(row["noisy"]).name for row in json.loads(out)["pairs"]] == ["b.png"]
    assert "a.png, channel 0: --crop: 32; expected at most the shorter side of 20 x 20 pixels" in err


def test_what_cannot_be_measured_does_not_stop_the_rest(tmp_path: Path) -> None:
    noisy, clean = write_pngs(tmp_path, ("a.png", "flat.png", "lonely.png"))
    write_image(str(noisy / "flat.png"), np.full((40, 48), 7, np.uint16))
    (clean / "lonely.png").unlink()
    page = tmp_path / "page.html"
    command = ["evaluate", "--noisy", noisy, "--clean", clean, "--method", "noisy", "--page", page, "--json"]
    code, out, err = call(*command)
    assert code == 1
    assert [Path(row["noisy"]).name for row in json.loads(out)["pairs"]] == ["a.png"]
    assert "flat.png, channel 0: noisy: all pixels are 7" in err
    assert "lonely.png: has no partner" in err
    text, _ = check_page(page.read_text(encoding="utf-8"))
    assert text.index("lonely.png: has no partner") < text.index("Every plane")


def test_nothing_to_measure_is_an_error(tmp_path: Path) -> None:
    noisy, _ = write_pngs(tmp_path)
    code, out, err = call("evaluate", "--noisy", noisy, "--clean", tmp_path / "nowhere", "--json")
    assert code == 2
    assert json.loads(out) == {"pairs": []}
    assert "nowhere: is missing" in err
    code, _, err = call("evaluate", "--noisy", noisy, "--clean", noisy, "--crop", "1,2")
    assert code == 2
    assert "--crop: '1,2'; expected Y,X,HEIGHT,WIDTH or a side" in err
    code, _, err = call("evaluate", "--noisy", noisy, "--clean", noisy, "--method", "magic")
    assert code == 2
    assert "--method: magic; expected some of noisy, blur" in err


@pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="this machine has a card")
def test_a_card_that_is_not_there_is_said(tmp_path: Path, quick_table: str) -> None:
    noisy, clean = write_pngs(tmp_path)
    command = ["evaluate", "--noisy", noisy, "--clean", clean, "--table", quick_table, "--device", "cuda"]
    code, _, err = call(*command, "--method", "standard")
    assert code == 2
    assert "torch finds no CUDA cards here" in err
    assert "use --device cpu" in err


def test_names_of_files_cannot_write_into_the_page(tmp_path: Path) -> None:
    evil = "<script>alert(1)<&\"'>.png"
    noisy, clean = write_pngs(tmp_path, (evil.replace("/", ""),))
    page = tmp_path / "page.html"
    code, _, err = call("evaluate", "--noisy", noisy, "--clean", clean, "--method", "noisy", "--page", page)
    assert code == 0, err
    content = page.read_text(encoding="utf-8")
    text, pictures = check_page(content)
    assert content.count("<script") == 1
    assert evil in text
    assert pictures == 2


def test_equal_images_have_no_number_in_json(tmp_path: Path) -> None:
    _, clean = write_pngs(tmp_path)
    copy = tmp_path / "copy.png"
    copy.write_bytes((clean / "a.png").read_bytes())
    code, out, _ = call("evaluate", "--noisy", copy, "--clean", clean, "--method", "noisy", "--json")
    assert code == 0
    row = json.loads(out)["pairs"][0]
    assert (row["psnr"], row["ssim"]) == (None, pytest.approx(1.0))


def test_an_interrupted_evaluation_shows_what_it_has(tmp_path: Path) -> None:
    noisy, clean = write_pngs(tmp_path)
    pair = ["--noisy", str(noisy), "--clean", str(clean), "--method", "noisy", "--method", "original-dip"]
    command = [sys.executable, "-m", "autodip_zarr", "evaluate", *pair, "--json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    while "noisy: PSNR" not in running.stderr.readline():  # then the fit begins, which takes minutes
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert [row["method"] for row in json.loads(out)["pairs"]] == ["noisy"]
    assert "this is what was measured so far" in err


def test_the_original_prior_is_fitted_by_the_reference_protocol() -> None:
    asked = Question(("a.png",), ("b.png",), ("original-dip",), crop=None)
    evaluation = Evaluation(asked, Choices(seed=3), "cpu", None, print)
    channel = ChannelMetadata(0, None, "confocal", "fluorescence", "nucleus", None)
    config, recipe, group = evaluation.fitted_with("original-dip", channel)
    assert config == DipConfig(depth=5, width=128, skip=4, iterations=1800)
    assert recipe == preset_recipe("reference", seed=3, precision="float32")
    assert group == ""
    config, recipe, group = evaluation.fitted_with("reference", channel)
    assert recipe == preset_recipe("reference", seed=3, precision="float32")
    assert (config, group) == (DipConfig(4, 32, 4, 1200), "confocal+nucleus")


@pytest.mark.soak
def test_the_original_prior_on_a_small_part(tmp_path: Path) -> None:
    noisy, clean = write_pngs(tmp_path)
    pair = ["--noisy", noisy, "--clean", clean, "--crop", "4,4,16,16"]
    code, out, err = call("evaluate", *pair, "--method", "original-dip")
    assert code == 0, err
    assert "5/128/4/1800" in out
