"""The command line: arguments to calls, results to text; the only layer that prints."""

from __future__ import annotations

import click

from autodip_zarr.cli.commands import demo, denoise, evaluate, inspect, plan, preview, remove, report, verify
from autodip_zarr.cli.exits import Group

_COMMANDS = (
    demo.demo,
    denoise.denoise,
    evaluate.evaluate,
    inspect.inspect,
    plan.plan,
    preview.preview,
    remove.remove,
    report.report,
    verify.verify,
)


@click.group(
    cls=Group,
    commands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="autodip-zarr")
def main() -> None:
    """Denoise OME-Zarr and OME-TIFF archives with Deep Image Priors chosen by metadata."""
