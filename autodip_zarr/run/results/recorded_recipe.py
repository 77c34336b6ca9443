"""Read from a result how it was made, so that the same can be done again, there or on other images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final, TypeVar

from autodip_zarr.calibration import parse_config
from autodip_zarr.domain import ChannelMetadata, Header, ImageRef, Match, Recipe, Skipped
from autodip_zarr.errors import OptionError
from autodip_zarr.provenance import public_uri
from autodip_zarr.run.choices import Choices, MethodChoices
from autodip_zarr.run.results.software import changes_pixels
from autodip_zarr.run.sources.given import NOTHING, Given, given_again
from autodip_zarr.stores import read_attributes, read_header, walk_results

Value = TypeVar("Value")

RECORDED: Final = frozenset(
    {"microscope", "specimen", "any_contrast", "dtype", *(one.name for one in fields(MethodChoices))}
)
"""Choices that a recorded recipe has settled already."""

_BESIDE: Final = {"source", "axes", "pixel_size_um", "channels", "t", "z", "software"}
"""Fields of a recorded recipe that are not those of `Recipe`."""


@dataclass(frozen=True)
class RecordedChannel:
    """What was done with one channel."""

    index: int
    """Position along the channel axis."""
    name: str | None
    """Name."""
    microscope: str | None
    """Imaging modality that was understood."""
    specimen: str | None
    """Labelled structure that was understood."""
    match: Match | None
    """Configuration and why; ``None`` where the channel was copied."""


@dataclass(frozen=True)
class Recorded:
    """How a result was made."""

    target: str
    """Path or URI of the result, without credentials."""
    recipe: Recipe
    """Everything besides the configurations that may change a pixel."""
    channels: tuple[RecordedChannel, ...]
    """One a channel."""
    t: tuple[int, ...] | None
    """Time points that were denoised; ``None`` for all."""
    z: tuple[int, ...] | None
    """Depths that were denoised; ``None`` for all."""
    dtype: str | None
    """``float32`` where the result is, ``None`` for the pixel type of the source."""
    device: str | None
    """Torch device that it was made on, where that is known."""
    given: Given = NOTHING
    """What was said of the image itself beside its header."""
    warnings: tuple[str, ...] = ()
    """In what it cannot be repeated exactly, in words."""

    def warnings_on(self, device: str) -> tuple[str, ...]:
        """Return in what it cannot be repeated exactly on a device, in words."""
        if self.device is None or self.device.partition(":")[0] == device.partition(":")[0]:
            return self.warnings
        return (*self.warnings, f"--recipe {self.target}: made on {self.device}, now {device}: pixels differ")

    def channel(self, channel: ChannelMetadata) -> RecordedChannel | str:
        """Return what was done with the channel of the same index and name, or why there is none."""
        for one in self.channels:
            if one.index == channel.index and one.name == channel.name:
                return one
        has = ", ".join(f"{one.index} {one.name or ''}".rstrip() for one in self.channels)
        own = f"{channel.index} {channel.name or ''}".rstrip()
        return f"the recipe of {self.target} has no channel {own!r}; it has {has}"


def read_recorded(target: str) -> Recorded:
    """Read how one result was made.

    Parameters
    ----------
    target : str
        Path or URI of the image group, or of a store or folder that holds it alone.

    Raises
    ------
    OptionError
        There is not exactly one result there, or what it records is not understood.
    TargetError, SourceError
        It cannot be read.
    """
    ref = _only(target)
    header, attributes = read_header(ref), read_attributes(ref.source) or {}
    where = f"--recipe {public_uri(ref.source)}"
    document = attributes.get("recipe")
    if not isinstance(document, Mapping):
        raise OptionError(where, "no recipe is recorded there", "a result of this program")
    run = attributes.get("run")
    device = run.get("device") if isinstance(run, Mapping) else None
    recipe, warnings = _recipe(document, where)
    return Recorded(
        target=public_uri(ref.source),
        recipe=recipe,
        channels=tuple(_channels(document, where)),
        t=_indices(document, "t", header, where),
        z=_indices(document, "z", header, where),
        dtype="float32" if header.dtype == "float32" else None,
        device=device if isinstance(device, str) else None,
        given=given_again(
            _typed(str | None, document.get("axes"), f"{where}: axes"),  # type: ignore[arg-type]
            _typed(dict[str, float], document.get("pixel_size_um", {}), f"{where}: pixel_size_um"),
            where,
        ),
        warnings=(*warnings, *_other_software(document, where)),
    )


def check_alone(choices: Choices) -> None:
    """Refuse choices that a recorded recipe has settled.

    Raises
    ------
    OptionError
        If one of them is not left as it is by default.
    """
    default = Choices()
    refuse_beside([name for name in sorted(RECORDED) if getattr(choices, name) != getattr(default, name)])


def refuse_beside(names: list[str]) -> None:
    """Refuse the named choices, if any, beside ``--recipe``."""
    if names:
        options = ", ".join(f"--{name.removesuffix('_px').replace('_', '-')}" for name in names)
        raise OptionError(
            f"--recipe, {options}", "both given", "the recipe alone, which has settled the rest"
        )


def _only(target: str) -> ImageRef:
    found = list(walk_results([target]))
    refs = [item for item in found if isinstance(item, ImageRef)]
    if len(refs) != 1:
        skips = [f"{item.source}: {item.reason}" for item in found if isinstance(item, Skipped)]
        shown = ", ".join([*(ref.source for ref in refs[:3]), *skips[:3]])
        raise OptionError("--recipe", f"{len(refs)} results at {target} ({shown})", "the path of one result")
    return refs[0]


def _recipe(document: Mapping[str, Any], where: str) -> tuple[Recipe, list[str]]:
    known = {field.name: field for field in fields(Recipe)}
    unknown = document.keys() - known.keys() - _BESIDE
    if unknown:
        found = f"the fields {', '.join(sorted(unknown))}, which this version does not know"
        raise OptionError(where, found, "a recipe of this version", "install the version that made it")
    warnings = [
        f"{where}: made before {name} was recorded; {field.default!r} is taken"
        for name, field in known.items()
        if name not in document and field.default is not MISSING
    ]
    recipe = _typed(Recipe, {name: value for name, value in document.items() if name in known}, where)
    counts = (recipe.starts, recipe.ascending_times, recipe.threads)
    has_method = recipe.starts > 0 or (recipe.starts == 0 and recipe.mixed and recipe.filters)
    if not 0 <= recipe.halo_px < recipe.tile_px or min(counts[1:]) < 1 or not has_method:
        found = f"tile_px {recipe.tile_px}, halo_px {recipe.halo_px}; starts, times, threads {counts}"
        raise OptionError(where, found, "a halo smaller than the tile, and one or more of each")
    return recipe, warnings


def _typed(kind: type[Value], document: object, where: str) -> Value:
    """Return a JSON value as a frozen value, its types checked strictly."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - a quarter of a second, seldom needed

    try:
        return TypeAdapter(kind).validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        raise OptionError(f"{where}: {at}", first["msg"], "a recipe of this program") from error


def _channels(document: Mapping[str, Any], where: str) -> Iterator[RecordedChannel]:
    entries = document.get("channels")
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        at = f"{where}: channels[{number}]"
        if not isinstance(entry, Mapping):
            raise OptionError(at, f"found {entry!r:.100}", "a JSON object")
        plain = {name: entry.get(name) for name in ("index", "name", "microscope", "specimen")}
        match = None
        if "config" in entry:
            parse_config(entry["config"], f"{at}.config")  # within bounds, as those of a table are
            match = {**entry["match"], "config": entry["config"]} if "match" in entry else {}
        yield _typed(RecordedChannel, {**plain, "match": match}, at)


def _indices(document: Mapping[str, Any], axis: str, header: Header, where: str) -> tuple[int, ...] | None:
    indices = _typed(tuple[int, ...], document.get(axis), f"{where}: {axis}")
    return None if indices == tuple(range(header.size(axis))) else indices


def _other_software(document: Mapping[str, Any], where: str) -> Iterator[str]:
    recorded = document.get("software")
    for name, version in changes_pixels().items():
        old = recorded.get(name) if isinstance(recorded, Mapping) else None
        if old != version:
            yield f"{where}: made with {name} {old}, now {version}: pixels may differ"
