"""Lines, JSON and files that commands write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from autodip_zarr.errors import OptionError


def say(text: str) -> None:
    """Write a line for people, beside the results."""
    show(text, err=True)


def show(text: str, *, err: bool = False) -> None:
    """Print text that may hold what was found in files."""
    from autodip_zarr.report.visible import visible  # noqa: PLC0415

    click.echo(visible(text), err=err)


def print_json(document: object) -> None:
    """Print a document by itself."""
    print_part(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_part(text: str) -> None:
    """Print a part of a JSON document; halves of characters have no form but the escaped one."""
    click.echo(text.encode("utf-8", "backslashreplace").decode(), nl=False)


def say_skipped(skipped: Sequence[Any]) -> None:
    """Say what was left out, and why."""
    from autodip_zarr.report.plans import skipped_line  # noqa: PLC0415

    for skip in skipped:
        say(skipped_line(skip))


def say_warnings(warnings: Sequence[str]) -> None:
    """Say what people should look at."""
    for warning in warnings:
        say(f"warning: {warning}")


def write_file(option: str, path: str, text: str) -> None:
    """Write the file that an option named; raise OptionError if it cannot be written."""
    try:
        Path(path).write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise OptionError(option, f"{path} cannot be written ({error.strerror})", "a file") from error
