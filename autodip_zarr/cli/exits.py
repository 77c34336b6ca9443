"""How commands end: exit codes, an error as one line, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from autodip_zarr.cli.printing import say
from autodip_zarr.errors import AutodipError, OptionError, TableError

EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def exit_code(*, found: bool, errors: int, skipped: int) -> int:
    """Return 0 if all could be read, 1 if some could not, 2 if nothing but errors was met."""
    if errors and not found and errors == skipped:
        return EXIT_USAGE
    return EXIT_INCOMPLETE if errors else EXIT_DONE


def exit_code_of(skipped: Sequence[Any], *, found: bool) -> int:
    """Return the exit code after these were skipped."""
    return exit_code(found=found, errors=sum(skip.is_error for skip in skipped), skipped=len(skipped))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the first Ctrl-C end the work in order, and the second at once.

    At once means that nothing is tidied up: worker processes end with this one, half-written blocks are
    found by the next run, and the lock of a dead process is taken over.
    """

    def at_once(_signal: int, _frame: object) -> None:
        os.write(2, b"\nstopped at once; the same command goes on where it stopped\n")
        os._exit(EXIT_INTERRUPTED)

    def in_order(_signal: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, at_once)
        os.write(2, b"\nstopping; Ctrl-C again stops at once\n")
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only there can signals be handled
        yield
        return
    before = signal.signal(signal.SIGINT, in_order)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Group(click.Group):
    """Turns errors of the package into one line and the right exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the command that was named."""
        try:
            with _interruptible():
                return super().invoke(ctx)
        except (OptionError, TableError) as error:
            say(f"error: {error}")
            ctx.exit(EXIT_USAGE)
        except AutodipError as error:
            say(f"error: {error}")
            ctx.exit(EXIT_INCOMPLETE)
        except KeyboardInterrupt:
            say("interrupted; the same command goes on where it stopped")
            ctx.exit(EXIT_INTERRUPTED)
