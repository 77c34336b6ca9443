"""Fit pairs with one network from one seed, and score what comes of it at every stop."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.domain import DipConfig, Recipe
from autodip_zarr.errors import AutodipError, FitError
from autodip_zarr.metrics import Lpips
from autodip_zarr.metrics.affine import Comparable, comparable
from autodip_zarr.run.calibrating.pairs import CalibrationPair, read_picture
from autodip_zarr.run.execution.fit_thread import in_fit_thread
from autodip_zarr.run.sources.crops import busiest_crop

Record = Mapping[str, Any]
"""What was measured of a pair with one network from one seed; JSON, whole in itself."""

SCORES: Final = ("psnr", "psnr_range255", "ssim", "lpips")
"""What is measured, by name; PSNR by the convention of AUTO-DIP, and by the range of the pixel type."""

_PLACE: Final = (0, 0, 0, 0)
"""Series, t, c, z of every plane: seeds differ by the recipe, and all pairs share them."""


@dataclass(frozen=True)
class Unit:
    """All that a worker needs to measure; small, since it travels."""

    pairs: tuple[CalibrationPair, ...]
    """The pairs, of one size; several where a card fits them side by side."""
    config: DipConfig
    """The network; its count is not used."""
    recipe: Recipe
    """Everything else that may change a pixel, with the seed."""
    stops: tuple[int, ...]
    """Counts of a table that are scored."""
    crop_px: int
    """Largest side of what is cut out of the planes."""
    device: str
    """Torch device."""
    with_lpips: bool
    """Whether LPIPS is measured."""
    seconds: float = 0.0
    """How long it takes, roughly."""
    until: float = math.inf
    """Seconds since 1970 after which nothing may be at work any more."""

    def record_keys(self) -> list[str]:
        """Return what tells measurements of each pair apart; neither stops nor LPIPS enter."""
        network = [self.config.depth, self.config.width, self.config.skip]
        made = [network, asdict(self.recipe), self.crop_px]
        texts = (json.dumps([pair.identity, *made], sort_keys=True) for pair in self.pairs)
        return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


@dataclass(frozen=True)
class Failed:
    """A pair that could not be measured."""

    pair: str
    """Its name."""
    reason: str
    """Why, in words."""
    is_unreadable: bool = False
    """Whether it cannot be read or compared, so that no network needs to be tried."""


def run_unit(unit: Unit, *, alone: bool = False) -> list[Record | Failed] | None:
    """Measure; what a worker is asked to do.

    Parameters
    ----------
    unit : Unit
        What to measure.
    alone : bool
        Whether no other thread of this process fits, so that nobody has to take turns.

    Returns
    -------
    list of dict or Failed, or None
        One a pair, in their order; ``None`` where there is no time left for it.
    """
    if time.time() + unit.seconds > unit.until:
        return None
    read: dict[int, Comparable] = {}
    found: dict[int, Record | Failed] = {}
    for index, pair in enumerate(unit.pairs):
        try:
            read[index] = _read_pair(pair, unit.crop_px)
        except AutodipError as error:
            found[index] = Failed(pair.known.name, str(error), is_unreadable=True)
    fit: Callable[[], list[Record | Failed]] = functools.partial(_fitted, unit, read)
    found |= dict(zip(read, fit() if alone else in_fit_thread(fit), strict=True))
    return [found[index] for index in range(len(unit.pairs))]


def _read_pair(pair: CalibrationPair, crop_px: int) -> Comparable:
    """Return a pair, cut to the part in which the clean plane varies most, on one scale.

    Raises
    ------
    SourceError, OptionError
        It cannot be read or compared; names the pair.
    """
    noisy, clean = read_picture(pair.noisy), read_picture(pair.clean)
    crop = busiest_crop(clean, crop_px)
    return comparable(noisy[crop], clean[crop], pair.scales)


def _fitted(unit: Unit, read: Mapping[int, Comparable]) -> list[Record | Failed]:
    from autodip_zarr.dip.planes.stops import denoise_at_stops  # noqa: PLC0415 - torch is loaded on workers only

    if not read:
        return []
    job = FitJob(unit.config, unit.recipe, unit.device)
    noisy = [one.noisy for one in read.values()]
    fits = denoise_at_stops(noisy, job, unit.stops, [_PLACE] * len(noisy))
    keys = unit.record_keys()
    made: list[Record | Failed] = []
    for (index, planes), stopped in zip(read.items(), fits, strict=True):
        pair = unit.pairs[index]
        if isinstance(stopped, FitError):
            made.append(Failed(pair.known.name, str(stopped)))
            continue
        outputs = [
            {name: _scores(planes, image, unit) for name, image in one.outputs.items()} for one in stopped
        ]
        made.append(
            {
                "key": keys[index],
                "pair": asdict(pair.known),
                "about": _about(planes),
                "network": [unit.config.depth, unit.config.width, unit.config.skip],
                "seed": unit.recipe.seed,
                "with_lpips": unit.with_lpips,
                "stops": list(unit.stops),
                "steps": [one.steps for one in stopped],
                "seconds": [round(one.seconds, 4) for one in stopped],
                **{
                    score: {output: [at[output][score] for at in outputs] for output in outputs[0]}
                    for score in SCORES
                },
            }
        )
    return made


def _about(planes: Comparable) -> dict[str, float]:
    """Return what the planes themselves tell of a pair: noise, size, and the line between the two scales."""
    height, width = planes.noisy.shape
    return {
        "noise_std": planes.noise_std,
        "noise_std_alone": _noise_alone(planes.noisy),
        "height_px": height,
        "width_px": width,
        "slope": planes.slope,
        "offset": planes.offset,
        "counted": 1.0 if planes.counted is None else float(planes.counted.mean()),
    }


def _noise_alone(noisy: NDArray[np.generic]) -> float:
    """Return the standard deviation of the noise as the noisy plane alone tells it, over its range."""
    from autodip_zarr.dip.planes.noise_sample import sample_noise  # noqa: PLC0415 - scipy, not for planning
    from autodip_zarr.dip.planes.scaling import scale  # noqa: PLC0415 - as above

    scaled = scale(noisy, "minmax")
    sample = sample_noise(scaled.image, scaled.usable, 0)
    return math.nan if sample is None else math.sqrt(sample.variance)


def _scores(planes: Comparable, image: NDArray[np.generic], unit: Unit) -> dict[str, float]:
    found = planes.score(image, _perceptual() if unit.with_lpips else None)
    lpips = math.nan if found.lpips is None else found.lpips
    values: Sequence[float] = (found.psnr, found.psnr_data_range, found.ssim, lpips)
    return {name: round(float(value), 6) for name, value in zip(SCORES, values, strict=True)}


@functools.cache
def _perceptual() -> Lpips:
    """Load LPIPS once a process."""
    return Lpips.load()
