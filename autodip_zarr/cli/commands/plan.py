"""The command plan: what a run would do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click

from autodip_zarr.cli.config_file import config_options
from autodip_zarr.cli.exits import exit_code
from autodip_zarr.cli.options import (
    OverwritingCommand,
    choices,
    destination_options,
    device_option,
    json_option,
    loudness,
    loudness_options,
    planning_options,
    sources_argument,
)
from autodip_zarr.cli.printing import print_part, say_warnings, show


@click.command(cls=OverwritingCommand)
@sources_argument
@planning_options
@destination_options
@device_option
@json_option
@loudness_options
@config_options
def plan(sources: Sequence[str], *, as_json: bool, device: str, **arguments: Any) -> None:  # noqa: ANN401
    """Print what would be done, without reading a pixel."""
    from autodip_zarr.report.plans import detailed_lines, forecast_line, plan_json, plan_lines, short_lines  # noqa: PLC0415
    from autodip_zarr.run.planning.forecast import forecast  # noqa: PLC0415
    from autodip_zarr.run.planning.plan import Planning  # noqa: PLC0415
    from autodip_zarr.run.planning.speed import known_speed, measure_speed  # noqa: PLC0415
    from autodip_zarr.run.scheduling.machine import settle_device  # noqa: PLC0415

    loud = loudness(arguments)
    planning = Planning(sources, choices(arguments), settle_device(device))
    if as_json:
        for part in plan_json(planning):
            print_part(part)
        if loud != "quiet":
            say_warnings(planning.warnings())
    elif loud == "quiet":
        for line in short_lines(planning):
            show(line)
    elif loud == "verbose":
        for line in detailed_lines(planning):
            show(line)
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for line in plan_lines(planning, one_line_an_image=width is None, width=width):
            show(line)
    totals = planning.totals()
    if not as_json and loud != "quiet" and totals.planes:
        # people who wait at a terminal are told after a short measurement, once; programs never wait for one
        speed = (measure_speed if sys.stdout.isatty() else known_speed)(planning.device)
        show(forecast_line(forecast(totals, planning.device, speed)))
    found = totals.images + totals.complete + totals.left > 0
    left_out = totals.errors + sum(totals.skipped.values())
    sys.exit(exit_code(found=found, errors=totals.errors + totals.left, skipped=left_out))
