"""The command verify: whether results are whole and valid."""

from __future__ import annotations

import sys

import click

from autodip_zarr.cli.exits import EXIT_DONE, EXIT_INCOMPLETE
from autodip_zarr.cli.options import json_option
from autodip_zarr.cli.printing import print_json, show


@click.command()
@click.argument("target", metavar="TARGET")
@json_option
def verify(target: str, *, as_json: bool) -> None:
    """Check that a result, or all results below a folder, are whole and valid."""
    from autodip_zarr.report.documents import verify_document  # noqa: PLC0415
    from autodip_zarr.run.results.verify import shown, verify_target  # noqa: PLC0415

    findings = verify_target(target)
    if as_json:
        print_json(verify_document(findings))
    else:
        for finding in findings:
            show(f"{finding.status}: {finding.target}")
            for line in shown(finding):
                show(f"  {line}")
            if finding.hint:
                show(f"  hint: {finding.hint}")
    sys.exit(EXIT_DONE if findings.are_whole else EXIT_INCOMPLETE)
