"""Denoise one numpy array, as in a notebook: no files, no Dask.

python examples/one_array.py
"""

from __future__ import annotations

import sys

import numpy as np

from autodip_zarr import Choices, denoise_array
from autodip_zarr.demo.simulate import Camera, expose, nuclei


def main(choices: Choices | None = None) -> None:
    """Simulate a wide-field image of nuclei, denoise it, and print how much noise went away."""
    random = np.random.default_rng(3)
    camera = Camera(photons=60, background=12, read_noise=4, offset=100, blur_px=1.8)
    clean, noisy = expose(nuclei(256, random), camera, random)  # (Y, X) float64 and uint16

    denoised = denoise_array(noisy, microscope="widefield", specimen="nucleus", choices=choices)

    for name, image in (("noisy", noisy), ("denoised", denoised)):
        error = np.sqrt(np.mean((image.astype(float) - clean) ** 2))
        print(f"{name}: {error:.2f} counts from the truth (root mean square)")


if __name__ == "__main__":
    main(Choices(table=sys.argv[1]) if len(sys.argv) > 1 else None)
