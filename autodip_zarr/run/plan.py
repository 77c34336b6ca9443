"""Decide what to do with every image and channel, without reading a pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autodip_zarr.calibration import MatchOptions, Table, find_match, load_table, relative_cost
from autodip_zarr.dip.iterations import iterations_for
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.dip.tiles import cover
from autodip_zarr.domain import (
    Acquisition,
    ChannelMetadata,
    ChannelPlan,
    DipConfig,
    Evidence,
    Header,
    ImagePlan,
    ImageRef,
    Match,
    Plan,
    Recipe,
    Skipped,
)
from autodip_zarr.errors import AutodipError, OptionError
from autodip_zarr.metadata import Vocabulary, load_vocabulary, read_acquisition
from autodip_zarr.run.blocks import block_shape, estimated_seconds
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.machine import resolve_device, resolve_precision
from autodip_zarr.run.selection import choose_channels, choose_indices
from autodip_zarr.run.targets import target_spec, target_uri
from autodip_zarr.stores import read_header, walk

_OVERRIDE_TRUST = 100


@dataclass(frozen=True)
class Planner:
    """All that is the same for every image of a plan."""

    choices: Choices
    """What was chosen."""
    recipe: Recipe
    """Everything besides the configuration that may change a pixel."""
    table: Table
    """Calibration table."""
    vocabulary: Vocabulary
    """Terms of microscopes, specimens and organisms."""
    options: MatchOptions
    """How matches are made."""
    device: str
    """``cpu`` or a CUDA device; sets the size of blocks only."""

    @classmethod
    def prepare(cls, choices: Choices, device: str = "auto") -> Planner:
        """Load table and vocabulary, and settle what was left to be settled.

        Parameters
        ----------
        choices : Choices
            What was chosen.
        device : str
            ``cpu``, ``cuda`` or ``auto``.

        Raises
        ------
        OptionError, TableError
            If the choices make no sense.
        """
        vocabulary, table = load_vocabulary(), load_table(choices.table)
        device = resolve_device(device)
        recipe = preset_recipe(
            choices.preset,
            seed=choices.seed,
            tile_px=choices.tile_px,
            halo_px=choices.halo_px,
            precision=resolve_precision(choices.precision, device),
        )
        options = MatchOptions(metric=choices.metric, relations=vocabulary.relations())
        _check(choices, options, table)
        _check_terms(choices, vocabulary, table)
        return cls(choices, recipe, table, vocabulary, options, device)

    def read(self, ref: ImageRef) -> tuple[Header, Acquisition]:
        """Read the header of an image, and what it says about the channels."""
        header = read_header(ref)
        acquisition = read_acquisition(header, self.vocabulary)
        channels = tuple(self._override(channel) for channel in acquisition.channels)
        return header, replace(acquisition, channels=channels)

    def _override(self, channel: ChannelMetadata) -> ChannelMetadata:
        for field in ("microscope", "specimen"):
            text = getattr(self.choices, field)
            if text is None:
                continue
            term = self.vocabulary.lookup(field, text) or text
            said = Evidence(field, term, f"--{field}", text, _OVERRIDE_TRUST)
            evidence = (said, *channel.evidence)
            channel = (
                replace(channel, microscope=term, evidence=evidence)
                if field == "microscope"
                else replace(channel, specimen=term, evidence=evidence)
            )
        return channel

    def match(self, channel: ChannelMetadata) -> Match:
        """Transfer a configuration to a channel, after what the choices say of it."""
        return find_match(self._override(channel), self.table, self.options)

    def plan_channel(self, channel: ChannelMetadata, planes: int, size: tuple[int, int]) -> ChannelPlan:
        """Decide what to do with one channel.

        Parameters
        ----------
        channel : ChannelMetadata
            What is known of it.
        planes : int
            Planes that are chosen.
        size : tuple of int
            Size of a plane (Y, X), in pixels.
        """
        reason = self._reason_to_copy(channel)
        match = find_match(channel, self.table, self.options)
        tiers = self.options.tiers
        required = self.choices.require_tier
        if reason is None and required and tiers.index(match.tier) > tiers.index(required):
            reason = f"matched only at tier {match.tier}, {required} is required"
        if reason is not None:
            return ChannelPlan(channel, None, reason, 0, 0.0)
        cost = planes * self._plane_cost(match.config, size)
        return ChannelPlan(channel, match, None, planes, cost, (*channel.conflicts, *match.warnings))

    def _plane_cost(self, config: DipConfig, size: tuple[int, int]) -> float:
        """Return the relative cost of a plane under the recipe: its tiles, starts and iterations."""
        covering = cover(size, self.recipe.tile_px, self.recipe.halo_px)
        iterations = iterations_for(config, self.recipe, covering.tile)
        tile = relative_cost(replace(config, iterations=iterations), covering.tile[0] * covering.tile[1])
        return tile * len(covering.corners) * self.recipe.starts

    def _reason_to_copy(self, channel: ChannelMetadata) -> str | None:
        if self.choices.any_contrast or channel.contrast in {None, "fluorescence"}:
            return None
        return f"contrast is {channel.contrast}, not fluorescence"

    def plan_image(self, header: Header, acquisition: Acquisition) -> ImagePlan | Skipped:
        """Decide what to do with one image.

        Returns
        -------
        ImagePlan or Skipped
            The latter where none of its channels is to be denoised.
        """
        problem = _unfit(header)
        if problem:
            return Skipped(header.ref.source, problem)
        t = choose_indices(self.choices.t, header.size("t"), "--t")
        z = choose_indices(self.choices.z, header.size("z"), "--z")
        wanted = choose_channels(self.choices.channels, [c.name for c in acquisition.channels])
        size = (header.size("y"), header.size("x"))
        channels = tuple(
            self.plan_channel(channel, len(t) * len(z), size)
            if channel.index in wanted
            else ChannelPlan(channel, None, "not among the chosen channels", 0, 0.0)
            for channel in acquisition.channels
        )
        planes = sum(channel.planes for channel in channels)
        if planes == 0:
            reasons = "; ".join(sorted({channel.reason or "no planes are chosen" for channel in channels}))
            return Skipped(header.ref.source, reasons)
        target = None
        if target_uri(header.ref, self.choices) is not None:
            block = block_shape(header, max(self._plane_seconds(c) for c in channels if c.match))
            target = target_spec(header, acquisition, self.choices, block)
        return ImagePlan(header, channels, t, z, self.recipe, target)

    def _plane_seconds(self, channel: ChannelPlan) -> float:
        iterations = channel.match.config.iterations if channel.match else 0
        cost = channel.relative_cost / max(channel.planes, 1)
        return estimated_seconds(cost, iterations * self.recipe.starts, self.device)

    def plan(self, sources: Sequence[str]) -> Iterator[ImagePlan | Skipped]:
        """Walk the sources and yield what is to be done with each image, one after the other."""
        taken: dict[str, str] = {}
        for ref in walk(sources):
            if isinstance(ref, Skipped):
                yield ref
                continue
            try:
                planned = self.plan_image(*self.read(ref))
            except OptionError as error:
                if error.where.startswith("--"):
                    raise
                yield Skipped(ref.source, str(error), is_error=True)
                continue
            except AutodipError as error:
                yield Skipped(ref.source, str(error), is_error=True)
                continue
            if isinstance(planned, ImagePlan) and planned.target is not None:
                other = taken.setdefault(planned.target.uri, ref.source)
                if other != ref.source:
                    reason = f"its result would have the same path as that of {other}: {planned.target.uri}"
                    yield Skipped(ref.source, reason, is_error=True)
                    continue
            yield planned


def _check(choices: Choices, options: MatchOptions, table: Table) -> None:
    if choices.output is not None and choices.write_back:
        raise OptionError("--output, --write-back", "both given", "one of them")
    if choices.require_tier is not None and choices.require_tier not in options.tiers:
        raise OptionError("--require-tier", repr(choices.require_tier), " or ".join(options.tiers))
    if choices.metric is not None and choices.metric not in table.metrics:
        raise OptionError("--metric", repr(choices.metric), f"one of {', '.join(table.metrics)}")
    if not 0 <= choices.halo_px < choices.tile_px:
        found = f"a halo of {choices.halo_px} px in tiles of {choices.tile_px} px"
        raise OptionError("--tile, --halo", found, "a halo smaller than the tile")
    if choices.dtype not in {None, "float32"}:
        raise OptionError("--dtype", repr(choices.dtype), "float32, or nothing for that of the source")


def _check_terms(choices: Choices, vocabulary: Vocabulary, table: Table) -> None:
    """Refuse terms that neither the vocabulary nor the table knows."""
    for field in ("microscope", "specimen"):
        text = getattr(choices, field)
        calibrated = {entry.group.get(field) for entry in table.entries}
        if text is None or text in calibrated or vocabulary.lookup(field, text):
            continue
        known = ", ".join(term.term for term in vocabulary.terms if term.field == field)
        raise OptionError(f"--{field}", repr(text), f"one of {known}")


def _unfit(header: Header) -> str | None:
    """Return why the pixels of an image cannot be denoised at all, if so."""
    if np.dtype(header.dtype).kind not in "uif":
        return f"pixels of type {header.dtype} are not intensities"
    if not {"y", "x"} <= {axis.name for axis in header.axes}:
        return f"no plane: axes are {' '.join(axis.name for axis in header.axes)}"
    return None


def make_plan(sources: Sequence[str], choices: Choices, device: str = "auto") -> Plan:
    """Decide what to do with all images of the sources, reading no pixel.

    Parameters
    ----------
    sources : sequence of str
        Files, folders and URIs.
    choices : Choices
        What is to be done.
    device : str
        ``cpu``, ``cuda`` or ``auto``.

    Returns
    -------
    Plan
        Images in the order of the walk, and what is skipped, with reasons.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense; a source that cannot be read is skipped instead.
    """
    images: list[ImagePlan] = []
    skipped: list[Skipped] = []
    for planned in Planner.prepare(choices, device).plan(sources):
        if isinstance(planned, ImagePlan):
            images.append(planned)
            skipped += [
                Skipped(planned.header.ref.source, channel.reason, channel.metadata.index)
                for channel in planned.channels
                if channel.reason is not None
            ]
        else:
            skipped.append(planned)
    return Plan(tuple(images), tuple(skipped))
