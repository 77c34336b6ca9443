"""A plane that is begun: cut into tiles that wait to be fitted, and joined of them again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.fitting.fit import Fit, Tile
from autodip_zarr.dip.fitting.tile_pool import TileJob, fit_tiles
from autodip_zarr.dip.planes.job import DenoisedPlane, FitJob
from autodip_zarr.dip.planes.mixture import Noisy, best_blur_px, filtered, mix, probes
from autodip_zarr.dip.planes.noise_sample import is_quiet, sample_noise
from autodip_zarr.dip.planes.scaling import Scaled, scale_and_stabilise
from autodip_zarr.dip.planes.tiles import Cover, blend, cover, cut, tile_seed
from autodip_zarr.dip.settled import SettledFit, batch_tiles
from autodip_zarr.domain import Recipe
from autodip_zarr.errors import FitError

_NOISE: Final = -1
"""Place of the seed of a tile's noise sample, beside those of its starts."""

_MOST_BLUR_PX: Final = 2.8
_RESTART: Final = 1
"""What is added to a seed's place for the second attempt of a fit that diverged."""


@dataclass(frozen=True)
class Begun:
    """A plane on the scale from 0 to 1, and how it is cut."""

    noisy: NDArray[np.generic]
    """(Y, X), in detector counts."""
    scaled: Scaled
    """The same from 0 to 1."""
    covering: Cover
    """How it is cut."""

    @classmethod
    def of(cls, noisy: NDArray[np.generic], recipe: Recipe) -> Begun:
        """Scale a plane (Y, X), and say how it is cut."""
        scaled = scale_and_stabilise(noisy, recipe.scaling, recipe.stabilisation)
        height, width = scaled.image.shape
        return cls(noisy, scaled, cover((height, width), recipe.tile_px, recipe.halo_px))

    @property
    def is_constant(self) -> bool:
        """Whether there is nothing to fit."""
        return self.scaled.low == self.scaled.high

    @property
    def tiles(self) -> int:
        """Tiles that are fitted; none where there is nothing to fit."""
        return 0 if self.is_constant else len(self.covering.corners)

    def tasks(self, job: FitJob, place: Sequence[int]) -> Iterator[TileTask]:
        """Yield the tiles, each when its turn comes; none where there is nothing to fit."""
        if self.is_constant:
            return
        usable = self.scaled.usable
        masks = [None] * len(self.covering.corners) if usable is None else cut(usable, self.covering)
        tiles = zip(cut(self.scaled.image, self.covering), masks, self.covering.corners, strict=True)
        for image, mask, corner in tiles:
            yield TileTask.of(Tile(image, mask), job, (*place, *corner))

    def finish(self, tiles: Sequence[FittedTile], seconds: float) -> DenoisedPlane:
        """Blend the tiles, and scale back."""
        hot, missing = self.scaled.hot_pixels, self.scaled.missing_pixels
        if self.is_constant:
            counts = self.noisy.astype(np.result_type(self.noisy.dtype, np.float32))
            if hot:
                counts = np.where(np.isfinite(counts), self.scaled.low, counts)
            return DenoisedPlane(counts, 0, 0.0, seconds, None, hot, missing)
        image = blend((tile.image for tile in tiles), self.covering)
        plane = self.scaled.unscale(image, self.noisy.dtype)
        if any(tile.is_left for tile in tiles):
            usable = True if self.scaled.usable is None else self.scaled.usable
            is_same = (image == self.scaled.image) & usable
            plane = np.where(is_same, self.noisy, plane).astype(plane.dtype)
        if missing:
            plane = np.where(np.isfinite(self.noisy), plane, self.noisy).astype(plane.dtype)
        deviations = [tile.deviation for tile in tiles if tile.deviation is not None]
        spread = self.scaled.unscale_spread(blend(deviations, self.covering), image) if deviations else None
        tiles = [tile for tile in tiles if not tile.is_left] or tiles  # of the fits
        return DenoisedPlane(
            plane,
            max(tile.iterations for tile in tiles),
            float(np.mean([tile.loss for tile in tiles])),
            seconds,
            spread,
            hot,
            missing,
            sum(tile.collapses for tile in tiles),
            sum(tile.restarts for tile in tiles),
            max(tile.overshoot for tile in tiles),
            float(np.mean([tile.stop for tile in tiles])),
            float(np.mean([tile.prior_share for tile in tiles])),
        )


@dataclass(frozen=True)
class FittedTile:
    """What became of a tile."""

    image: NDArray[np.float32]
    """(Y, X) float32, on the scale from 0 to 1."""
    deviation: NDArray[np.float32] | None
    """(Y, X) float32, standard deviation over the starts; ``None`` for a single one."""
    iterations: int
    """Adam steps of each start, at most."""
    loss: float
    """Mean of their last mean squared errors."""
    collapses: int
    """How often weights were restored."""
    restarts: int
    """Starts that were begun again."""
    overshoot: float
    """The greatest of them; NaN where the stop was chosen."""
    stop: float
    """Steps after which the outputs were taken."""
    prior_share: float
    """Share of the fit in the result; the rest is of classical filters."""
    is_left: bool = False
    """Whether it stays as it is."""


