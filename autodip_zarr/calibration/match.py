"""Which configuration of a table fits a channel, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from autodip_zarr.calibration.table import GROUP_FIELDS, Entry, Table
from autodip_zarr.domain import ChannelMetadata, Match
from autodip_zarr.errors import OptionError

__all__ = ["MatchOptions", "find_match"]

_GLOBAL = "global"
_DEFAULT_TIERS = ("microscope+specimen", "microscope", _GLOBAL)
"""The order of the paper."""


@dataclass(frozen=True)
class MatchOptions:
    """What a match may do.

    Raises
    ------
    OptionError
        If a tier is unknown, or ``global`` is not the last one.
    """

    metric: str | None = None
    """Metric by which the table chose; ``None`` for the table's default."""
    tiers: tuple[str, ...] = _DEFAULT_TIERS
    """Fields that must agree, joined by ``+``, best first; the last is ``global``."""
    relations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Terms that a term may be replaced by where it is not calibrated itself, nearest first."""
    use_relations: bool = True
    """Whether relations are used at all."""

    def __post_init__(self) -> None:
        for tier in self.tiers:
            if tier != _GLOBAL and not set(tier.split("+")) <= set(GROUP_FIELDS):
                raise OptionError(
                    "tiers", repr(tier), f"{', '.join(GROUP_FIELDS)} joined by '+', or 'global'"
                )
        if self.tiers.count(_GLOBAL) != 1 or self.tiers[-1] != _GLOBAL:
            raise OptionError(
                "tiers", repr(self.tiers), "an order whose last tier, and only that, is 'global'"
            )


@dataclass(frozen=True)
class _Found:
    """An entry, and the terms that had to be replaced to reach it."""

    entry: Entry
    """The entry."""
    replaced: tuple[tuple[str, str, str], ...]
    """Field, own term, related term."""


def find_match(channel: ChannelMetadata, table: Table, options: MatchOptions) -> Match:
    """Choose the configuration of the best tier that agrees with a channel.

    Within a tier the channel's own terms come first, then those that they are related to. Nothing but
    ``global`` is a result, with a warning.

    Parameters
    ----------
    channel : ChannelMetadata
        What is known of the channel.
    table : Table
        Calibration table.
    options : MatchOptions
        Metric, tiers, relations.

    Returns
    -------
    Match
        Configuration and explanation.

    Raises
    ------
    OptionError
        If the table has no such metric.
    """
    metric = options.metric or table.default_metric
    if metric not in table.metrics:
        raise OptionError("metric", repr(metric), f"one of {', '.join(table.metrics)}")
    terms = {name: getattr(channel, name) for name in GROUP_FIELDS}
    failed: list[str] = []
    for tier in options.tiers:
        fields = () if tier == _GLOBAL else tuple(tier.split("+"))
        found = _find(table, metric, _candidates(fields, terms, options))
        if found is None:
            failed.append(tier)
            continue
        missing = _missing(failed, fields, terms, table)
        return Match(
            config=found.entry.config,
            tier=tier,
            group=dict(found.entry.group),
            agreed=tuple(name for name in fields if terms[name] == found.entry.group[name]),
            missing=missing,
            metric=metric,
            table=table.id,
            warnings=_warnings(found, missing, terms),
        )
    raise OptionError("tiers", repr(options.tiers), "an order that ends with 'global'")


def _candidates(
    fields: tuple[str, ...], terms: Mapping[str, str | None], options: MatchOptions
) -> Iterator[tuple[tuple[str, str, str], ...]]:
    """Yield (field, own term, term to look for) per field, own terms first, fewest replacements next."""
    choices: list[list[tuple[str, str, str]]] = []
    for name in fields:
        own = terms[name]
        if own is None:
            return
        related = options.relations.get(own, ()) if options.use_relations else ()
        choices.append([(name, own, term) for term in (own, *related)])
    combined = product(*choices)
    yield from sorted(combined, key=lambda one: sum(own != term for _, own, term in one))


def _find(table: Table, metric: str, candidates: Iterator[tuple[tuple[str, str, str], ...]]) -> _Found | None:
    for candidate in candidates:
        entry = table.find(metric, {name: term for name, _, term in candidate})
        if entry is not None:
            return _Found(entry, tuple(one for one in candidate if one[1] != one[2]))
    return None


def _missing(
    failed: list[str], fields: tuple[str, ...], terms: Mapping[str, str | None], table: Table
) -> tuple[str, ...]:
    """Fields that the better tiers would have needed: unknown, or not calibrated (together)."""
    needed = dict.fromkeys(name for tier in failed for name in tier.split("+") if name not in fields)
    calibrated = {(name, term) for entry in table.entries for name, term in entry.group.items()}
    lacking = tuple(name for name in needed if terms[name] is None or (name, terms[name]) not in calibrated)
    return lacking or tuple(needed)


def _warnings(found: _Found, missing: tuple[str, ...], terms: Mapping[str, str | None]) -> tuple[str, ...]:
    warnings = [
        f"{name} {own!r} is not calibrated; that of {term!r}, to which the vocabulary relates it, is used"
        for name, own, term in found.replaced
    ]
    if not found.entry.group:
        reasons = ", ".join(
            f"{name} is unknown" if terms[name] is None else f"{name} {terms[name]!r} is not calibrated"
            for name in missing
        )
        warnings.append(f"only the average over all calibration images matched ({reasons})")
    return tuple(warnings)
