"""The command calibrate: a calibration table from pairs of noisy and clean images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from autodip_zarr.cli.config_file import ConfiguredCommand, config_options
from autodip_zarr.cli.exits import EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE
from autodip_zarr.cli.options import choices, device_option, fit_options, json_option, workers_option
from autodip_zarr.cli.printing import print_json, say, say_skipped, show
from autodip_zarr.run.choices import Machine


@click.command(cls=ConfiguredCommand)
@click.argument("sources", nargs=-1, required=True, metavar="PAIRS...")
@click.option(
    "--output", required=True, metavar="TABLE", help="Table to write, .json; all else goes beside it."
)
@click.option(
    "--layout",
    type=click.Choice(["auto", "fmd", "hagen", "biosr", "w2s", "shah"]),
    default="auto",
    show_default=True,
    help="How PAIRS lie on disk: folders noisy and clean, or a CSV of pairs; or as a public set.",
)
@click.option("--levels", metavar="LIST", help="Noise levels of a public set: raw,avg2, or 1,4 captures.")
@click.option(
    "--captures",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Most captures of one field and noise level.",
)
@click.option(
    "--scales",
    type=click.Choice(["auto", "same", "fitted"]),
    default="auto",
    show_default=True,
    help="Whether clean planes are put on the scale of noisy ones first, saturated pixels left out.",
)
@click.option("--depths", metavar="LIST", help="Levels of the network.  [default: 4,5,6,7,8]")
@click.option("--widths", metavar="LIST", help="Channels.  [default: 16,32,64,128,256,512,asc]")
@click.option("--skips", metavar="LIST", help="Channels of skip branches.  [default: 0,4]")
@click.option(
    "--stops",
    metavar="LIST",
    help="Iterations.  [default: for reference 100,200 ... 3000; else 25,50 ... 150, which make 100 to 600]",
)
@click.option(
    "--preset",
    type=click.Choice(["reference", "standard", "best", "prior"]),
    default="standard",
    show_default=True,
    help="Whose recipe is calibrated; each gets a table of its own.",
)
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Fits of each pair.")
@click.option(
    "--crop",
    "crop_px",
    type=click.IntRange(16),
    default=512,
    show_default=True,
    metavar="PX",
    help="Largest side of the part that is used, the one in which the clean plane varies most.",
)
@click.option(
    "--rungs",
    metavar="LIST",
    help="Growing sides instead of --crop: 64,128,256. All networks on the first, good ones on the next.",
)
@click.option(
    "--complete",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Pairs that are measured with all networks on every rung, to see whether rungs agree.",
)
@click.option(
    "--choose",
    type=click.Choice(["cheapest", "paper"]),
    default="cheapest",
    show_default=True,
    help="Default of the table: the cheapest within one standard error of the best, or the sum of ranks.",
)
@click.option("--add", metavar="TABLE", help="Extend this table: its other groups are kept.")
@click.option("--who", default="not said", show_default=True, metavar="TEXT", help="Who calibrates.")
@click.option("--hours", type=click.FloatRange(0, min_open=True), help="Begin no fit that would end later.")
@click.option("--page", metavar="FILE", help="Write a page of what was chosen, with plots, HTML.")
@click.option("--plan", "plan_only", is_flag=True, help="Say what would be measured, and how long it takes.")
@click.option("--microscope", metavar="TERM", help="Imaging modality of all pairs, e.g. confocal.")
@click.option("--specimen", metavar="TERM", help="Labelled structure of all pairs, e.g. nucleus.")
@click.option("--patterns", metavar="FILE", help="TOML of what file and folder names mean; a guess.")
@click.option("--vocabulary", metavar="FILE", help="TOML of terms of your own.")
@fit_options
@device_option
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler.  [default: a local cluster]")
@click.option("--cluster", metavar="FILE", help="TOML of Slurm jobs, or of cards, to start workers on.")
@workers_option
@click.option("--in-process", is_flag=True, help="Work in this process, fit by fit, without workers.")
@json_option
@config_options
def calibrate(sources: Sequence[str], *, as_json: bool, device: str, **arguments: Any) -> None:  # noqa: ANN401
    """Find the configurations that suit pairs of noisy and clean images, and write them as a table.

    PAIRS are folders with the folders noisy and clean, CSV files with the columns noisy, clean, and perhaps
    microscope, specimen, field, roots of public sets (--layout), and measurements of earlier runs (.zarr),
    which are joined. One fit serves all stops. The same command again goes on where it stopped.
    """
    from autodip_zarr.report.calibration import (  # noqa: PLC0415
        plan_document,
        plan_lines,
        report_of,
        telling,
    )
    from autodip_zarr.run.calibrating.calibrate import prepare, settle_machine  # noqa: PLC0415
    from autodip_zarr.run.planning.speed import measure_speed  # noqa: PLC0415

    names = ("workers", "scheduler", "cluster", "in_process")
    machine = settle_machine(Machine(device, **{name: arguments[name] for name in names}))
    chosen = choices({**arguments, "output": None})  # which is no folder of results here
    prepared = prepare(_question(sources, arguments), chosen, machine.device)
    units = prepared.left()
    if units and sys.stderr.isatty():  # who waits at a terminal is told after a short measurement, once
        measure_speed(machine.device)
    nothing = not prepared.plan.pairs and not prepared.earlier
    if arguments["plan_only"] or nothing:
        say_skipped(prepared.plan.skipped)
        if as_json:
            print_json(plan_document(prepared, units, machine))
        else:
            show(*plan_lines(prepared, units, machine))
        is_whole = not prepared.plan.skipped
        sys.exit(EXIT_USAGE if nothing else EXIT_DONE if is_whole else EXIT_INCOMPLETE)
    say(*plan_lines(prepared, units, machine))
    report = report_of(prepared, machine, telling(say), arguments["hours"])
    say_skipped(report.skipped)
    if arguments["page"] is not None:
        from autodip_zarr.report.streams import write_named_file  # noqa: PLC0415

        write_named_file("--page", arguments["page"], report.page())
        say(f"page: {arguments['page']}")
    if as_json:
        print_json(report.document())
    else:
        show(*report.lines())
    if report.problem is not None:
        say(f"no table: {report.problem}")
    if report.left:
        say(f"{report.left} fits are left; the same command goes on with them")
    sys.exit(EXIT_DONE if report.is_whole else EXIT_INCOMPLETE)


def _question(sources: Sequence[str], arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - loaded late
    from autodip_zarr.calibration.grid import parse_grid, parse_rungs  # noqa: PLC0415
    from autodip_zarr.run.calibrating.calibrate import Question, usual_grid  # noqa: PLC0415
    from autodip_zarr.run.calibrating.output import Output  # noqa: PLC0415

    levels = arguments["levels"]
    rungs = parse_rungs(arguments["rungs"])
    parts = ("depths", "widths", "skips", "stops")
    same = ("seeds", "layout", "captures", "scales", "add", "complete")
    return Question(
        sources=tuple(sources),
        output=Output(arguments["output"], arguments["choose"], arguments["who"]),
        grid=parse_grid(**{name: arguments[name] for name in parts}, usual=usual_grid(arguments["preset"])),
        levels=None if levels is None else tuple(part.strip() for part in levels.split(",")),
        crop_px=rungs[-1] if rungs else arguments["crop_px"],
        rungs=rungs,
        **{name: arguments[name] for name in same},
    )
