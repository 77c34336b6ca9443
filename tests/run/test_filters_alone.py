"""The preset that fits nothing: filters alone, in seconds, told as such in the record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from autodip_zarr.cli import main
from autodip_zarr.stores import RECORD_FIELDS, read_record

from ..stores.builders import write_image
from .results import Run, planes, statuses


def pair(side: int) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Return a noisy plane of spots and the clean one, (1, side, side)."""
    random = np.random.default_rng(3)
    clean = 5 + 1_000 * gaussian_filter(random.random((1, side, side)) ** 300, (0, 2, 2))
    return random.poisson(clean).astype(np.uint16), clean


def column(result: Path, name: str) -> NDArray[np.float64]:
    found: NDArray[np.float64] = read_record(str(result))[..., RECORD_FIELDS.index(name)]
    return found


def test_filters_alone_denoise_and_say_that_nothing_was_fitted(tmp_path: Path, run: Run) -> None:
    noisy, clean = pair(160)
    write_image(tmp_path / "x.zarr", noisy, "cyx")
    options = ["--output", tmp_path / "out", "--preset", "fast"]
    result = run(tmp_path / "x.zarr", *options)
    assert result.exit_code == 0, result.output
    found = planes(tmp_path / "out/x.zarr").astype(float)
    assert np.mean((found - clean) ** 2) < 0.2 * np.mean((noisy - clean) ** 2)
    assert found.mean() == pytest.approx(noisy.mean(), rel=0.03)
    for name in ("iterations", "stop", "prior_share"):
        assert column(tmp_path / "out/x.zarr", name) == 0, name
    assert column(tmp_path / "out/x.zarr", "loss") > 0
    recipe = ["--output", tmp_path / "again", "--recipe", tmp_path / "out"]
    command = ["denoise", tmp_path / "x.zarr", *recipe, "--in-process", "--json"]
    assert statuses(CliRunner().invoke(main, list(map(str, command)))) == ["done"]
    np.testing.assert_array_equal(planes(tmp_path / "again/x.zarr"), planes(tmp_path / "out/x.zarr"))


def test_tiles_of_filters_meet_without_a_seam(tmp_path: Path, run: Run) -> None:
    noisy, clean = pair(300)
    write_image(tmp_path / "x.zarr", noisy, "cyx")
    assert run(tmp_path / "x.zarr", "--output", tmp_path / "whole", "--preset", "fast").exit_code == 0
    tiles = ["--preset", "fast", "--tile", "128", "--halo", "16"]
    assert run(tmp_path / "x.zarr", "--output", tmp_path / "tiles", *tiles).exit_code == 0
    errors = [np.mean((planes(tmp_path / name / "x.zarr") - clean) ** 2) for name in ("tiles", "whole")]
    assert errors[0] < 1.15 * errors[1]


def test_a_plane_whose_noise_cannot_be_told_fails_with_advice(tmp_path: Path, run: Run) -> None:
    write_image(tmp_path / "x.zarr", pair(40)[0], "cyx")
    result = run(tmp_path / "x.zarr", "--output", tmp_path / "out", "--preset", "fast")
    assert result.exit_code == 1
    assert "use --preset standard" in result.output + result.stderr


@pytest.mark.parametrize("options", [["--uncertainty"], ["--sequence", "z"], ["--stop", "auto"]])
def test_what_needs_a_fit_is_refused(tmp_path: Path, run: Run, options: list[str]) -> None:
    write_image(tmp_path / "x.zarr", pair(40)[0], "cyx")
    result = run(tmp_path / "x.zarr", "--output", tmp_path / "out", "--preset", "fast", *options)
    assert result.exit_code == 2
    assert "with --preset fast" in result.stderr
