"""Lines, JSON and files that commands write."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from autodip_zarr.errors import OutputError

_EXIT_UNREAD: Final = 141
"""What a shell gives for a program whose reader has seen enough, as in ``| head``."""


_STYLES: Final[dict[str, dict[str, Any]]] = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "skipped": {"fg": "cyan"},
    "page": {"fg": "green"},
    "picture": {"fg": "green"},
}
"""How the first words of lines are drawn on a terminal; none is told by its colour alone."""


def say(*lines: str) -> None:
    """Write lines for people, beside the results; where nobody can read them any more, the work goes on."""
    from autodip_zarr.report.streams import losing  # noqa: PLC0415
    from autodip_zarr.shown.visible import visible  # noqa: PLC0415

    with losing(sys.stderr):
        for line in lines:
            click.echo(_colored(visible(line)), err=True)


def show(*lines: str) -> None:
    """Print lines that may hold what was found in files, which begins no line of its own."""
    from autodip_zarr.shown.visible import visible  # noqa: PLC0415

    _print("".join(f"{_colored(visible(line))}\n" for line in lines))


def print_drawn(lines: Sequence[str]) -> None:
    """Print lines of a picture that this program drew, which hold nothing of any file but grey levels."""
    _print("".join(f"{line}\n" for line in lines))


def _colored(line: str) -> str:
    """Return a line whose first word, if it tells what kind of line it is, is coloured on terminals.

    Elsewhere click takes colours out again; so does everything where ``NO_COLOR`` is set (no-color.org).
    """
    kind, colon, rest = line.partition(": ")
    style = _STYLES.get(kind)
    if style is None or not colon or os.environ.get("NO_COLOR"):
        return line
    return f"{click.style(kind, **style)}{colon}{rest}"


def _print(text: str) -> None:
    """Write to standard output, and end the command where that cannot be.

    Raises
    ------
    OutputError
        It cannot be written, for example because the disk is full.
    """
    from autodip_zarr.report.streams import drop  # noqa: PLC0415

    try:
        click.echo(text, nl=False)
    except BrokenPipeError:  # the reader has seen enough
        drop(sys.stdout)
        sys.exit(_EXIT_UNREAD)
    except OSError as error:
        drop(sys.stdout)
        raise OutputError("standard output", f"cannot be written: {error.strerror}") from error


def print_json(document: object) -> None:
    """Print a document by itself."""
    print_part(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_part(text: str) -> None:
    """Print a part of a JSON document; halves of characters have no form but the escaped one."""
    _print(text.encode("utf-8", "backslashreplace").decode())


def say_skipped(skipped: Sequence[Any]) -> None:
    """Say what was left out, and why."""
    from autodip_zarr.report.plans import skipped_line  # noqa: PLC0415

    for skip in skipped:
        say(skipped_line(skip))


def say_warnings(warnings: Sequence[str]) -> None:
    """Say what people should look at."""
    for warning in warnings:
        say(f"warning: {warning}")
