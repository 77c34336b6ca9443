"""The captures of the Fluorescence Microscopy Denoising dataset, wrapped as a microscope would save them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autodip_zarr.stores.sample import Sample, write_sample_tiff, write_sample_zarr
from benchmarks.real_images import sample_of

MICROSCOPES = {"Confocal": "confocal", "TwoPhoton": "twophoton", "WideField": "widefield"}
SPECIMENS = {"B": "nucleus", "G": "actin", "R": "mito"}


@dataclass(frozen=True)
class Capture:
    """One field of one set."""

    name: str
    """Name of the set, for example ``Confocal_BPAE_B``."""
    noisy: NDArray[np.uint8]
    """(Y, X) uint8, a single capture."""
    clean: NDArray[np.uint8]
    """(Y, X) uint8, the average of 50."""

    @property
    def expected(self) -> tuple[str, str | None]:
        """Microscope and specimen that the name of the set says."""
        microscope, _, channel = self.name.partition("_")
        return MICROSCOPES[microscope], SPECIMENS.get(channel.removeprefix("BPAE_"))

    def sample(self) -> Sample:
        """Return the capture as a sample whose header says what the name of the set says."""
        return sample_of(self.name, self.noisy)


def captures(shared: Path) -> list[Capture]:
    """Return the first capture of every set."""
    found = []
    for folder in sorted((shared / "data" / "fmd").iterdir()):
        field = next(folder.iterdir())
        noisy, clean = (np.array(Image.open(next(field.glob(name)))) for name in ("raw_1.*", "gt.*"))
        found.append(Capture(folder.name, noisy, clean))
    return found


def write_archive(shared: Path, folder: Path) -> None:
    """Write every set as OME-TIFF, as OME-Zarr 0.4 and as OME-Zarr 0.5."""
    for capture in captures(shared):
        sample = capture.sample()
        write_sample_tiff(folder / "tiff" / f"{capture.name}.ome.tif", sample)
        write_sample_zarr(folder / "v04" / f"{capture.name}.zarr", sample, "0.4")
        write_sample_zarr(folder / "v05" / f"{capture.name}.zarr", sample, "0.5")
