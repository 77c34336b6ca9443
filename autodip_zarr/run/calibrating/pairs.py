"""A pair of planes that a calibration uses, wherever they lie, and how it is read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.calibration.table import MeasuredPair
from autodip_zarr.domain import Header
from autodip_zarr.metadata import Terms
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores import read_planes
from autodip_zarr.stores.frames import Frames, frame_stack, read_frames

Scales = Literal["auto", "same", "fitted"]
"""Whether the clean plane is put on the scale of the noisy one: see ``metrics.affine.comparable``."""


@dataclass(frozen=True)
class PlaneOf:
    """A plane of an image whose header was read."""

    header: Header
    """The image."""
    c: int
    """Channel."""
    t: int
    """Time point."""
    z: int
    """Depth."""


Picture = PlaneOf | Frames
"""Whence a plane is read."""


@dataclass(frozen=True)
class CalibrationPair:
    """A noisy plane and the clean one of the same scene."""

    known: MeasuredPair
    """What is known of it: name, field, microscope, specimen."""
    noisy: Picture
    """Whence the noisy plane is read."""
    clean: Picture
    """Whence the clean one is read."""
    size: tuple[int, int]
    """Size of both (Y, X), in pixels."""
    scales: Scales
    """Whether their scales differ."""
    state: str
    """What tells that their files are still the same."""

    @property
    def identity(self) -> str:
        """Text that is the same as long as neither the pair nor its files change; no folder enters."""
        return json.dumps([asdict(self.known), self.scales, self.state], sort_keys=True)


@dataclass(frozen=True)
class Asked:
    """What of sources is used, and how."""

    layout: str
    """Name of a layout; ``auto`` for folders ``noisy`` and ``clean``, and for lists."""
    levels: tuple[str, ...] | None
    """Noise levels, as the layout names them; ``None`` for its usual one."""
    captures: int
    """Most captures of one field and level."""
    scales: Scales
    """Whether scales differ; ``auto`` leaves it to the layout, or to the planes."""
    terms: Terms
    """Words that a person may use."""


def read_picture(picture: Picture) -> NDArray[np.generic]:
    """Return a plane (Y, X), in detector counts.

    Raises
    ------
    SourceError
        It cannot be read.
    """
    if isinstance(picture, Frames):
        return read_frames(picture)
    plane: NDArray[np.generic] = read_planes(picture.header, picture.c, [(picture.t, picture.z)])[0]
    return plane


def picture_size(picture: Picture) -> tuple[int, int]:
    """Return the size (Y, X) of a plane, in pixels."""
    if isinstance(picture, Frames):
        return frame_stack(picture.path).size
    return picture.header.size("y"), picture.header.size("x")


def picture_state(picture: Picture) -> str:
    """Return what tells that a plane is still the same: of its file, and which of its frames."""
    if isinstance(picture, Frames):
        return f"{frame_stack(picture.path).state} {picture.first} {picture.count}"
    return f"{picture.header.fingerprint} {picture.c} {picture.t} {picture.z}"


def picture_place(picture: Picture) -> str:
    """Return where a plane lies, without credentials."""
    return picture.path if isinstance(picture, Frames) else public_uri(picture.header.ref.source)
