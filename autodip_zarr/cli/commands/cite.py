"""The command cite: the methods paragraph of a paper."""

from __future__ import annotations

import sys

import click

from autodip_zarr.cli.exits import EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE
from autodip_zarr.cli.options import json_option
from autodip_zarr.cli.printing import print_json, say_skipped, show


@click.command()
@click.argument("target", metavar="TARGET")
@click.option("--bibtex", "as_bibtex", is_flag=True, help="Print the references as BibTeX, and nothing else.")
@json_option
def cite(target: str, *, as_bibtex: bool, as_json: bool) -> None:
    """Write the methods paragraph of a paper about a result, or all results below a folder.

    Versions, table, preset and numbers of planes are those that the results record; images that were
    denoised in different ways get a paragraph each.
    """
    from autodip_zarr.domain import Skipped  # noqa: PLC0415
    from autodip_zarr.report.citation.paragraph import bibtex, cited_methods, reference_lines  # noqa: PLC0415
    from autodip_zarr.report.documents import cite_document  # noqa: PLC0415
    from autodip_zarr.run.results.review import review_target  # noqa: PLC0415

    images, left = [], []
    for item in review_target(target):
        if isinstance(item, Skipped):
            left.append(item)
        elif item.status != "complete":
            left.append(Skipped(item.target, f"its status is {item.status}, not complete", is_error=True))
        else:
            images.append(item)
    say_skipped(left)
    if not images:
        sys.exit(EXIT_USAGE)
    methods = cited_methods(images)
    if as_json:
        print_json(cite_document(methods))
    elif as_bibtex:
        show(*bibtex(methods).splitlines())
    else:
        show(*(line for method in methods for line in (method.text, "")), *reference_lines(methods))
    sys.exit(EXIT_INCOMPLETE if left else EXIT_DONE)
