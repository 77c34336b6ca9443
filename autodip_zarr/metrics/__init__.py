"""How close an image is to a clean one: one definition of each metric for the whole project.

Every metric takes ``(image, clean, noisy)``, planes in detector counts, in this order. The noisy plane is
there for the convention of AUTO-DIP (arXiv 2601.12055): before they are compared, image and clean plane
are scaled by minimum and maximum of the noisy one, so that a method cannot change its own yardstick.
"""

from __future__ import annotations

from autodip_zarr.metrics.blur import Blur, best_blur
from autodip_zarr.metrics.perceptual import Lpips
from autodip_zarr.metrics.pixels import psnr, psnr_data_range, ssim
from autodip_zarr.metrics.scores import Scores, score

__all__ = ["Blur", "Lpips", "Scores", "best_blur", "psnr", "psnr_data_range", "score", "ssim"]
