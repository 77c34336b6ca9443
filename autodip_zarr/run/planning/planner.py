"""Decide what to do with one image and its channels, without reading a pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from autodip_zarr.calibration import MatchOptions, Table, find_in_stack, load_stack
from autodip_zarr.dip.estimate import Estimate
from autodip_zarr.dip.presets import preset_recipe, warm_start
from autodip_zarr.domain import (
    Acquisition,
    ChannelMetadata,
    ChannelPlan,
    DipConfig,
    Header,
    ImagePlan,
    Match,
    Recipe,
    Skipped,
)
from autodip_zarr.errors import AutodipError, OptionError
from autodip_zarr.run.blocks import block_shape, chain_shape, chains
from autodip_zarr.run.choices import Choices, MethodChoices
from autodip_zarr.run.method import PRIOR, Method
from autodip_zarr.run.planning.budget import within_budget
from autodip_zarr.run.planning.targets import (
    check_apart,
    check_output,
    check_suffix,
    reordered,
    target_spec,
    target_uri,
)
from autodip_zarr.run.results.recorded_recipe import Recorded, check_alone, read_recorded
from autodip_zarr.run.scheduling.machine import check_arithmetic, resolve_device, resolve_precision
from autodip_zarr.run.sources.overrides import Knowledge, UnderstoodImage
from autodip_zarr.run.sources.selection import check_selection, choose_channels, choose_indices
from autodip_zarr.run.sources.survey import Survey
from autodip_zarr.stores.access.uris import is_remote

_SETTLED = {"preset", "precision", "sequence"}
_NOT_CHOSEN = "not among the chosen channels"


@dataclass(frozen=True)
class Planner:
    """All that is the same for every image of a plan."""

    choices: Choices
    """What was chosen."""
    recipe: Recipe
    """Everything besides the configuration that may change a pixel."""
    tables: tuple[Table, ...]
    """Calibration tables; the first has precedence."""
    knowledge: Knowledge
    """Reads metadata, with what a person says about it."""
    options: MatchOptions
    """How matches are made."""
    device: str
    """``cpu`` or a CUDA device; sets the size of blocks only."""
    recorded: Recorded | None = None
    """How a result was made that is to be repeated."""
    method: Method = PRIOR
    """How planes are denoised, and what that costs."""

    @classmethod
    def prepare(cls, choices: Choices, device: str = "auto", method: Method = PRIOR) -> Planner:
        """Load table, vocabulary and corrections, and settle what was left to be settled.

        Parameters
        ----------
        choices : Choices
            What was chosen.
        device : str
            ``cpu``, ``cuda`` or ``auto``.
        method : Method
            How planes are denoised.

        Raises
        ------
        OptionError, TableError
            If the choices make no sense.
        """
        tables = load_stack(choices.table)
        knowledge = Knowledge.prepare(choices, *tables)
        device = resolve_device(device)
        recipe = _recipe(choices, device)
        check_arithmetic(recipe, device)
        recorded = None
        if choices.recipe is not None:
            check_alone(choices)
            recorded = read_recorded(choices.recipe)
            recipe, choices = recorded.recipe, replace(choices, dtype=recorded.dtype)
            knowledge = replace(knowledge, given=knowledge.given.completed(recorded.given))
            check_arithmetic(recipe, device)
        options = MatchOptions(metric=choices.metric, relations=knowledge.vocabulary.relations())
        _check(choices, options, tables)
        if choices.uncertainty and recipe.starts < 2:
            count = ("no start", "one start")[recipe.starts]
            found = f"with --preset {recipe.preset}, which fits from {count}"
            raise OptionError("--uncertainty", found, "a preset of several starts", "add --preset best")
        if choices.output is not None:
            check_output(choices.output)
        return cls(choices, recipe, tables, knowledge, options, device, recorded, method)

    def match(self, channel: ChannelMetadata) -> Match:
        """Transfer a configuration to a channel, after what the choices say of it."""
        return self._match(self.knowledge.order(channel))

    def _match(self, channel: ChannelMetadata) -> Match:
        return find_in_stack(channel, self.tables, self.options, self.recipe.preset)

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
        match = self._match(channel)
        tiers = self.options.tiers
        required = self.choices.require_tier
        if reason is None and required and tiers.index(match.tier) > tiers.index(required):
            reason = f"matched only at tier {match.tier}, {required} is required"
        limit = self.choices.max_cost
        if reason is None and limit is not None:
            table = next(table for table in self.tables if table.id == match.table)
            kept = within_budget(match, table, lambda config: self._estimate(config, size).cost, limit)
            if isinstance(kept, str):
                reason = kept
            else:
                match = kept
        if reason is not None:
            return ChannelPlan(channel, None, reason, 0, 0.0)
        cost = planes * self._estimate(match.config, size).cost
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
        cost = planes * self._estimate(found.match.config, size).cost
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

    def _estimate(self, config: DipConfig, size: tuple[int, int]) -> Estimate:
        """Return what a plane of a size (Y, X) costs under the recipe."""
        return self.method.estimate(config, self.recipe, size, self.device)

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
        told = {f"channel {c.index}: {one}" for c in acquisition.channels for one in c.conflicts}
        odd = tuple(one for one in (*header.warnings, *acquisition.warnings) if one not in told)
        channels = tuple(self._timed(channel, size) for channel in channels)
        target = None
        uri = target_uri(header.ref, self.choices)
        if uri is not None:
            if self.choices.output is not None:
                check_apart(header.ref, uri)
            block = self._block(header, channels)
            target = target_spec(header, acquisition, self.choices, block)
            odd = (*odd, *filter(None, [reordered(header.axes)]))
        return ImagePlan(header, channels, t, z, self.recipe, target, acquisition.plate, warnings=odd)

    def _in_chains(
        self, channel: ChannelPlan, header: Header, chosen: tuple[Sequence[int], Sequence[int]]
    ) -> ChannelPlan:
        """Lower the cost of a channel whose planes are fitted on from one another."""
        warm = self.recipe.sequence
        if warm is None or channel.match is None:
            return channel
        count = chains(chosen, chain_shape(header, warm))
        plane = self._estimate(channel.match.config, (header.size("y"), header.size("x")))
        return replace(channel, relative_cost=plane.chain_cost(channel.planes, count))

    def _timed(self, channel: ChannelPlan, size: tuple[int, int]) -> ChannelPlan:
        """Add how long its fits take, as estimated."""
        if channel.match is None:
            return channel
        plane = self._estimate(channel.match.config, size)
        return replace(channel, core_seconds=channel.planes * plane.seconds(channel.plane_cost))

    def _block(self, header: Header, channels: Sequence[ChannelPlan]) -> tuple[int, int]:
        """Return how many time points and depths are worked on together: a chain, or about a minute."""
        if self.recipe.sequence is not None:
            return chain_shape(header, self.recipe.sequence)
        size = (header.size("y"), header.size("x"))
        seconds = max(
            self._estimate(channel.match.config, size).seconds(channel.plane_cost)
            for channel in channels
            if channel.match is not None
        )
        return block_shape(header, seconds)

    def plan(self, survey: Survey) -> Iterator[ImagePlan | Skipped]:
        """Yield what is to be done with each image of a survey that lies within the selection."""
        taken: dict[str, str] = {}
        for item in survey:
            planned = self._plan_understood(item) if isinstance(item, UnderstoodImage) else item
            if planned is None:
                if isinstance(item, UnderstoodImage):
                    survey.leave_out(item.acquisition)
                continue
            if isinstance(planned, ImagePlan) and planned.target is not None:
                source = planned.header.ref.source
                other = taken.setdefault(planned.target.uri, source)
                if other != source:
                    reason = f"its result would have the same path as that of {other}: {planned.target.uri}"
                    yield Skipped(source, reason, is_error=True)
                    continue
            yield planned

    def _plan_understood(self, understood: UnderstoodImage) -> ImagePlan | Skipped | None:
        try:
            return self.plan_image(understood.header, understood.acquisition)
        except OptionError as error:
            if error.where.startswith("--"):
                raise
            return Skipped(understood.header.ref.source, str(error), is_error=True)
        except AutodipError as error:
            return Skipped(understood.header.ref.source, str(error), is_error=True)


def _recipe(choices: MethodChoices, device: str) -> Recipe:
    """Return the recipe of the preset, with every field for which there is a choice of its name."""
    recipe = preset_recipe(choices.preset, precision=resolve_precision(choices.precision, device))
    same = {one.name for one in fields(Recipe)} & {one.name for one in fields(MethodChoices)} - _SETTLED
    chosen = {name: getattr(choices, name) for name in same}
    recipe = replace(recipe, **{name: value for name, value in chosen.items() if value is not None})
    if choices.sequence == "none":
        return recipe
    return replace(recipe, sequence=warm_start(choices.sequence, both_ways=choices.both_ways))


def _check(choices: Choices, options: MatchOptions, tables: Sequence[Table]) -> None:
    check_selection(choices.wells, choices.fields)
    if choices.output is not None and choices.write_back:
        raise OptionError("--output, --write-back", "both given", "one of them")
    check_suffix(choices)
    if choices.file_format != "ome-zarr" and (choices.output is None or is_remote(choices.output)):
        found = f"{choices.file_format} without a folder on this machine"
        raise OptionError("--format", found, "one by --output", "export writes OME-TIFF of any results")
    if choices.require_tier is not None and choices.require_tier not in options.tiers:
        raise OptionError("--require-tier", repr(choices.require_tier), " or ".join(options.tiers))
    metrics = dict.fromkeys(metric for table in tables for metric in table.metrics)
    if choices.metric is not None and choices.metric not in metrics:
        raise OptionError("--metric", repr(choices.metric), f"one of {', '.join(metrics)}")
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
    cannot = {"reference", "fast"}
    if choices.sequence != "none" and choices.preset in cannot:
        found = f"with --preset {choices.preset}"
        raise OptionError("--sequence", found, "a preset that may fit on", "use --preset standard or best")
    if choices.stop == "auto" and (choices.sequence != "none" or choices.preset in cannot):
        found = "with --sequence" if choices.sequence != "none" else f"with --preset {choices.preset}"
        raise OptionError("--stop", f"auto {found}", "the transferred number of iterations there")


def _unfit(header: Header) -> str | None:
    """Return why the pixels of an image cannot be denoised at all, if so."""
    if np.dtype(header.dtype).kind not in "uif":
        return f"pixels of type {header.dtype} are not intensities"
    if not {"y", "x"} <= {axis.name for axis in header.axes}:
        return f"no plane: axes are {' '.join(axis.name for axis in header.axes)}"
    return None
