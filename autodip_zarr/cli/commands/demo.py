"""The command demo: a simulated archive from beginning to end."""

from __future__ import annotations

import sys

import click

from autodip_zarr.cli.options import workers_option
from autodip_zarr.cli.printing import show
from autodip_zarr.run.choices import Machine


@click.command()
@click.option("--output", default="autodip-demo", show_default=True, metavar="DIR", help="Folder to work in.")
@workers_option
@click.option("--table", default="published", show_default=True, help="Calibration table: a name or a path.")
def demo(output: str, workers: int | None, table: str) -> None:
    """Simulate a small archive, denoise it, and show what came of it."""
    from autodip_zarr.demo import run_demo  # noqa: PLC0415
    from autodip_zarr.report.progress import watching  # noqa: PLC0415

    with watching(sys.stderr) as watch:
        outcome = run_demo(output, Machine(workers=workers), watch, table)
    show(*outcome.table())
    for label, path in outcome.paths():
        show(f"{label}: {path}")
