"""The command remove: a result that was written back is taken out again."""

from __future__ import annotations

import click

from autodip_zarr.cli.printing import show


@click.command()
@click.argument("target", metavar="TARGET")
def remove(target: str) -> None:
    """Take a written-back result out of its source store again."""
    from autodip_zarr.run.locks.locking import turn  # noqa: PLC0415
    from autodip_zarr.stores import remove_target  # noqa: PLC0415

    remove_target(target, turn)
    show(f"removed: {target}")
