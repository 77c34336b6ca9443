"""Simulate fluorescence images with known truth: structures, optics, photon and read noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Plane = NDArray[np.float64]
Draw = Callable[[int, np.random.Generator], Plane]


@dataclass(frozen=True)
class Camera:
    """How light becomes counts."""

    photons: float
    """Photons that the brightest structures send to a pixel."""
    background: float
    """Photons of the background."""
    read_noise: float
    """Standard deviation of the read noise, in counts."""
    offset: float
    """Counts without light."""
    blur_px: float
    """Standard deviation of the optics' point spread function, in pixels."""


def nuclei(size_px: int, random: np.random.Generator) -> Plane:
    """Draw ellipses with a soft texture, as DNA stains show them; values from 0 to about 1."""
    y, x = np.mgrid[:size_px, :size_px].astype(float)
    texture = gaussian_filter(random.standard_normal((size_px, size_px)), 3.0)
    texture = 1 + 0.25 * texture / texture.std()
    plane: Plane = np.zeros((size_px, size_px))
    for _ in range(max(4, size_px * size_px // 5000)):
        centre_y, centre_x = random.uniform(0, size_px, 2)
        radius, ratio, angle = random.uniform(13, 21), random.uniform(0.6, 0.9), random.uniform(0, np.pi)
        along = (y - centre_y) * np.sin(angle) + (x - centre_x) * np.cos(angle)
        across = (y - centre_y) * np.cos(angle) - (x - centre_x) * np.sin(angle)
        inside = (along / radius) ** 2 + (across / (radius * ratio)) ** 2 < 1
        plane = np.maximum(plane, inside * random.uniform(0.45, 0.8))
    textured: Plane = plane * texture
    return textured


def _filaments(size_px: int, random: np.random.Generator) -> Plane:
    """Draw long, slowly bending lines, as actin or microtubule stains show them; values from 0 to 1."""
    return _curves(size_px, random, max(12, size_px // 6), (0.6 * size_px, 1.4 * size_px, 0.01))


def _mitochondria(size_px: int, random: np.random.Generator) -> Plane:
    """Draw short, strongly bending tubes; values from 0 to 1."""
    thin = _curves(size_px, random, max(20, size_px * size_px // 700), (10.0, 40.0, 0.12))
    thick: Plane = gaussian_filter(thin, 1.2)
    return thick / max(float(thick.max()), 1e-9)


def _curves(
    size_px: int, random: np.random.Generator, count: int, shape: tuple[float, float, float]
) -> Plane:
    """Draw curves of a length between two limits whose direction wanders by a number of radians a pixel."""
    shortest, longest, bend = shape
    plane = np.zeros((size_px, size_px))
    for _ in range(count):
        steps = int(random.uniform(shortest, longest) * 2)
        direction = random.uniform(0, 2 * np.pi) + np.cumsum(random.normal(0, bend, steps))
        y = random.uniform(0, size_px) + np.cumsum(np.sin(direction)) / 2
        x = random.uniform(0, size_px) + np.cumsum(np.cos(direction)) / 2
        inside = (y >= 0) & (y < size_px) & (x >= 0) & (x < size_px)
        rows, columns = y[inside].astype(int), x[inside].astype(int)
        plane[rows, columns] = np.maximum(plane[rows, columns], random.uniform(0.5, 1.0))
    return plane


STRUCTURES: Final[Mapping[str, Draw]] = {
    "nuclei": nuclei,
    "filaments": _filaments,
    "mitochondria": _mitochondria,
}
"""What can be drawn, by name."""


def expose(truth: Plane, camera: Camera, random: np.random.Generator) -> tuple[Plane, NDArray[np.uint16]]:
    """Image a structure through the optics onto the camera.

    Parameters
    ----------
    truth : ndarray
        (Y, X) float64, brightness from 0 to about 1.
    camera : Camera
        Light, optics and noise.
    random : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    clean : ndarray
        (Y, X) float64, in counts, without noise.
    noisy : ndarray
        (Y, X) uint16, in counts, with Poisson and Gaussian noise.
    """
    blurred = gaussian_filter(truth, camera.blur_px)
    light = blurred / blurred.max() * camera.photons + camera.background
    read = random.normal(camera.offset, camera.read_noise, light.shape)
    counts = random.poisson(light) + read
    return light + camera.offset, np.clip(np.round(counts), 0, 65535).astype(np.uint16)