@dataclass(frozen=True)
class TileTask:
    """A tile that waits to be fitted."""

    jobs: Sequence[TileJob]
    """Its starts."""
    noisy: Noisy | None
    """The tile and its noise, if the result is to be mixed and the noise could be told."""
    left: FittedTile | None = None
    """The tile as it is, where no pixel of it counts, or where nothing is fitted and there is no noise."""

    @classmethod
    def of(cls, tile: Tile, job: FitJob, place: Sequence[int]) -> TileTask:
        """Make the task of a tile at a place: series, t, c, z, y, x."""
        recipe = job.recipe
        seeds = [tile_seed(recipe.seed, *place, start) for start in range(job.starts)]
        sample, is_there = None, tile.usable is None or bool(tile.usable.any())
        if is_there and recipe.mixed and job.starts != 1:
            sample = sample_noise(tile.image, tile.usable, tile_seed(recipe.seed, *place, _NOISE))
        if not is_there or (sample is None and not seeds and is_quiet(tile.image, tile.usable)):
            deviation = np.zeros(tile.image.shape, np.float32) if job.starts > 1 else None
            left = FittedTile(tile.image, deviation, 0, 0.0, 0, 0, math.nan, 0.0, 0.0, is_left=True)
            return cls((), None, left)
        if sample is None:
            return cls([TileJob(tile, seed) for seed in seeds], None)
        noisy = Noisy(tile.image, tile.usable, sample)
        blur_px = recipe.optics * min(best_blur_px(noisy), _MOST_BLUR_PX) if recipe.optics else 0.0
        images = probes(noisy, recipe.probe, job.starts)
        tiles = [replace(tile, image=image, blur_px=blur_px) for image in images]
        return cls([TileJob(one, seed) for one, seed in zip(tiles, seeds, strict=True)], noisy)

    def filtered(self, recipe: Recipe) -> TileTask:
        """Return it with what filters make of it, if they take part in its results."""
        if self.noisy is None or not recipe.filters:
            return self
        return replace(self, noisy=replace(self.noisy, known=filtered(self.noisy)))

    def join(self, starts: Sequence[Outcome], recipe: Recipe) -> FittedTile:
        """Join the starts to one tile."""
        if self.left is not None:
            return self.left
        if not starts and self.noisy is not None:
            return _filtered_alone(self.noisy, recipe)
        fits = [one.fit for one in starts]
        images, stop, overshoot = [fit.image for fit in fits], 0.0, max(fit.overshoot for fit in fits)
        mixed = None
        if self.noisy is not None and all(fit.looks for fit in fits):
            looks = [[look for _, look in fit.looks] for fit in fits]
            ways = {"with_filters": recipe.filters, "in_parts": recipe.in_parts}
            mixed = mix(self.noisy, looks, recipe.probe, **ways)
            images = [fit.looks[mixed.look][1] for fit in fits]
            stop, overshoot = fits[0].looks[mixed.look][0], math.nan
        share = 1.0 if mixed is None else mixed.shares.get("prior", 0.0)
        deviation = np.stack(images).std(axis=0, dtype=np.float32) if len(images) > 1 else None
        return FittedTile(
            _mean(images) if mixed is None else mixed.image,
            None if deviation is None else deviation * np.float32(share),
            max(fit.iterations for fit in fits),
            float(np.mean([fit.loss for fit in fits])),
            sum(fit.collapses for fit in fits),
            sum(one.restarts for one in starts),
            overshoot,
            stop if mixed else float(max(fit.iterations for fit in fits)),
            share,
        )


def _filtered_alone(noisy: Noisy, recipe: Recipe) -> FittedTile:
    """Return the mean of filters of least estimated error of a tile that is not fitted."""
    image = mix(noisy, (), recipe.probe, in_parts=recipe.in_parts).image
    distance = noisy.mean((image - noisy.image) ** 2)
    return FittedTile(image, None, 0, distance, 0, 0, math.nan, stop=0.0, prior_share=0.0)


@dataclass(frozen=True)
class Outcome:
    """A fit, the seed of its input, and how many fits of its tile diverged before."""

    fit: Fit
    """What it ended with."""
    seed: int
    """Of the input of its network."""
    restarts: int
    """Fits that diverged before."""


def _mean(images: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = np.stack(images).mean(axis=0, dtype=np.float32)
    return mean


def batches(tasks: Iterator[TileTask], job: FitJob) -> Iterator[list[TileTask]]:
    """Yield tiles some at a time: what is kept along their fits is dropped before the next ones begin."""
    while batch := list(itertools.islice(tasks, batch_tiles(job.starts, job.device))):
        yield batch


def fit_or_restart(jobs: Sequence[TileJob], settled: SettledFit, device: str) -> list[Outcome | FitError]:
    """Fit tiles of one size; a fit that fails is begun once more, with another seed."""
    fits = fit_tiles(jobs, settled, device)
    seeds = [one.seed for one in jobs]
    failed = [index for index, fit in enumerate(fits) if isinstance(fit, FitError)]
    again = [replace(jobs[index], seed=tile_seed(jobs[index].seed, _RESTART)) for index in failed]
    for index, fit in zip(failed, fit_tiles(again, settled, device), strict=True):
        fits[index], seeds[index] = fit, tile_seed(jobs[index].seed, _RESTART)
    return [
        fit if isinstance(fit, FitError) else Outcome(fit, seed, int(index in failed))
        for index, (fit, seed) in enumerate(zip(fits, seeds, strict=True))
    ]
