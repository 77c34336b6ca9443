"""Write a folder of images again as .npy, for a machine that has torch and numpy alone.

Usage: python benchmarks/npy_images.py FOLDER DESTINATION
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from autodip_zarr.stores import read_image


def main() -> None:
    """Convert every .png and .tif below a folder."""
    source, destination = map(Path, sys.argv[1:])
    for path in sorted(source.rglob("*")):
        if path.suffix in {".png", ".tif"}:
            target = (destination / path.relative_to(source)).with_suffix(".npy")
            target.parent.mkdir(parents=True, exist_ok=True)
            np.save(target, read_image(str(path)))


if __name__ == "__main__":
    main()
