"""The command preview: one plane, noisy and denoised."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import click

from autodip_zarr.cli.options import (
    choices,
    device_option,
    knowledge_options,
    method_options,
    places_options,
    stop_option,
)
from autodip_zarr.cli.printing import print_drawn, show


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option(
    "--channel",
    "--channels",
    "channel",
    default="0",
    show_default=True,
    metavar="LIST",
    help="Channel, by name or index; the first of several.",
)
@click.option(
    "--t", "at_t", default="0", show_default=True, metavar="LIST", help="Time point; the first of several."
)
@click.option(
    "--z", "at_z", metavar="LIST", help="Depth; the middle one of several.  [default: the middle one]"
)
@places_options
@click.option("--crop", metavar="Y,X,HEIGHT,WIDTH", help="Part of the plane, in pixels.")
@click.option("--picture", default="preview.png", show_default=True, help="PNG to write.")
@click.option("--show", "is_shown", is_flag=True, help="Draw it in the terminal, too.")
@knowledge_options
@method_options
@stop_option
@device_option
def preview(source: str, *, device: str, picture: str, is_shown: bool, **arguments: Any) -> None:  # noqa: ANN401
    """Denoise one plane or a crop of it: noisy, denoised and residual as a picture, and the time taken."""
    from autodip_zarr.report.progress import watching_fit  # noqa: PLC0415
    from autodip_zarr.report.tables import preview_lines  # noqa: PLC0415
    from autodip_zarr.report.terminal import knows_true_color, picture_lines  # noqa: PLC0415
    from autodip_zarr.run.scheduling.machine import settle_device  # noqa: PLC0415
    from autodip_zarr.run.trials.preview import PlaneChoice, preview_plane  # noqa: PLC0415
    from autodip_zarr.shown.pictures import before_and_after, compose  # noqa: PLC0415

    where = PlaneChoice(arguments["channel"], arguments["at_t"], arguments["at_z"], arguments["crop"])
    chosen, device = choices({**arguments, "any_contrast": True}), settle_device(device)
    with watching_fit(sys.stderr) as tell:
        result = preview_plane(source, where, chosen, device, tell)
    panels = before_and_after(result.noisy, result.denoised)
    compose([panels]).save(picture)
    if is_shown and sys.stdout.isatty():  # elsewhere it would be no picture
        columns = shutil.get_terminal_size().columns
        print_drawn(picture_lines(panels, columns, is_true_color=knows_true_color()))
    show(*preview_lines(result), f"picture: {picture}")
