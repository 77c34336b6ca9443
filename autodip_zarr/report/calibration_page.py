"""A page about a calibration: what was chosen, regret along the stops, against cost, noise and networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from autodip_zarr.calibration.choice import Choice, Floats, group_regrets
from autodip_zarr.domain import DipConfig
from autodip_zarr.report.calibration import CHOICE_COLUMNS, EXPLAINED, choice_rows
from autodip_zarr.report.plots import Axes, Series, heat_map, plot
from autodip_zarr.run.calibrating.calibrate import Basis, Outcome
from autodip_zarr.run.planning.totals import config_name, group_name
from autodip_zarr.shown.html import Html, chart, heading, page, paragraph, pictures, table, warning_list

_MOST_GROUPS = 20
_NAMED = 5
"""Networks whose curves have names."""


def calibration_page(outcome: Outcome) -> str:
    """Return a page about what was chosen, whole in itself."""
    parts = [
        warning_list(f"{skip.where}: {skip.reason}" for skip in outcome.skipped),
        heading("What was chosen"),
        table(CHOICE_COLUMNS, choice_rows(outcome)),
        paragraph(EXPLAINED, small=True),
    ]
    groups = list({group_name(one.group): one.group for one in outcome.chosen}.values())
    if outcome.basis is not None:
        for group in groups[:_MOST_GROUPS]:
            chosen = [one for one in outcome.chosen if one.group == group]
            parts += [heading(group_name(group)), pictures(_plots(_Group(outcome.basis, group, chosen)))]
    if len(groups) > _MOST_GROUPS:
        parts.append(paragraph(f"Plots of the first {_MOST_GROUPS} of {len(groups)} groups."))
    return page("Calibration", parts)


class _Group:
    """The regrets of a group, by configuration."""

    def __init__(self, basis: Basis, group: Mapping[str, str], chosen: Sequence[Choice]) -> None:
        self.scored, self.grid, self.noise_std = basis.scored, basis.grid, basis.noise_std
        self.chosen = chosen
        self.inside, self.regrets = group_regrets(self.scored, group)

    @property
    def by_network(self) -> Floats:
        """(depth, width, skip, stop) mean regret over the fields, in dB; NaN where it was not measured."""
        grid = self.grid
        shape = (len(grid.depths), len(grid.widths), len(grid.skips), len(grid.stops))
        return self.regrets.reshape(shape)


def _plots(group: _Group) -> Iterator[Html]:
    yield chart("Regret along the stops, the best networks by name", _along_stops(group))
    yield chart("Cost against regret of all configurations; chosen ones by name", _pareto(group))
    yield chart("Best stop of each pair with the chosen network, against its noise", _against_noise(group))
    grid, regrets = group.grid, group.by_network
    rows, columns = [str(depth) for depth in grid.depths], [str(width) for width in grid.widths]
    for index, skip in enumerate(grid.skips):
        best = _least(regrets[:, :, index])
        caption = f"Least regret over the stops, in dB: depths down, widths across, skip {skip}"
        yield chart(caption, heat_map(rows, columns, best.tolist()))


def _least(regrets: Floats) -> Floats:
    """Return the least over the last axis; NaN where nothing was measured."""
    filled = np.where(np.isfinite(regrets), regrets, np.inf).min(axis=-1)
    return np.where(np.isfinite(filled), filled, np.nan)


def _along_stops(group: _Group) -> bytes:
    grid = group.grid
    curves = group.by_network.reshape(-1, len(grid.stops))
    networks = list(grid.networks())
    order = np.argsort(np.nan_to_num(_least(curves), nan=np.inf), kind="stable")[:_NAMED].tolist()
    series = [
        Series(
            _network_name(networks[index]) if index in order else "",
            list(zip(grid.stops, curve, strict=True)),
        )
        for index, curve in enumerate(curves.tolist())
    ]
    return plot(Axes("iterations of the table", "regret (dB)"), series)


def _network_name(config: DipConfig) -> str:
    return f"{config.depth}/{config.width}/{config.skip}"


def _pareto(group: _Group) -> bytes:
    costs, regrets = group.scored.costs.tolist(), group.regrets.tolist()
    series = [Series("", list(zip(costs, regrets, strict=True)), is_line=False)]
    for choice in group.chosen:
        name = f"{choice.rule} {config_name(choice.config)}"
        series.append(Series(name, [(choice.cost, choice.regret_db)], is_line=False))
    return plot(Axes("cost (1 = the original prior on 512x512)", "regret (dB)", log_x=True), series)


def _against_noise(group: _Group) -> bytes:
    scored, stops = group.scored, group.grid.stops
    series = []
    for choice in group.chosen:
        same = [
            index
            for index, config in enumerate(scored.configs)
            if replace(config, iterations=0) == replace(choice.config, iterations=0)
        ]
        points = []
        for pair in group.inside:
            levels = np.nanmean(scored.psnr[pair][:, same], axis=0)
            points.append((float(group.noise_std[pair]), float(stops[int(np.argmax(levels))])))
        series.append(Series(f"{choice.rule} {_network_name(choice.config)}", points, is_line=False))
    return plot(Axes("noise over the range of the plane", "best stop"), series)
