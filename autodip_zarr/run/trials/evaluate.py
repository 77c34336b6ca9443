"""Measure methods on pairs of noisy and clean images."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.estimate import estimate
from autodip_zarr.dip.planes.job import FitJob
from autodip_zarr.dip.presets import PRESETS
from autodip_zarr.domain import ChannelMetadata, DipConfig, Header, ImageRef, Recipe, Skipped
from autodip_zarr.errors import AutodipError, OptionError, SourceError
from autodip_zarr.metadata import NamePattern
from autodip_zarr.metrics import Scores, best_blur, score
from autodip_zarr.metrics.scaling import scaled_by_noisy
from autodip_zarr.metrics.scores import Perceptual
from autodip_zarr.provenance import public_uri
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.planner import Planner
from autodip_zarr.run.sources.crops import Crop, busiest_crop, parse_crop
from autodip_zarr.run.sources.selection import choose_channels, choose_indices
from autodip_zarr.run.trials.baselines import BASELINES, apply_baseline, parse_baseline
from autodip_zarr.run.trials.pairs import Pair, find_pairs
from autodip_zarr.stores import read_planes

_NOISY: Final = "noisy"
BLUR: Final = "blur"
_ORIGINAL: Final = "original-dip"
METHODS: Final = (_NOISY, BLUR, *BASELINES, _ORIGINAL, *PRESETS)
"""What can be measured by name: nothing done, the blur to beat, filters, the original prior, and presets."""

_ORIGINAL_CONFIG: Final = DipConfig(depth=5, width=128, skip=4, iterations=1800)
"""The one configuration of the original Deep Image Prior, whatever the image; fitted as ``reference``."""

UPPER_BOUND: Final = "the clean image chose how strong it is: an upper bound, not a method"
"""What is to be said wherever the blur is shown."""

_CROP = re.compile(r"\d+(,\d+,\d+,\d+)?")
FOLDERS_ABOVE = tuple(
    NamePattern(rf"(?P<{field}>[^/]+)(?:/[^/]+){{{above}}}$")
    for above in range(1, 4)
    for field in ("microscope", "specimen")
)
"""What the three folders above an image are called is a guess, where its metadata are silent."""

Plane = NDArray[np.generic]


@dataclass(frozen=True)
class Question:
    """What is to be measured."""

    noisy: tuple[str, ...]
    """Files, OME-Zarr images, or folders."""
    clean: tuple[str, ...]
    """As many, in the same order."""
    methods: tuple[str, ...]
    """Some of `METHODS`, in the order in which they are shown."""
    crop: str | None
    """``Y,X,HEIGHT,WIDTH``, or the side of the square in which the clean plane varies most; ``None``: all."""


@dataclass(frozen=True)
class Measurement:
    """A method on one plane."""

    method: str
    """Which one, of `METHODS`."""
    how: str
    """With what, for example ``4/32/4/1200, confocal+nucleus``."""
    plane: Plane
    """(Y, X), in detector counts."""
    scores: Scores
    """How close it is to the clean plane."""
    seconds: float
    """Wall time."""
    relative_cost: float | None = None
    """Arithmetic of a fit; 1.0 is the original prior on a 512x512 plane. ``None`` where nothing is fitted."""


@dataclass(frozen=True)
class EvaluatedPlane:
    """A pair of planes, and what the methods made of it."""

    pair: Pair
    """The images."""
    channel: ChannelMetadata
    """What is known of the channel."""
    t: int
    """Time point."""
    z: int
    """Depth."""
    noisy: Plane
    """(Y, X), as read, cropped."""
    clean: Plane
    """(Y, X), as read, cropped."""
    measurements: tuple[Measurement, ...]
    """One a method, in the order asked for; those that failed are missing."""

    @property
    def is_one_of_many(self) -> bool:
        """Whether its image has more planes than this one."""
        return any(self.pair.clean.size(axis) > 1 for axis in "tcz")

    @property
    def label(self) -> str:
        """Name of the plane for people."""
        ref = self.pair.noisy.header.ref
        series = "" if ref.series is None else f" [{ref.series}]"
        place = f" t={self.t} c={self.channel.index} z={self.z}" if self.is_one_of_many else ""
        return f"{public_uri(ref.source)}{series}{place}"


class Evaluation:
    """Yields plane after plane, with what the methods made of it, and what could not be done.

    Interrupted, it yields what was measured of the plane at hand before it gives way.

    Parameters
    ----------
    question : Question
        What is to be measured.
    choices : Choices
        Seed, table, metric, tiles, precision; what is said of all channels; which channels and planes.
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    perceptual : callable or None
        The loaded LPIPS, where there is one.
    watch : callable
        Told a line about each measurement as soon as it is made; fits may take hours.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense.
    """

    def __init__(
        self,
        question: Question,
        choices: Choices,
        device: str,
        perceptual: Perceptual | None,
        watch: Callable[[str], None],
    ) -> None:
        unknown = [one for one in question.methods if not _is_known(one)]
        if unknown:
            expected = f"some of {', '.join(METHODS)}, or a folder of results"
            raise OptionError("--method", ", ".join(unknown), expected)
        if question.crop is not None and not _CROP.fullmatch(question.crop):
            raise OptionError("--crop", repr(question.crop), "Y,X,HEIGHT,WIDTH or a side, in pixels")
        self._question, self._choices = question, choices
        self._perceptual, self._watch = perceptual, watch
        planner = Planner.prepare(choices, device)
        patterns = (*planner.knowledge.patterns, *FOLDERS_ABOVE)
        self._planner = replace(planner, knowledge=replace(planner.knowledge, patterns=patterns))
        self._beside = {one: self._results(one) for one in question.methods if _is_place(one)}
        self._recipes = {
            name: Planner.prepare(replace(choices, preset=name), device).recipe for name in PRESETS
        }

    def _results(self, place: str) -> dict[ImageRef, Header]:
        """Return the results that lie in a folder, by the noisy images whose names they have."""
        noisy, knowledge = self._question.noisy, self._planner.knowledge
        found = find_pairs(noisy, [place] * len(noisy), knowledge)
        return {pair.noisy.header.ref: pair.clean for pair in found if isinstance(pair, Pair)}

    def __iter__(self) -> Iterator[EvaluatedPlane | Skipped]:
        question = self._question
        for item in find_pairs(question.noisy, question.clean, self._planner.knowledge):
            if isinstance(item, Skipped):
                yield item
                continue
            for channel, t, z in self._places(item):
                try:
                    yield from self._plane(item, channel, (t, z))
                except AutodipError as error:
                    yield _failed(item, channel, str(error))

    def _places(self, pair: Pair) -> Iterator[tuple[ChannelMetadata, int, int]]:
        channels = pair.noisy.acquisition.channels
        wanted = choose_channels(self._choices.channels, [channel.name for channel in channels])
        for channel in channels:
            if channel.index in wanted:
                for t in choose_indices(self._choices.t, pair.clean.size("t"), "--t"):
                    for z in choose_indices(self._choices.z, pair.clean.size("z"), "--z"):
                        yield channel, t, z

    def _plane(
        self, pair: Pair, channel: ChannelMetadata, position: tuple[int, int]
    ) -> Iterator[EvaluatedPlane | Skipped]:
        images = (pair.noisy.header, pair.clean)
        noisy, clean = (read_planes(one, channel.index, [position])[0] for one in images)
        crop = choose_crop(self._question.crop, clean)
        empty = EvaluatedPlane(pair, channel, *position, noisy[crop], clean[crop], ())
        scaled_by_noisy(empty.noisy, empty.clean, empty.noisy)  # refuses before hours are spent on a fit
        made: list[Measurement] = []
        try:
            for method in dict.fromkeys(self._question.methods):
                try:
                    made.append(self._measure(method, empty))
                except AutodipError as error:
                    yield _failed(pair, channel, f"{method}: {error}")
                    continue
                reached, seconds = made[-1].scores.psnr, made[-1].seconds
                self._watch(f"{empty.label}, {method}: PSNR {reached:.2f} dB, {seconds:.0f} s")
        except KeyboardInterrupt:
            yield replace(empty, measurements=tuple(made))
            raise
        if made:
            yield replace(empty, measurements=tuple(made))

    def _measure(self, method: str, planes: EvaluatedPlane) -> Measurement:
        started = time.perf_counter()
        plane, how = self._apply(method, planes)
        seconds = time.perf_counter() - started
        scores = score(plane, planes.clean, planes.noisy, self._perceptual)
        return Measurement(method, how, plane, scores, seconds, self._cost(method, planes))

    def _cost(self, method: str, planes: EvaluatedPlane) -> float | None:
        """Return the relative cost of a method that fits a prior."""
        if method not in (_ORIGINAL, *PRESETS):
            return None
        config, recipe, _ = self.fitted_with(method, planes.channel)
        size = (planes.noisy.shape[0], planes.noisy.shape[1])
        return estimate(config, recipe, size, self._planner.device).cost

    def _apply(self, method: str, planes: EvaluatedPlane) -> tuple[Plane, str]:
        """Return what a method makes of a plane, and with what."""
        if method == _NOISY:
            return planes.noisy, "as it is"
        if method == BLUR:
            blur = best_blur(planes.noisy, planes.clean)
            return blur.plane, f"sigma {blur.sigma_px:.2f} px"
        baseline = parse_baseline(method)
        if baseline is not None:
            return apply_baseline(baseline, planes.noisy, planes.clean)
        if method in self._beside:
            return self._read(method, planes), "made elsewhere"
        from autodip_zarr.dip.planes.denoise import denoise_plane  # noqa: PLC0415 - torch, not for blurs

        config, recipe, group = self.fitted_with(method, planes.channel)
        series = planes.pair.noisy.header.ref.series or 0
        job = FitJob(config, recipe, self._planner.device)
        result = denoise_plane(planes.noisy, job, (series, planes.t, planes.channel.index, planes.z))
        network = f"{config.depth}/{config.width}/{config.skip}/{result.iterations}"
        return result.plane, f"{network}, {group}" if group else network

    def _read(self, place: str, planes: EvaluatedPlane) -> Plane:
        """Return the plane that a folder of results holds for a noisy one."""
        ref = planes.pair.noisy.header.ref
        header = self._beside[place].get(ref)
        if header is None:
            expected = "an image of its name and size"
            raise SourceError(public_uri(place), f"holds no result of {public_uri(ref.source)}", expected)
        whole: Plane = read_planes(header, planes.channel.index, [(planes.t, planes.z)])[0]
        return whole[choose_crop(self._question.crop, self._clean(planes))]

    def _clean(self, planes: EvaluatedPlane) -> Plane:
        """Return the whole clean plane, from which the crop was chosen."""
        clean: Plane = read_planes(planes.pair.clean, planes.channel.index, [(planes.t, planes.z)])[0]
        return clean

    def fitted_with(self, method: str, channel: ChannelMetadata) -> tuple[DipConfig, Recipe, str]:
        """Return configuration, recipe, and calibration group of a method that fits a prior.

        Parameters
        ----------
        method : str
            ``original-dip``, whose group is empty, or a preset.
        channel : ChannelMetadata
            What is known of the channel.
        """
        if method == _ORIGINAL:
            return _ORIGINAL_CONFIG, self._recipes["reference"], ""
        match = self._planner.match(channel)
        return match.config, self._recipes[method], "+".join(match.group.values()) or "global"


def _is_place(method: str) -> bool:
    """Return whether a method is named by a folder or an image of results."""
    return method not in METHODS and parse_baseline(method) is None and Path(method).exists()


def _is_known(method: str) -> bool:
    return method in METHODS or parse_baseline(method) is not None or _is_place(method)


def choose_crop(text: str | None, clean: Plane) -> Crop:
    """Return the part of a plane that is measured.

    Parameters
    ----------
    text : str or None
        ``Y,X,HEIGHT,WIDTH``, or the side of the square in which the clean plane varies most; ``None``: all.
    clean : ndarray
        (Y, X), the clean plane.

    Raises
    ------
    OptionError
        If it is neither, or does not fit into the plane.
    """
    if text is None or "," in text:
        return parse_crop(text, (clean.shape[0], clean.shape[1]))
    side = int(text)
    if not 0 < side <= min(clean.shape):
        expected = f"at most the shorter side of {clean.shape[0]} x {clean.shape[1]} pixels"
        raise OptionError("--crop", text, expected)
    return busiest_crop(clean, side)


def _failed(pair: Pair, channel: ChannelMetadata, reason: str) -> Skipped:
    return Skipped(public_uri(pair.noisy.header.ref.source), reason, channel.index, is_error=True)
