"""Options in a file: read before those on the command line, which win, and printed back."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import click

from autodip_zarr.cli.printing import show
from autodip_zarr.errors import OptionError
from autodip_zarr.regular_files import read_regular

__all__ = ["ConfiguredCommand", "config_options"]

_OWN = ("config", "print_config", "help")


def config_options(command: Any) -> Any:  # noqa: ANN401 - as click's own decorators
    """Add the options that read and print a file of options."""
    printing = click.option(
        "--print-config", is_flag=True, help="Print all options as such a file, and do nothing else."
    )
    reading = click.option(
        "--config",
        metavar="FILE",
        is_eager=True,
        callback=_read,
        expose_value=False,
        help="TOML of options, named as here, e.g. preset = 'best'; those on the command line win.",
    )
    return reading(printing(command))


class ConfiguredCommand(click.Command):
    """A command whose options may stand in a file."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Print the options where that is asked for, and do the work otherwise."""
        if not ctx.params.pop("print_config", False):
            return super().invoke(ctx)
        show(*_lines(self, ctx.params))
        return None


def _read(ctx: click.Context, _param: click.Parameter, path: str | None) -> None:
    if path is None:
        return
    where = f"--config {path}"
    try:
        document = tomllib.loads(read_regular(path).decode("utf-8"))
    except OSError as error:
        raise OptionError(where, f"cannot be read ({error.strerror})", "a TOML file") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(where, f"no TOML ({error})", "lines such as preset = 'best'") from error
    names = _names(ctx.command)
    unknown = [key for key in document if key not in names]
    if unknown:
        raise OptionError(where, f"the option {unknown[0]!r}", f"one of {', '.join(names)}")
    wrong = [key for key, value in document.items() if not isinstance(value, str | int | float)]
    if wrong:
        found = f"{document[wrong[0]]!r:.100}"
        raise OptionError(f"{where}, {wrong[0]}", found, "a text, a number, true or false")
    ctx.default_map = {names[key]: value for key, value in document.items()}


def _names(command: click.Command) -> dict[str, str]:
    """Return the name of each option in a file, and that of its parameter."""
    options = [one for one in command.params if isinstance(one, click.Option) and one.name not in _OWN]
    return {max(one.opts, key=len).lstrip("-"): str(one.name) for one in options}


def _lines(command: click.Command, values: dict[str, Any]) -> list[str]:
    """Return a file that gives the same options again; what is not chosen stands as a comment."""
    lines = []
    for name, parameter in _names(command).items():
        value = values.get(parameter)
        if value is None:
            lines.append(f"# {name} =")
        elif isinstance(value, bool):
            lines.append(f"{name} = {str(value).lower()}")
        elif isinstance(value, int | float):
            lines.append(f"{name} = {value}")
        else:
            lines.append(f"{name} = {json.dumps(str(value), ensure_ascii=False)}")
    return lines
