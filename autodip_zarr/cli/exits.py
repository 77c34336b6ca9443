"""How commands end: exit codes, an error as one line, and signals that ask for an end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import click

from autodip_zarr.cli.printing import say
from autodip_zarr.errors import AutodipError, OptionError, TableError

EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE = 0, 1, 2

_SHOW_TRACEBACK: Final = "AUTODIP_ZARR_TRACEBACK"
"""Variable of the environment with which a fault of the program shows where it happened."""

_ENDING: Final = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP"}
"""Signals that ask a program to end, as far as the system has them: of a terminal, of Slurm, Kubernetes or a
service manager, and of a terminal that was closed."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def exit_code(*, found: bool, errors: int, skipped: int) -> int:
    """Return 0 if all could be read, 1 if some could not, 2 if nothing but errors was met."""
    if errors and not found and errors == skipped:
        return EXIT_USAGE
    return EXIT_INCOMPLETE if errors else EXIT_DONE


def exit_code_of(skipped: Sequence[Any], *, found: bool) -> int:
    """Return the exit code after these were skipped."""
    return exit_code(found=found, errors=sum(skip.is_error for skip in skipped), skipped=len(skipped))


def interrupted_code(error: KeyboardInterrupt) -> int:
    """Return what a shell gives for a program that a signal ended: 130, 143 or 129."""
    return 128 + (error.number if isinstance(error, Interrupted) else signal.SIGINT)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the first signal end the work in order, and Ctrl-C after it at once.

    At once means that nothing is tidied up: worker processes end with this one, half-written blocks are
    found by the next run, and a dead process loses its lock. A signal that is ignored, as ``nohup``
    has it, stays ignored; a second one of another kind changes nothing, since shells and service managers
    send several.
    """
    if threading.current_thread() is not threading.main_thread():  # only there can signals be handled
        yield
        return
    numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    heeded = [number for number in numbers if before[number] not in (signal.SIG_IGN, None)]

    def at_once(number: int, _frame: object) -> None:
        _write(b"\nstopped at once; the same command goes on where it stopped\n")
        os._exit(128 + number)

    def in_order(number: int, _frame: object) -> None:
        for other in heeded:
            signal.signal(other, at_once if other == signal.SIGINT else signal.SIG_IGN)
        name = _ENDING[signal.Signals(number).name]
        again = "Ctrl-C again" if number == signal.SIGINT else "Ctrl-C"
        _write(f"\n{name}: stopping; {again} stops at once\n".encode())
        raise Interrupted(number)

    for number in heeded:
        signal.signal(number, in_order)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def _write(text: bytes) -> None:
    with suppress(OSError):  # the terminal may be what is gone
        os.write(2, text)


class Group(click.Group):
    """Turns errors of the package into one line and the right exit code; hides credentials in arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, addresses in them without credentials, so that nothing can repeat those."""
        try:
            public = [_concealed(argument) for argument in args]
        except AutodipError as error:
            say(f"error: {error}")
            ctx.exit(EXIT_USAGE)
        return super().parse_args(ctx, public)

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
        except MemoryError:
            say("error: memory: too little of it, or of address space (`ulimit -v`), for this command")
            ctx.exit(EXIT_INCOMPLETE)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as error:
            if os.environ.get(_SHOW_TRACEBACK):
                raise
            say(_unexpected(error))
            ctx.exit(EXIT_INCOMPLETE)
        except KeyboardInterrupt as error:
            say("interrupted; the same command goes on where it stopped")
            ctx.exit(interrupted_code(error))


def _concealed(argument: str) -> str:
    if "://" not in argument:
        return argument
    from autodip_zarr.stores.access.credentials import conceal  # noqa: PLC0415 - keeps --help quick

    option, separator, value = argument.partition("=")
    if argument.startswith("-") and "://" not in option:
        return f"{option}{separator}{conceal(value)}"
    return conceal(argument)


def _unexpected(error: Exception) -> str:
    """Return what is said of a fault of the program itself."""
    found = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    what = f"run the same command with {_SHOW_TRACEBACK}=1 set, and report what it prints"
    return f"error: unexpected {found}; nothing is lost, the same command goes on where it stopped; {what}"
