"""Decide what to do with every image and channel, without reading a pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autodip_zarr.calibration import MatchOptions, Table, find_match, load_table, relative_cost
from autodip_zarr.dip.iterations import iterations_for, most_iterations_for, starts_for
from autodip_zarr.dip.planes.sequence import relative_work, warm_start
from autodip_zarr.dip.planes.tiles import cover
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import (
    Acquisition,
    ChannelMetadata,
    ChannelPlan,
    DipConfig,
    Header,
    ImagePlan,
    Match,
    Plan,
    Recipe,
    Skipped,
    Totals,
)
from autodip_zarr.errors import AutodipError, OptionError
from autodip_zarr.run.blocks import block_shape, chain_shape, chains, plane_seconds
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.budget import affordable
from autodip_zarr.run.planning.plan_list import PlannedImages
from autodip_zarr.run.planning.targets import check_apart, check_output, target_spec, target_uri
from autodip_zarr.run.planning.totals import Count
from autodip_zarr.run.results.orphans import gone_sources
from autodip_zarr.run.results.recorded_recipe import Recorded, check_alone, read_recorded
from autodip_zarr.run.results.reuse import decide
from autodip_zarr.run.scheduling.machine import check_arithmetic, resolve_device, resolve_precision
from autodip_zarr.run.sources.overrides import Knowledge, Reading
from autodip_zarr.run.sources.prefetch import ahead
from autodip_zarr.run.sources.selection import check_selection, choose_channels, choose_indices
from autodip_zarr.run.sources.survey import Tour
from autodip_zarr.stores import absolute, is_empty, kept_attributes, read_attributes

_NOT_CHOSEN = "not among the chosen channels"


@dataclass(frozen=True)
class Planner:
    """All that is the same for every image of a plan."""

    choices: Choices
    """What was chosen."""
    recipe: Recipe
    """Everything besides the configuration that may change a pixel."""
    table: Table
    """Calibration table."""
    knowledge: Knowledge
    """Reads metadata, with what a person says about it."""
    options: MatchOptions
    """How matches are made."""
    device: str
    """``cpu`` or a CUDA device; sets the size of blocks only."""
    recorded: Recorded | None = None
    """How a result was made that is to be repeated."""

    @classmethod
    def prepare(cls, choices: Choices, device: str = "auto") -> Planner:
        """Load table, vocabulary and corrections, and settle what was left to be settled.

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
        table = load_table(choices.table)
        knowledge = Knowledge.prepare(choices, table)
        device = resolve_device(device)
        recipe = preset_recipe(
            choices.preset,
            seed=choices.seed,
            tile_px=choices.tile_px,
            halo_px=choices.halo_px,
            precision=resolve_precision(choices.precision, device),
        )
        recipe = replace(recipe, deterministic=choices.deterministic, stop=choices.stop)
        check_arithmetic(recipe, device)
        if choices.sequence != "none":
            recipe = replace(recipe, sequence=warm_start(choices.sequence, both_ways=choices.both_ways))
        recorded = None
        if choices.recipe is not None:
            check_alone(choices)
            recorded = read_recorded(choices.recipe)
            recipe, choices = recorded.recipe, replace(choices, dtype=recorded.dtype)
            check_arithmetic(recipe, device)
        options = MatchOptions(metric=choices.metric, relations=knowledge.vocabulary.relations())
        _check(choices, options, table)
        if choices.uncertainty and recipe.starts == 1:
            found = f"with --preset {recipe.preset}, which fits from one start"
            raise OptionError("--uncertainty", found, "a preset of several starts", "add --preset best")
        if choices.output is not None:
            check_output(choices.output)
        return cls(choices, recipe, table, knowledge, options, device, recorded)

    def match(self, channel: ChannelMetadata) -> Match:
        """Transfer a configuration to a channel, after what the choices say of it."""
        return find_match(self.knowledge.order(channel), self.table, self.options)

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
        if self.recorded is not None:
            return self._repeated(self.recorded, channel, planes, size)
        reason = self._reason_to_copy(channel)
        match = find_match(channel, self.table, self.options)
        tiers = self.options.tiers
        required = self.choices.require_tier
        if reason is None and required and tiers.index(match.tier) > tiers.index(required):
            reason = f"matched only at tier {match.tier}, {required} is required"
        limit = self.choices.max_cost
        if reason is None and limit is not None:
            kept = affordable(match, self.table, lambda config: self._plane_cost(config, size), limit)
            if isinstance(kept, str):
                reason = kept
            else:
                match = kept
        if reason is not None:
            return ChannelPlan(channel, None, reason, 0, 0.0)
        cost = planes * self._plane_cost(match.config, size)
        return ChannelPlan(channel, match, None, planes, cost, (*channel.conflicts, *match.warnings))

    def _repeated(
        self, recorded: Recorded, channel: ChannelMetadata, planes: int, size: tuple[int, int]
    ) -> ChannelPlan:
        """Do with a channel what was done with that of the same index and name."""
        found = recorded.channel(channel)
        if isinstance(found, str) or found.match is None:
            reason = found if isinstance(found, str) else f"copied in {recorded.target}, too"
            return ChannelPlan(channel, None, reason, 0, 0.0)
        warnings = [
            f"{name} is {own}, and was {then} in {recorded.target}"
            for name in ("microscope", "specimen")
            if (own := getattr(channel, name)) != (then := getattr(found, name))
        ]
        cost = planes * self._plane_cost(found.match.config, size)
        return ChannelPlan(channel, found.match, None, planes, cost, (*found.match.warnings, *warnings))

    def _chosen_planes(self, header: Header) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the time points and depths to be denoised: those said, else those of a recorded recipe."""
        t = choose_indices(self.choices.t, header.size("t"), "--t")
        z = choose_indices(self.choices.z, header.size("z"), "--z")
        if self.recorded is not None and self.recorded.t is not None and self.choices.t is None:
            t = tuple(index for index in t if index in set(self.recorded.t))
        if self.recorded is not None and self.recorded.z is not None and self.choices.z is None:
            z = tuple(index for index in z if index in set(self.recorded.z))
        return t, z

    def _plane_cost(self, config: DipConfig, size: tuple[int, int]) -> float:
        """Return the relative cost of a plane under the recipe: its tiles, starts and iterations."""
        covering = cover(size, self.recipe.tile_px, self.recipe.halo_px)
        iterations = most_iterations_for(config, self.recipe, covering.tile)
        tile = relative_cost(replace(config, iterations=iterations), covering.tile[0] * covering.tile[1])
        return tile * len(covering.corners) * starts_for(config, self.recipe)

    def _reason_to_copy(self, channel: ChannelMetadata) -> str | None:
        if self.choices.any_contrast or channel.contrast in {None, "fluorescence"}:
            return None
        return f"contrast is {channel.contrast}, not fluorescence"

    def plan_image(self, header: Header, acquisition: Acquisition) -> ImagePlan | Skipped | None:
        """Decide what to do with one image.

        Returns
        -------
        ImagePlan, Skipped or None
            Skipped where nothing of it can or need be denoised; ``None`` where it has no chosen channel, time
            point or depth.
        """
        problem = _unfit(header)
        if problem:
            return Skipped(header.ref.source, problem)
        t, z = self._chosen_planes(header)
        wanted = choose_channels(self.choices.channels, [c.name for c in acquisition.channels])
        if not (t and z and wanted):
            return None
        size = (header.size("y"), header.size("x"))
        channels = tuple(
            self._in_chains(self.plan_channel(channel, len(t) * len(z), size), header, (t, z))
            if channel.index in wanted
            else ChannelPlan(channel, None, _NOT_CHOSEN, 0, 0.0)
            for channel in acquisition.channels
        )
        if not any(channel.match for channel in channels):
            reasons = {channel.reason for channel in channels if channel.metadata.index in wanted}
            said = "; ".join(sorted(reason for reason in reasons if reason))
            return Skipped(header.ref.source, said, is_error=self.recorded is not None)
        target = None
        uri = target_uri(header.ref, self.choices)
        if uri is not None:
            if self.choices.output is not None:
                check_apart(header.ref, uri)
            block = self._block(header, channels)
            target = target_spec(header, acquisition, self.choices, block)
        return ImagePlan(header, channels, t, z, self.recipe, target, acquisition.plate)

    def _in_chains(
        self, channel: ChannelPlan, header: Header, chosen: tuple[Sequence[int], Sequence[int]]
    ) -> ChannelPlan:
        """Lower the cost of a channel whose planes are fitted on from one another."""
        warm = self.recipe.sequence
        if warm is None or channel.match is None:
            return channel
        covering = cover((header.size("y"), header.size("x")), self.recipe.tile_px, self.recipe.halo_px)
        fresh = iterations_for(channel.match.config, self.recipe, covering.tile)
        work = relative_work(channel.planes, chains(chosen, chain_shape(header, warm)), fresh, warm)
        return replace(channel, relative_cost=channel.relative_cost * work / channel.planes)

    def _block(self, header: Header, channels: Sequence[ChannelPlan]) -> tuple[int, int]:
        """Return how many time points and depths are worked on together: a chain, or about a minute."""
        if self.recipe.sequence is not None:
            return chain_shape(header, self.recipe.sequence)
        seconds = max(plane_seconds(channel, self.recipe, header, self.device) for channel in channels)
        return block_shape(header, seconds)

    def plan(self, tour: Tour) -> Iterator[ImagePlan | Skipped]:
        """Yield what is to be done with each image of a tour that lies within the selection."""
        taken: dict[str, str] = {}
        for item in tour:
            planned = self._plan_reading(item) if isinstance(item, Reading) else item
            if planned is None:
                tour.leave_out()
                continue
            if isinstance(planned, ImagePlan) and planned.target is not None:
                source = planned.header.ref.source
                other = taken.setdefault(planned.target.uri, source)
                if other != source:
                    reason = f"its result would have the same path as that of {other}: {planned.target.uri}"
                    yield Skipped(source, reason, is_error=True)
                    continue
            yield planned

    def _plan_reading(self, reading: Reading) -> ImagePlan | Skipped | None:
        try:
            return self.plan_image(reading.header, reading.acquisition)
        except OptionError as error:
            if error.where.startswith("--"):
                raise
            return Skipped(reading.header.ref.source, str(error), is_error=True)
        except AutodipError as error:
            return Skipped(reading.header.ref.source, str(error), is_error=True)


def _check(choices: Choices, options: MatchOptions, table: Table) -> None:
    check_selection(choices.wells, choices.fields)
    if choices.output is not None and choices.write_back:
        raise OptionError("--output, --write-back", "both given", "one of them")
    if choices.require_tier is not None and choices.require_tier not in options.tiers:
        raise OptionError("--require-tier", repr(choices.require_tier), " or ".join(options.tiers))
    if choices.metric is not None and choices.metric not in table.metrics:
        raise OptionError("--metric", repr(choices.metric), f"one of {', '.join(table.metrics)}")
    if not 0 <= choices.halo_px < choices.tile_px:
        found = f"a halo of {choices.halo_px} px in tiles of {choices.tile_px} px"
        raise OptionError("--tile, --halo", found, "a halo smaller than the tile")
    if choices.max_cost is not None and not choices.max_cost > 0:
        raise OptionError("--max-cost", f"{choices.max_cost}", "a number above 0")
    _check_fit(choices)
    if choices.dtype not in {None, "float32"}:
        raise OptionError("--dtype", repr(choices.dtype), "float32, or nothing for that of the source")


def _check_fit(choices: Choices) -> None:
    if choices.both_ways and choices.sequence == "none":
        raise OptionError("--both-ways", "given without --sequence", "--sequence z or --sequence t with it")
    if choices.sequence != "none" and choices.preset == "reference":
        hint = "use --preset standard or best"
        raise OptionError("--sequence", "with --preset reference", "a preset that is not the letter", hint)
    if choices.stop == "auto" and (choices.sequence != "none" or choices.preset == "reference"):
        found = "with --sequence" if choices.sequence != "none" else "with --preset reference"
        raise OptionError("--stop", f"auto {found}", "the transferred number of iterations there")


def _unfit(header: Header) -> str | None:
    """Return why the pixels of an image cannot be denoised at all, if so."""
    if np.dtype(header.dtype).kind not in "uif":
        return f"pixels of type {header.dtype} are not intensities"
    if not {"y", "x"} <= {axis.name for axis in header.axes}:
        return f"no plane: axes are {' '.join(axis.name for axis in header.axes)}"
    return None


class Planning:
    """Plans image after image of some sources, keeps none, and counts what it comes to.

    Where there are results of an earlier run, they are looked at, and each image says what becomes of it.

    Parameters
    ----------
    sources : sequence of str
        Files, folders and URIs.
    choices : Choices
        What is to be done.
    device : str
        ``cpu``, ``cuda`` or ``auto``.

    Yields
    ------
    ImagePlan or Skipped
        Images in the order of the walk, each before what is skipped of its channels. Images outside the
        selection are left out.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense; a source that cannot be read is skipped instead.
    """

    def __init__(self, sources: Sequence[str], choices: Choices, device: str = "auto") -> None:
        self._sources = sources
        self._choices = choices
        self._planner = Planner.prepare(choices, device)
        self._tour = Tour(sources, choices, self._planner.knowledge)
        self._count = Count()
        self._targets: set[str] = set()
        self._gone: list[str] = []

    def __iter__(self) -> Iterator[ImagePlan | Skipped]:
        for item in self._items():
            self._count.add(item)
            yield item

    def _items(self) -> Iterator[ImagePlan | Skipped]:
        output, planned = self._choices.output, self._planner.plan(self._tour)
        is_fresh = output is not None and is_empty(output)
        for item in planned if is_fresh else self._decided(planned):
            yield item
            if isinstance(item, ImagePlan):
                source = item.header.ref.source
                for channel in item.channels:
                    if channel.reason is not None:
                        yield Skipped(source, channel.reason, channel.metadata.index)
        yield from self._tour.nothing_left(self._sources)
        if output is not None and not is_fresh:
            self._gone += gone_sources(output, self._targets)

    def _decided(self, planned: Iterator[ImagePlan | Skipped]) -> Iterator[ImagePlan | Skipped]:
        """Look at the results that are there, some images ahead, and decide what to do about each."""
        repair = self._choices.repair
        for item, existing in ahead(lambda one: _existing(one, repair=repair), planned):
            if isinstance(item, Skipped) or item.target is None:
                yield item
            elif isinstance(existing, AutodipError):
                yield Skipped(item.header.ref.source, str(existing), is_error=True)
            else:
                self._targets.add(absolute(item.target.uri))
                decision = decide(item, existing, self._choices.overwrite, repair=repair)
                yield replace(item, decision=decision)

    def warnings(self) -> tuple[str, ...]:
        """Return what a person should look at that is not about one image, once all images were planned."""
        recorded = self._planner.recorded
        repeated = recorded.warnings_on(self._planner.device) if recorded else ()
        return (*repeated, *self._tour.warnings(), *self._gone)

    def totals(self) -> Totals:
        """Return what the images that were planned so far come to."""
        return self._count.totals()


def _existing(item: ImagePlan | Skipped, *, repair: bool) -> Mapping[str, Any] | AutodipError | None:
    """Return what is recorded in the result of an image, if there is one."""
    if isinstance(item, Skipped) or item.target is None:
        return None
    try:
        kept = kept_attributes(item.target.uri) if repair else None
        return read_attributes(item.target.uri) if kept is None else kept
    except AutodipError as error:
        return error


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
        Images in the order of the walk, and what is skipped, with reasons. Images outside the selection are
        in neither. An image takes a kilobyte or two, so that plans of many thousand fit.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense; a source that cannot be read is skipped instead.
    """
    planning = Planning(sources, choices, device)
    images, skipped = PlannedImages(), []
    for item in planning:
        if isinstance(item, ImagePlan):
            images.append(item)
        else:
            skipped.append(item)
    return Plan(images, tuple(skipped), planning.warnings(), planning.totals())
