"""The small simulated archive: an OME-TIFF z-stack and two OME-Zarr images of different microscopes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.demo.simulate import STRUCTURES, Camera, expose
from autodip_zarr.stores.sample import Sample, SampleChannel, write_sample_tiff, write_sample_zarr


@dataclass(frozen=True)
class DemoChannel:
    """One simulated channel."""

    name: str
    """Name in the header, for example the stain."""
    structure: str
    """What is drawn, a key of ``STRUCTURES``."""
    mode: str | None
    """``AcquisitionMode`` in the header; ``None`` where the microscope stays unknown."""
    camera: Camera
    """Light, optics and noise."""


@dataclass(frozen=True)
class DemoImage:
    """One simulated image."""

    path: str
    """Where it lies below the archive; the ending tells the format."""
    channels: tuple[DemoChannel, ...]
    """Its channels."""
    size_px: int
    """Side of its planes, in pixels."""
    depth: int
    """Number of planes."""


@dataclass(frozen=True)
class Truth:
    """A simulated image as it was written, and what it should have been."""

    image: DemoImage
    """What was simulated."""
    source: Path
    """The file or store."""
    noisy: NDArray[np.uint16]
    """(C, Z, Y, X) uint16, in counts."""
    clean: NDArray[np.float64]
    """(C, Z, Y, X) float64, in counts."""


_SCANNING: Final = Camera(photons=40, background=1, read_noise=1.5, offset=20, blur_px=1.3)
_WIDE: Final = Camera(photons=60, background=12, read_noise=4, offset=100, blur_px=1.8)

ARCHIVE: Final = (
    DemoImage("stack.ome.tif", (DemoChannel("DAPI", "nuclei", "WideField", _WIDE),), 256, 3),
    DemoImage(
        "two_photon.zarr",
        (DemoChannel("MitoTracker Red", "mitochondria", "MultiPhotonMicroscopy", _SCANNING),),
        128,
        1,
    ),
    DemoImage(
        "plate/mixed.zarr",
        (
            DemoChannel("Hoechst 33342", "nuclei", "LaserScanningConfocalMicroscopy", _SCANNING),
            DemoChannel("GFP", "filaments", None, _WIDE),
        ),
        192,
        1,
    ),
)
"""Six planes of cheap groups; the last channel says nothing of its microscope and falls to ``global``."""

_VERSION: Final = {"two_photon.zarr": "0.4", "plate/mixed.zarr": "0.5"}
_PIXEL_SIZE_UM: Final = 0.2


def write_archive(folder: Path, seed: int = 7) -> list[Truth]:
    """Simulate and write all images.

    Parameters
    ----------
    folder : Path
        Where; images that exist already are simulated again but not written again.
    seed : int
        Seed of structures and noise.
    """
    return [
        _write(folder, image, np.random.default_rng([seed, index])) for index, image in enumerate(ARCHIVE)
    ]


def _write(folder: Path, image: DemoImage, random: np.random.Generator) -> Truth:
    noisy = np.zeros((len(image.channels), image.depth, image.size_px, image.size_px), np.uint16)
    clean = np.zeros(noisy.shape)
    for c, channel in enumerate(image.channels):
        structure = STRUCTURES[channel.structure](image.size_px, random)
        for z in range(image.depth):
            clean[c, z], noisy[c, z] = expose(structure, channel.camera, random)
    path = folder / image.path
    channels = tuple(SampleChannel(channel.name, channel.mode) for channel in image.channels)
    sample = Sample(path.name, noisy[None], _PIXEL_SIZE_UM, channels)
    if not path.exists():
        if image.path.endswith(".tif"):
            write_sample_tiff(path, sample)
        else:
            write_sample_zarr(path, sample, "0.4" if _VERSION[image.path] == "0.4" else "0.5")
    return Truth(image, path, noisy, clean)
