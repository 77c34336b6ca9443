"""A page about a result in a bucket, and evaluation of an image in one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autodip_zarr.stores.sample import write_sample_zarr

from ..metrics.test_metrics import network_through
from ..pages import check_page
from ..run.results import Run
from ..samples import make_sample
from .conftest import upload
from .servers import SECRET
from .test_s3 import call


def test_looking_back_at_a_bucket(
    tmp_path: Path, bucket: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sample_zarr(tmp_path / "in" / "x.zarr", make_sample("x"), "0.5")
    upload(tmp_path / "in", f"{bucket}/in")
    assert run(f"{bucket}/in", "--output", f"{bucket}/out").exit_code == 0
    page = tmp_path / "page.html"
    for options, pictures in (["--remote-sources"], 3 + 1), ([], 1 + 1):
        assert call("report", f"{bucket}/out", "--output", page, *options).exit_code == 0
        text, found = check_page(page.read_text(encoding="utf-8"))
        assert "1 images, 1 of them complete; 1 planes denoised" in text
        assert found == pictures, "sources on servers are asked only where wanted"
        assert SECRET not in text

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-weights"))
    network_through(9, monkeypatch)
    pair = ["--noisy", f"{bucket}/in", "--clean", tmp_path / "in"]
    done = call("evaluate", *pair, "--method", "noisy", "--json")
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)["pairs"]
    assert row["noisy"] == f"{bucket}/in/x.zarr"
    assert row["ssim"] == pytest.approx(1.0)
