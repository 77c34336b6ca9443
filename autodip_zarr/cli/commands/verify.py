"""The command verify: whether results are whole and valid."""

from __future__ import annotations

import sys

import click

from autodip_zarr.cli.exits import EXIT_DONE, EXIT_INCOMPLETE
from autodip_zarr.cli.options import json_option, loudness, loudness_options
from autodip_zarr.cli.printing import print_json, show


@click.command()
@click.argument("target", metavar="TARGET")
@json_option
@loudness_options
def verify(target: str, *, as_json: bool, **arguments: bool) -> None:
    """Check that a result, or all results below a folder, are whole and valid."""
    from autodip_zarr.report.documents import verify_document  # noqa: PLC0415
    from autodip_zarr.run.results.verify import every_problem, shown, verify_target  # noqa: PLC0415

    loud = loudness(arguments)
    findings = verify_target(target)
    if as_json:
        print_json(verify_document(findings))
    else:
        for finding in findings:
            if loud == "quiet" and finding.is_whole:
                continue
            show(f"{finding.status}: {finding.target}")
            for line in every_problem(finding) if loud == "verbose" else shown(finding):
                show(f"  {line}")
            if loud == "verbose" and finding.checked:
                show(f"  pixels were compared with {finding.checked}")
            if finding.hint:
                show(f"  hint: {finding.hint}")
        if loud != "usual":
            show(findings.in_one_line())
    sys.exit(EXIT_DONE if findings.are_whole else EXIT_INCOMPLETE)
