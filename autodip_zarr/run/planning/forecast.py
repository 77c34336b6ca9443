"""How long a plan takes on this machine, and how far that may be off."""

from __future__ import annotations

from dataclasses import dataclass

from autodip_zarr.domain import Totals
from autodip_zarr.run.planning.speed import Basis, Speed
from autodip_zarr.run.scheduling.machine import usable_cores


@dataclass(frozen=True)
class Forecast:
    """How long the fits of a plan take on this machine."""

    seconds: float
    """Most likely time by the clock, in seconds."""
    least_seconds: float
    """Time if all goes as fast as may be."""
    most_seconds: float
    """Time if all goes as slowly as may be."""
    workers: int
    """Cores that are used, or cards: no more than there are planes."""
    device: str
    """``cpu`` or ``cuda``."""
    basis: Basis
    """Whence the speed is known: earlier ``runs`` here, a short fit ``measured`` here, or a ``guess``."""


def forecast(totals: Totals, device: str, speed: Speed) -> Forecast:
    """Say how long the fits of a plan take on the cores of this machine, or on one card.

    Reading, writing and the start of workers come on top: they matter for small plans only. Of results that
    are half done all planes count.

    Parameters
    ----------
    totals : Totals
        What the plan comes to.
    device : str
        ``cpu`` or a CUDA device.
    speed : Speed
        How fast it is.
    """
    kind = device.partition(":")[0]
    workers = max(1, min(usable_cores() if kind == "cpu" else 1, totals.planes))
    seconds = totals.core_seconds * speed.factor / workers
    return Forecast(seconds, seconds / speed.off_by, seconds * speed.off_by, workers, kind, speed.basis)
