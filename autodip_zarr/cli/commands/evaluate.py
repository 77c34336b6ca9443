"""The command evaluate: methods measured against clean images."""

from __future__ import annotations

import sys
from typing import Any

import click

from autodip_zarr.cli.exits import EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE, interrupted_code
from autodip_zarr.cli.options import (
    choices,
    device_option,
    fit_options,
    json_option,
    knowledge_options,
    planes_options,
    transfer_options,
)
from autodip_zarr.cli.printing import print_json, say, say_skipped, show


@click.command()
@click.option(
    "--noisy", multiple=True, required=True, metavar="P", help="Noisy image, or folder of them; repeatable."
)
@click.option(
    "--clean", multiple=True, required=True, metavar="P", help="Clean image, or folder of the same names."
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    default=("noisy", "blur", "standard"),
    show_default=True,
    metavar="M",
    help="noisy, blur (the best one by the clean image, an upper bound), blur:1.5 (of pixels), means, "
    "variation, wavelets, bm3d (means:1.2 for another strength), best-means, best-variation (upper bounds), "
    "original-dip, reference, standard, best, prior, fast, or a folder of results; repeatable.",
)
@click.option(
    "--crop",
    metavar="Y,X,HEIGHT,WIDTH",
    help="Part of each plane, in pixels; or the side of the square in which the clean image varies most.",
)
@click.option(
    "--lpips-range",
    type=click.Choice(["unit", "signed"]),
    default="unit",
    show_default=True,
    help="Give LPIPS values of 0 to 1, as the published calibration did, or of -1 to 1, as it was made for.",
)
@click.option("--page", metavar="FILE", help="Write a page of pictures and numbers, HTML.")
@click.option("--csv", "csv_file", metavar="FILE", help="Write the numbers as CSV.")
@knowledge_options
@transfer_options
@fit_options
@planes_options
@device_option
@json_option
def evaluate(*, as_json: bool, device: str, page: str | None, **arguments: Any) -> None:  # noqa: ANN401
    """Measure methods on pairs of noisy and clean images: PSNR, SSIM and LPIPS.

    Images are PNG, TIFF, OME-TIFF or OME-Zarr; those of two folders are paired by name.
    """
    from autodip_zarr.report.evaluation import EvaluationInterrupted  # noqa: PLC0415
    from autodip_zarr.report.evaluation import evaluate as measure  # noqa: PLC0415

    interrupted: BaseException | None = None
    how = {name: arguments[name] for name in ("methods", "crop", "lpips_range")}
    try:
        report = measure(
            arguments["noisy"],
            arguments["clean"],
            choices=choices(arguments),
            device=device,
            watch=say,
            **how,
        )
    except EvaluationInterrupted as error:
        report, interrupted = error.measured, error.__cause__
        say("interrupted; this is what was measured so far")
    say_skipped(report.skipped)
    if page is not None:
        from autodip_zarr.report.streams import write_named_file  # noqa: PLC0415

        write_named_file("--page", page, report.page())
        say(f"page: {page}")
    if arguments["csv_file"] is not None:
        from autodip_zarr.report.streams import write_named_file  # noqa: PLC0415

        write_named_file("--csv", arguments["csv_file"], report.csv())
    if as_json:
        print_json(report.document())
    elif not report.is_empty:
        show(*report.lines())
    if isinstance(interrupted, KeyboardInterrupt):
        sys.exit(interrupted_code(interrupted))
    sys.exit(EXIT_USAGE if report.is_empty else EXIT_INCOMPLETE if report.skipped else EXIT_DONE)
