"""Tables that stand behind one another: a person's own first, then the shipped ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from autodip_zarr.calibration.match import MatchOptions, find_match
from autodip_zarr.calibration.table import Table, is_shipped_name, load_table
from autodip_zarr.domain import ChannelMetadata, Match
from autodip_zarr.errors import OptionError

__all__ = ["find_in_stack", "load_stack"]

_BEHIND: Final = ("published",)
"""Shipped tables behind a person's own, in this order."""


def load_stack(name_or_path: str) -> tuple[Table, ...]:
    """Read a table and those that stand behind it.

    Parameters
    ----------
    name_or_path : str
        Path of a table: the shipped ones stand behind it. Name of a shipped table: that one alone.

    Raises
    ------
    TableError
        If there is no such table, or it is not valid.
    """
    first = load_table(name_or_path)
    if is_shipped_name(name_or_path):
        return (first,)
    return (first, *(load_table(name) for name in _BEHIND))


def find_in_stack(
    channel: ChannelMetadata, tables: Sequence[Table], options: MatchOptions, preset: str
) -> Match:
    """Choose the configuration of the best tier in any table; where several reach it, of the first of these.

    Terms of the channel itself come before those that they are related to, whichever table has them.

    Parameters
    ----------
    channel : ChannelMetadata
        What is known of the channel.
    tables : sequence of Table
        The first has precedence.
    options : MatchOptions
        Metric, tiers, relations; tables that lack the metric are passed over.
    preset : str
        Preset of the recipe; a configuration that another one was calibrated with is warned about.

    Raises
    ------
    OptionError
        If no table has the metric.
    """
    metrics = tuple(dict.fromkeys(metric for table in tables for metric in table.metrics))
    having = [table for table in tables if options.metric is None or options.metric in table.metrics]
    if not having:
        raise OptionError("metric", repr(options.metric), f"one of {', '.join(metrics)}")
    found = [(find_match(channel, table, options), table) for table in having]
    match, table = min(found, key=lambda one: (options.tiers.index(one[0].tier), _replaced(one[0])))
    entry = table.find(match.metric, match.group)
    if entry is None or entry.found is None:
        return match
    calibrated = table.measured[entry.found.by].preset
    if calibrated == preset:
        return match
    warning = f"the table {table.id.name} was calibrated with preset {calibrated}, and this is {preset}"
    return replace(match, warnings=(*match.warnings, warning))


def _replaced(match: Match) -> int:
    """Return how many terms had to be replaced by related ones."""
    return len(match.group) - len(match.agreed)
