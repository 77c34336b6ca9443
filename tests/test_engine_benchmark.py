"""The engine and its benchmark need torch and numpy alone; measurements are kept, gaps are said."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest

from autodip_zarr.domain import DipConfig
from benchmarks import engine
from benchmarks.engine_work import Pair, fit_pair

ROOT = Path(__file__).resolve().parents[1]


def needed_by(*names: str) -> set[str]:
    """Return the installed distributions that some need, themselves included."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            requirements = distribution(name).requires or []
        except PackageNotFoundError:  # for another platform
            continue
        found.add(name)
        waiting += [re.split(r"[^\w.-]", text)[0] for text in requirements if "extra ==" not in text]
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which Python finds torch and numpy with what they need, and nothing else."""
    packages = tmp_path_factory.mktemp("packages")
    for name in needed_by("torch", "numpy"):
        for file in distribution(name).files or []:
            top = packages / file.parts[0]
            if file.parts[0] not in {"..", "__pycache__"} and not top.exists():
                top.symlink_to(Path(str(distribution(name).locate_file(file.parts[0]))))
    return os.environ | {"PYTHONPATH": str(packages), "OMP_NUM_THREADS": "1"}


def run_bare(bare: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    # -S leaves out where everything else is installed
    return subprocess.run(
        [sys.executable, "-S", *arguments], env=bare, cwd=ROOT, capture_output=True, text=True, check=False
    )


FIT = """
import sys
sys.path.insert(0, ".")
import numpy as np
from autodip_zarr.dip.planes.denoise import FitJob, denoise_plane
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import DipConfig
job = FitJob(DipConfig(2, 4, 4, 2), preset_recipe("best", precision="float32"), "cpu")
print(denoise_plane(np.random.default_rng(0).random((20, 20)), job, (0, 0, 0, 0)).plane.shape)
"""


@pytest.mark.soak
def test_the_engine_needs_torch_and_numpy_alone(bare: dict[str, str]) -> None:
    assert run_bare(bare, "-c", "import zarr").returncode != 0
    found = run_bare(bare, "-c", FIT)
    assert found.stdout.strip() == "(20, 20)", found.stderr
    found = run_bare(bare, "benchmarks/engine.py", "--help")
    assert "--psnr" in found.stdout, found.stderr


@pytest.mark.parametrize("way", ["plain", "engine"])
def test_a_pair_of_arrays_is_fitted_and_compared(tmp_path: Path, way: str) -> None:
    clean = np.tile(np.linspace(0, 200, 80), (80, 1))
    np.save(tmp_path / "gt.npy", clean)
    np.save(tmp_path / "raw_1.npy", clean + np.random.default_rng(1).normal(0, 20, clean.shape))
    found = fit_pair(Pair(DipConfig(2, 8, 4, 5), way, "cpu", "float32", 0, str(tmp_path), 64))
    assert found["shape"] == [64, 64]
    assert 15 < found["noisy"] < 25
    assert found["psnr"] > 0


def test_measurements_are_kept_and_not_mixed(tmp_path: Path) -> None:
    file = tmp_path / "engine.json"
    here = {"device": "cpu", "cores": 2}
    engine.Results.load(here, file).add("limits", {"bytes": 1.0})
    assert engine.Results.load(here, file).found["limits"]["bytes"] == 1.0
    with pytest.raises(SystemExit, match="name another file"):
        engine.Results.load({"device": "a card"}, file)


def test_what_is_measured_already_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = {
        "iterations_per_second": 2.0,
        "planes": 1,
        "memory_gib": 0.5,
        "first_seconds": 1.0,
        "timed": 20,
        "threads": 1,
    }
    options = argparse.Namespace(
        only=["4/32/4"],
        device="cpu",
        precision="bfloat16",
        planes=None,
        iterations=20,
        crop=64,
        psnr=tmp_path,
    )
    results = engine.Results({}, None, {"limits": {"bytes": 1e9, "bfloat16": 1e12, "date": "today"}})
    for key, rate in (("plain float32", 1.0), ("one bfloat16", 3.0), ("many bfloat16", 6.0)):
        results.found[f"4/32/4 {key}"] = times | {"iterations_per_second": rate}
    results.found["4/32/4 profile bfloat16"] = {"convolution": 0.75, "norm": 0.25}
    engine.time_all(results, options)
    engine.print_limits(results, options)
    engine.print_quality(results, options)
    printed = capsys.readouterr().out
    assert "confocal nucleus: 2 x 600 iterations, 18.00 planes/h x6.00" in printed
    assert "convolution 75%, norm 25%" in printed
    assert printed.count("not fitted") == 2


def test_a_measurement_that_failed_is_said() -> None:
    assert engine.together([{"failed": "exit code 1"}, {"planes": 1}]) == {"failed": "exit code 1"}
