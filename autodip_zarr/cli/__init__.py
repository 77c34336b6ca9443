"""The command line: arguments to calls, results to text; the only layer that prints."""

from __future__ import annotations

import click

from autodip_zarr.cli.commands.biomero import biomero
from autodip_zarr.cli.commands.calibrate import calibrate
from autodip_zarr.cli.commands.cite import cite
from autodip_zarr.cli.commands.demo import demo
from autodip_zarr.cli.commands.denoise import denoise
from autodip_zarr.cli.commands.evaluate import evaluate
from autodip_zarr.cli.commands.export import export
from autodip_zarr.cli.commands.inspect import inspect
from autodip_zarr.cli.commands.plan import plan
from autodip_zarr.cli.commands.preview import preview
from autodip_zarr.cli.commands.remove import remove
from autodip_zarr.cli.commands.report import report
from autodip_zarr.cli.commands.verify import verify
from autodip_zarr.cli.exits import Group

_COMMANDS = (
    biomero,
    calibrate,
    cite,
    demo,
    denoise,
    evaluate,
    export,
    inspect,
    plan,
    preview,
    remove,
    report,
    verify,
)


@click.group(
    cls=Group,
    commands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="autodip-zarr")
def main() -> None:
    """Denoise OME-Zarr and OME-TIFF archives with Deep Image Priors chosen by metadata."""
