"""Keep to a limit of cost: a cheaper configuration of the same calibration group, or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from autodip_zarr.calibration import Table
from autodip_zarr.domain import DipConfig, Match

Cost = Callable[[DipConfig], float]
"""Relative cost of one plane; 1.0 is a 512x512 plane with the original prior."""


def within_budget(match: Match, table: Table, cost: Cost, limit: float) -> Match | str:
    """Return a match whose configuration costs no more than a limit, or why there is none.

    Where the match itself costs more, the other metrics of the table are asked for their configuration of the
    same group. Of those within the limit the costliest is taken, which departs least from what was asked for.

    Parameters
    ----------
    match : Match
        Configuration by the metric that was asked for.
    table : Table
        Where it came from.
    cost : callable
        Cost of a plane of the channel with a configuration, under the recipe.
    limit : float
        Largest cost of a plane.

    Returns
    -------
    Match or str
        The match itself; or one of another metric, with a warning that says so; or the reason.
    """
    asked = cost(match.config)
    if asked <= limit:
        return match
    entries = [entry for entry in table.entries if dict(entry.group) == dict(match.group)]
    priced = [(cost(entry.config), entry) for entry in entries]
    fitting = [one for one in priced if one[0] <= limit]
    if not fitting:
        cheapest, entry = min(priced, key=lambda one: one[0])
        return (
            f"every configuration of its group costs more than --max-cost {limit:g};"
            f" a plane costs {asked:.3g}, and {cheapest:.3g} by metric {entry.metric}"
        )
    price, entry = max(fitting, key=lambda one: one[0])
    warning = (
        f"the configuration by metric {entry.metric} is used, at {price:.3g} a plane; that by {match.metric}"
        f" costs {asked:.3g}, more than --max-cost {limit:g}"
    )
    return replace(match, config=entry.config, metric=entry.metric, warnings=(*match.warnings, warning))
