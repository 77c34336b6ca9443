"""Compare the presets with classical filters on pairs of two laboratories, one line an image and method.

    python -m benchmarks.rivals FOLDER... [--methods ...] [--crop 512] [--only TEXT ...] [--record FILE]

A FOLDER holds the Fluorescence Microscopy Denoising dataset (``<set>/<field>/raw_1.*`` and ``gt.*``), or
pairs beside each other as ``<field>_<channel>_raw.tif`` and ``..._gt.tif``, as W2S is kept here: those
stretch the contrast of each file on its own, so that everything is fitted to the clean image by a straight
line first, on pixels that are neither 0 nor 255.

Methods: ``noisy``; ``blur``, the Gaussian whose width the clean image chose, hence an upper bound; ``means``
and ``variation``, non-local means and total variation of the stabilised plane at the strength of its noise;
``bm3d``, that of the same plane and strength, as if noise were white, where the package bm3d is installed (by
hand: its licence is not for commercial use, so that nothing here depends on it); and the presets, with what
the published table transfers. PSNR is at a range of 255. Seconds are of the processor. A method that an image
has in the record already is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.planes.denoise import denoise_plane
from autodip_zarr.dip.planes.filters import blurred, filters
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.planes.noise_sample import sample_noise
from autodip_zarr.dip.planes.scaling import scale_and_stabilise
from autodip_zarr.dip.presets import PRESETS, preset_recipe
from autodip_zarr.domain import DipConfig
from autodip_zarr.metrics import Lpips, score
from autodip_zarr.run.sources.crops import busiest_crop
from autodip_zarr.stores import read_image
from benchmarks.quality import CONFIGS

Plane = NDArray[np.float64]

BESIDE: Final = {"0": DipConfig(8, 32, 4, 400), "1": DipConfig(8, 32, 4, 400), "2": DipConfig(8, 32, 4, 500)}
"""By channel: mitochondria, microtubules (which the table lacks: wide field alone) and actin, wide field."""

WIDTHS_PX: Final = np.arange(0.3, 6, 0.1)
FILTERS: Final = {"means": "means 0.8", "variation": "variation 1"}
BM3D: Final = "bm3d"


@dataclass(frozen=True)
class Pair:
    """A capture and its clean partner."""

    name: str
    """Set, or field and channel."""
    noisy: Plane
    """(Y, X)."""
    clean: Plane
    """(Y, X)."""
    config: DipConfig
    """What is transferred to it."""
    is_stretched: bool
    """Whether the two have different contrast."""

    def fitted(self, plane: Plane) -> Plane:
        """Return a plane on the intensities of the clean one."""
        if not self.is_stretched:
            return plane
        counts = (self.clean > 0) & (self.clean < 255)
        slope, offset = np.polyfit(plane[counts], self.clean[counts], 1)
        fitted: Plane = slope * plane + offset
        return fitted

    def psnr(self, plane: Plane) -> float:
        """Return the PSNR at a range of 255."""
        error = (self.fitted(plane) - self.clean) ** 2
        if self.is_stretched:
            error = error[(self.clean > 0) & (self.clean < 255)]
        return float(10 * np.log10(255**2 / error.mean()))


def pairs(folder: Path, side: int) -> Iterator[Pair]:
    """Yield the pairs of a folder, cut to their busiest part."""
    found = [(path, path.with_name(path.name.replace("_raw", "_gt"))) for path in folder.glob("*_raw.tif")]
    for noisy, clean in sorted(found):
        name = noisy.name.removesuffix("_raw.tif")
        yield _pair(name, noisy, clean, BESIDE[name.rpartition("_")[2]], side)
    for name, config in CONFIGS.items():
        for noisy in sorted((folder / name).glob("*/raw_1.*")):
            yield _pair(name, noisy, noisy.with_name("gt" + noisy.suffix), config, side)


def _pair(name: str, noisy: Path, clean: Path, config: DipConfig, side: int) -> Pair:
    planes = [read_image(str(path)).astype(np.float64) for path in (noisy, clean)]
    crop = busiest_crop(planes[1], side)
    return Pair(name, planes[0][crop], planes[1][crop], config, name[0].isdigit())


def run(pair: Pair, method: str, precision: str) -> tuple[Plane, dict[str, float]]:
    """Return what a method makes of the noisy plane, and numbers about how."""
    if method == "noisy":
        return pair.noisy, {}
    if method == "blur":
        return max((blur(pair.noisy, width) for width in WIDTHS_PX), key=pair.psnr), {}
    if method in {*FILTERS, BM3D}:
        scaled = scale_and_stabilise(pair.noisy, "robust", 1.0)
        sample = sample_noise(scaled.image, None, 0)
        noise_std = float(np.sqrt(sample.variance)) if sample else 0.0
        image = (
            _bm3d(scaled.image, noise_std)
            if method == BM3D
            else filters(noise_std)[FILTERS[method]](scaled.image)
        )
        return scaled.unscale(image, pair.noisy.dtype).astype(np.float64), {"noise_std": noise_std}
    job = FitJob(pair.config, preset_recipe(method, precision=precision), "cpu")
    found = denoise_plane(pair.noisy, job, (0, 0, 0, 0))
    return found.plane.astype(np.float64), {"stop": found.stop, "prior_share": found.prior_share}


def _bm3d(image: NDArray[np.float32], noise_std: float) -> NDArray[np.float32]:
    import bm3d  # type: ignore[import-not-found]  # noqa: PLC0415

    return np.asarray(bm3d.bm3d(image, noise_std), np.float32)


def blur(plane: Plane, width_px: float) -> Plane:
    """Return a plane blurred by a Gaussian."""
    return blurred(plane, width_px).astype(np.float64)


def known(record: Path | None) -> set[tuple[str, str, int]]:
    """Return what a record holds."""
    if record is None or not record.exists():
        return set()
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    return {(one["image"], one["method"], one["side"]) for one in lines}


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    methods = ["noisy", "blur", *FILTERS, *PRESETS, BM3D]
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--methods", nargs="*", choices=methods, default=[*methods[:4], "standard"])
    parser.add_argument("--crop", type=int, default=512)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--record", type=Path)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    options = parser.parse_args()
    perceptual = Lpips.load() if os.environ.get("TORCH_HOME") else None
    done = known(options.record)
    for pair in (one for folder in options.folders for one in pairs(folder, options.crop)):
        for method in options.methods:
            wanted = any(text in pair.name for text in options.only)
            if not wanted or (pair.name, method, options.crop) in done:
                continue
            before = time.process_time()
            plane, numbers = run(pair, method, options.precision)
            seconds = time.process_time() - before
            line = _line(pair, method, plane, perceptual) | numbers | {"seconds": seconds}
            print(_told(line), flush=True)
            if options.record:
                with options.record.open("a") as file:
                    file.write(json.dumps(line | {"side": options.crop}) + "\n")


def _line(pair: Pair, method: str, plane: Plane, perceptual: Lpips | None) -> dict[str, Any]:
    scores = score(pair.fitted(plane), pair.clean, pair.fitted(pair.noisy), perceptual)
    return {
        "image": pair.name,
        "method": method,
        "psnr": pair.psnr(plane),
        "ssim": scores.ssim,
        "lpips": scores.lpips,
    }


def _told(line: dict[str, Any]) -> str:
    numbers = "  ".join(f"{key} {value:.3f}" for key, value in line.items() if isinstance(value, float))
    return f"{line['image']:18s} {line['method']:10s} {numbers}"


if __name__ == "__main__":
    main()
