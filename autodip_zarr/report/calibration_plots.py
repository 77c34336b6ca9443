"""Plots of a calibration: regret along the stops, against cost and by network, and stops against noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from autodip_zarr.calibration.choice import Choice, Floats, group_regrets
from autodip_zarr.domain import DipConfig
from autodip_zarr.report.plots import Axes, Series, heat_map, plot
from autodip_zarr.run.calibrating.calibrate import Basis
from autodip_zarr.run.planning.totals import config_name
from autodip_zarr.shown.html import Html, pictures, plotted

_NAMED = 5
"""Networks whose curves have names."""


def group_plots(basis: Basis, chosen: Sequence[Choice]) -> Html:
    """Return the plots of one group.

    Parameters
    ----------
    basis : Basis
        What was chosen from.
    chosen : sequence of Choice
        What was chosen for the group, one for each rule, at least one.
    """
    return pictures(_plots(_Group(basis, chosen[0].group, chosen)))


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
    yield plotted("Regret along the stops, the best networks by name", _along_stops(group))
    yield plotted("Cost against regret of all configurations; chosen ones by name", _pareto(group))
    yield plotted("Best stop of each pair with the chosen network, against its noise", _against_noise(group))
    grid, regrets = group.grid, group.by_network
    rows, columns = [str(depth) for depth in grid.depths], [str(width) for width in grid.widths]
    for index, skip in enumerate(grid.skips):
        best = _least(regrets[:, :, index])
        caption = f"Least regret over the stops, in dB: depths down, widths across, skip {skip}"
        yield plotted(caption, heat_map(rows, columns, best.tolist()))


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
