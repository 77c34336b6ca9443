"""Metrics: their definitions on small planes, and the values to reproduce on real images."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from autodip_zarr.errors import OptionError, SourceError
from autodip_zarr.metrics import Lpips, best_blur, perceptual, psnr, psnr_data_range, score, ssim
from autodip_zarr.metrics.perceptual import BACKBONE_URL, LEAST_SIDE_PX
from autodip_zarr.stores import read_image

Plane = NDArray[np.generic]


def planes(dtype: str = "uint16", side: int = 40) -> tuple[Plane, Plane, Plane]:
    """Return an image between noisy and clean, the clean plane, and the noisy one."""
    generator = np.random.default_rng(0)
    clean = gaussian_filter(generator.normal(size=(side, side)), 3) * 2000 + 1000
    noisy = clean + generator.normal(0, 60, clean.shape)
    image, clean, noisy = (np.round(plane).astype(dtype) for plane in ((noisy + clean) / 2, clean, noisy))
    return image, clean, noisy


@pytest.fixture
def weights(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the weights beside the checkout, as the cache of torch.hub."""
    monkeypatch.setenv("TORCH_HOME", str(shared / "torch_home"))
    return shared / "torch_home"


def network_through(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send what goes to the network to a port of this machine."""
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr("urllib.request._opener", None)  # it remembers the proxy of its first use


def test_psnr_is_scaled_by_the_noisy_image() -> None:
    image, clean, noisy = planes()
    low, high = noisy.astype(float).min(), noisy.astype(float).max()
    one, other = ((plane.astype(float) - low) / (high - low) for plane in (image, clean))
    expected = peak_signal_noise_ratio(other, one, data_range=1.0)  # type: ignore[no-untyped-call]
    assert psnr(image, clean, noisy) == pytest.approx(expected)


def test_psnr_by_data_range_is_that_of_skimage() -> None:
    for dtype in ("uint8", "int16", "uint16"):
        image, clean, noisy = (plane // 20 for plane in planes(dtype="int64"))
        image, clean, noisy = (plane.astype(dtype) for plane in (image, clean, noisy))
        limits = np.iinfo(dtype)
        expected = peak_signal_noise_ratio(  # type: ignore[no-untyped-call]
            clean.astype(float), image.astype(float), data_range=float(limits.max) - float(limits.min)
        )
        assert psnr_data_range(image, clean, noisy) == pytest.approx(expected)


def test_psnr_of_floats_takes_the_span_of_the_clean_image() -> None:
    image, clean, noisy = planes(dtype="float32")
    span = float(clean.astype(float).max() - clean.astype(float).min())
    expected = peak_signal_noise_ratio(  # type: ignore[no-untyped-call]
        clean.astype(float), image.astype(float), data_range=span
    )
    assert psnr_data_range(image, clean, noisy) == pytest.approx(expected)


def test_counts_are_no_matter_for_the_scaled_metrics() -> None:
    image, clean, noisy = (plane.astype(float) for plane in planes())
    one, other, scale = (3.5 * plane - 700 for plane in (image, clean, noisy))
    assert psnr(one, other, scale) == pytest.approx(psnr(image, clean, noisy))
    assert ssim(one, other, scale) == pytest.approx(ssim(image, clean, noisy))


def test_ssim_is_that_of_skimage() -> None:
    image, clean, noisy = planes()
    low, high = noisy.astype(float).min(), noisy.astype(float).max()
    one, other = ((plane.astype(float) - low) / (high - low) for plane in (image, clean))
    expected = structural_similarity(other, one, data_range=1.0)  # type: ignore[no-untyped-call]
    assert ssim(image, clean, noisy) == pytest.approx(expected)
    assert np.isnan(ssim(image[:6], clean[:6], noisy[:6]))


def test_equal_images_are_infinitely_close() -> None:
    _, clean, noisy = planes()
    scores = score(clean, clean, noisy)
    assert (scores.psnr, scores.psnr_data_range) == (np.inf, np.inf)
    assert scores.ssim == pytest.approx(1.0)
    assert scores.lpips is None


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda image, clean, noisy: (image[:-1], clean, noisy), r"image \(39, 40\)"),
        (lambda image, clean, noisy: (image, clean, noisy * 0), "all pixels are 0"),
        (lambda image, clean, noisy: (image, np.where(clean > 1000, np.nan, clean), noisy), "clean: .* NaN"),
    ],
)
def test_planes_that_cannot_be_compared_are_refused(spoil: object, found: str) -> None:
    assert callable(spoil)
    with pytest.raises(OptionError, match=found):
        score(*spoil(*planes()))


def test_no_other_blur_is_better_than_the_best_one() -> None:
    _, clean, noisy = planes("float64", 96)
    best = best_blur(noisy, clean)
    reached = psnr(best.plane, clean, noisy)
    others = [psnr(gaussian_filter(noisy, width), clean, noisy) for width in np.arange(0.2, 8, 0.05)]
    assert reached >= max(others) - 0.01
    assert reached > psnr(noisy, clean, noisy)
    np.testing.assert_allclose(best.plane, gaussian_filter(noisy, best.sigma_px))


def test_a_clean_image_is_not_blurred() -> None:
    _, clean, _ = planes()
    assert best_blur(clean, clean).sigma_px == 0


@pytest.mark.shared
def test_lpips_of_its_own_examples(shared: Path, weights: Path) -> None:
    from PIL import Image

    assert weights.is_dir()
    folder = shared / "reference" / "lpips"
    expected = json.loads((folder / "values.json").read_text())["example_images_signed_range"]
    metric = Lpips.load()
    for names, value in expected.items():
        one, other = (np.array(Image.open(folder / name)) / 127.5 - 1 for name in names.split(","))
        assert metric.distance(one, other) == pytest.approx(value, abs=1e-4)


@pytest.mark.shared
def test_all_metrics_of_real_captures(shared: Path, weights: Path) -> None:
    assert weights.is_dir()
    expected = json.loads((shared / "reference/lpips/values.json").read_text())["fmd_noisy_vs_gt"]
    metric = Lpips.load()
    assert len(expected) == 8
    for name, values in expected.items():
        path = shared / "data" / "fmd" / name
        noisy, clean = read_image(str(path)), read_image(str(next(path.parent.glob("gt.*"))))
        scores = score(noisy, clean, noisy, metric)
        assert scores.psnr == pytest.approx(values["psnr_noisy_minmax"], abs=1e-6)
        assert scores.psnr_data_range == pytest.approx(values["psnr_255"], abs=1e-6)
        assert scores.lpips == pytest.approx(values["lpips_alex_unit_range"], abs=1e-4)
        signed = metric(noisy, clean, noisy, signed=True)
        assert signed == pytest.approx(values["lpips_alex_signed_range"], abs=1e-4)


@pytest.mark.shared
def test_lpips_of_small_planes(weights: Path) -> None:
    assert weights.is_dir()
    metric = Lpips.load()
    for side, known in ((LEAST_SIDE_PX - 1, False), (LEAST_SIDE_PX, True)):
        assert np.isfinite(metric(*planes(side=side))) == known


@pytest.mark.shared
def test_lpips_never_loads_torchvision(weights: Path) -> None:
    assert weights.is_dir()
    script = (
        "import sys\n"
        "from autodip_zarr.metrics import Lpips\n"
        "assert 'torch' not in sys.modules\n"
        "Lpips.load()\n"
        "sys.exit([name for name in ('torchvision', 'lpips') if name in sys.modules] or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    network_through(9, monkeypatch)  # nobody listens there: offline, whatever the machine
    with pytest.raises(SourceError) as caught:
        Lpips.load()
    assert caught.value.where == str(tmp_path / "hub/checkpoints" / Path(BACKBONE_URL).name)
    assert caught.value.found.startswith("is missing and could not be downloaded: ")
    assert "TORCH_HOME" in caught.value.hint
    assert BACKBONE_URL in caught.value.hint


def test_a_network_that_swallows_everything_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(perceptual, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never says a word
        network_through(silent.getsockname()[1], monkeypatch)
        started = time.monotonic()
        with pytest.raises(SourceError, match="timed out"):
            Lpips.load()
    assert time.monotonic() - started < 30
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_broken_weights_are_named(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "hub/checkpoints" / Path(BACKBONE_URL).name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(SourceError, match="cannot be read") as caught:
        Lpips.load()
    assert caught.value.where == str(path)


def test_weights_of_another_network_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    path = tmp_path / "hub/checkpoints" / Path(BACKBONE_URL).name
    path.parent.mkdir(parents=True)
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(SourceError, match=r"features.0.weight: found \(64, 3, 3, 3\)"):
        Lpips.load()
