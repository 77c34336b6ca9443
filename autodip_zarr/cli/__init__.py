"""The command line: arguments to calls, results to text; the only layer that prints."""

from __future__ import annotations

import click

from autodip_zarr.cli import measure, results, sources, work
from autodip_zarr.cli.exits import Group

_COMMANDS = (
    sources.plan,
    work.denoise,
    sources.inspect,
    results.verify,
    sources.preview,
    measure.evaluate,
    results.report,
    results.remove,
    work.demo,
)


@click.group(
    cls=Group,
    commands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="autodip-zarr")
def main() -> None:
    """Denoise OME-Zarr and OME-TIFF archives with Deep Image Priors chosen by metadata."""
