"""Baselines of `evaluate`: what each does to a plane of known noise, and results that lie beside."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from autodip_zarr.errors import OptionError
from autodip_zarr.metrics import psnr
from autodip_zarr.run.trials.baselines import BASELINES, apply_baseline, parse_baseline
from autodip_zarr.stores import write_image

from ..metrics.test_metrics import network_through
from ..test_cli import call

RANDOM = np.random.default_rng(7)
CLEAN: NDArray[np.float64] = 50 + 3000 * np.clip(gaussian_filter(RANDOM.random((128, 128)), 5) - 0.5, 0, None)
NOISY: NDArray[np.uint16] = RANDOM.poisson(CLEAN).astype(np.uint16)


@pytest.mark.parametrize("name", [*BASELINES, "blur:2", "means:1.2", "variation:2"])
def test_each_brings_a_plane_closer_to_the_clean_one(name: str) -> None:
    baseline = parse_baseline(name)
    assert baseline is not None
    image, how = apply_baseline(baseline, NOISY, CLEAN)
    assert image.shape == NOISY.shape
    assert psnr(image, CLEAN, NOISY) > psnr(NOISY, CLEAN, NOISY) + 2
    assert ("by the clean image" in how) == baseline.is_bound == name.startswith("best-")


def test_bounds_are_no_worse_than_any_strength() -> None:
    for name in ("means", "variation"):
        bound, usual = (parse_baseline(f"{prefix}{name}") for prefix in ("best-", ""))
        assert bound is not None
        assert usual is not None
        best, one = (apply_baseline(each, NOISY, CLEAN)[0] for each in (bound, usual))
        assert psnr(best, CLEAN, NOISY) >= psnr(one, CLEAN, NOISY)


def test_what_is_no_baseline_and_what_is_missing() -> None:
    for text in ("blur", "blur:0", "best-means:2", "wavelets:2", "noisy", "Means", "means:-1", "a/b"):
        assert parse_baseline(text) is None
    means = parse_baseline("means")
    assert means is not None
    with pytest.raises(OptionError, match="noise cannot be told"):
        apply_baseline(means, NOISY[:20, :20], CLEAN[:20, :20])


@pytest.mark.parametrize(("name", "package"), [("wavelets", "pywt"), ("bm3d", "bm3d")])
def test_packages_that_are_missing_are_named(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    baseline = parse_baseline(name)
    assert baseline is not None
    with pytest.raises(OptionError, match=f"the package {package} is not installed; pip install"):
        apply_baseline(baseline, NOISY, CLEAN)


def test_results_beside_and_numbers_as_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-weights"))
    network_through(9, monkeypatch)
    planes = {"noisy": NOISY, "clean": CLEAN.astype(np.uint16), "theirs": CLEAN.astype(np.uint16) + 1}
    for part, plane in planes.items():
        (tmp_path / part).mkdir()
        for name in ("a", "b"):
            if (part, name) != ("theirs", "b"):
                write_image(str(tmp_path / part / f"{name}.{'tif' if part == 'theirs' else 'png'}"), plane)
    theirs, numbers = tmp_path / "theirs", tmp_path / "numbers.csv"
    pair = ["--noisy", tmp_path / "noisy", "--clean", tmp_path / "clean", "--method", "means"]
    code, out, err = call("evaluate", *pair, "--method", theirs, "--crop", "96", "--csv", numbers, "--json")
    assert code == 1
    assert "b.png, channel 0: " in err
    assert "holds no result of" in err
    rows = json.loads(out)["pairs"]
    assert [row["method"] for row in rows] == ["means", str(theirs), "means"]
    span = float(NOISY[:96, :96].max())
    assert rows[1]["psnr"] > rows[0]["psnr"]
    assert rows[1]["psnr"] < 20 * np.log10(span)
    assert rows[0]["relative_cost"] is None
    with numbers.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["method"] for line in lines] == [row["method"] for row in rows]
    assert float(lines[0]["psnr"]) == pytest.approx(rows[0]["psnr"])
    code, _, err = call("evaluate", *pair, "--method", tmp_path / "nowhere")
    assert code == 2
    assert "or a folder of results" in err
