"""Arguments and options that commands share, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Literal, TypeVar

import click
from click.core import ParameterSource

from autodip_zarr.cli.config_file import ConfiguredCommand
from autodip_zarr.errors import OptionError
from autodip_zarr.run.choices import Choices

Command = TypeVar("Command", bound=Callable[..., Any])

Loudness = Literal["quiet", "usual", "verbose"]
"""How much a command says: errors and the last line, what people need, or every detail."""

_OVERWRITE = ("never", "changed", "all")


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


sources_argument = click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)
loudness_options = _options(
    click.option("--quiet", "-q", is_flag=True, help="Print errors and the last line only."),
    click.option("--verbose", "-v", is_flag=True, help="Print every detail, in words."),
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    help="Local worker processes.  [default: one a core, as memory allows]",
)
device_option = click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")

knowledge_options = _options(
    click.option("--microscope", metavar="TERM", help="Imaging modality of all channels, e.g. confocal."),
    click.option("--specimen", metavar="TERM", help="Labelled structure of all channels, e.g. nucleus."),
    click.option("--mapping", metavar="FILE", help="CSV of corrections by path and channel."),
    click.option("--patterns", metavar="FILE", help="TOML of what file and folder names mean; a guess."),
    click.option("--vocabulary", metavar="FILE", help="TOML of terms of your own."),
    click.option(
        "--pixel-size",
        metavar="UM",
        help="Micrometers of a pixel where the header tells none: 0.1 (y and x), 0.1x0.1x0.3 (y, x, z).",
    ),
    click.option(
        "--axes",
        metavar="ORDER",
        help="Axes of the pages of a TIFF whose header tells none, slowest first: tyx; tz5yx for 5 depths.",
    ),
)
transfer_options = _options(
    click.option(
        "--metric",
        metavar="NAME",
        help="Metric by which the table chose, e.g. psnr.  [default: the table's own]",
    ),
    click.option(
        "--table",
        default="published",
        show_default=True,
        help="Calibration table: a path, behind which the shipped ones stand; or the name of one, alone.",
    ),
)
fit_options = _options(
    click.option(
        "--tile", "tile_px", default=512, show_default=True, metavar="PX", help="Largest side of a tile."
    ),
    click.option("--halo", "halo_px", default=32, show_default=True, metavar="PX", help="Overlap of tiles."),
    click.option("--seed", default=0, show_default=True, help="Seed from which all others are derived."),
    click.option(
        "--precision",
        type=click.Choice(["auto", "float32", "tf32", "bfloat16"]),
        default="auto",
        show_default=True,
        help="Arithmetic of the fit.",
    ),
    click.option("--deterministic", is_flag=True, help="Same bits in every run on a GPU, too; slower."),
)
method_options = _options(
    transfer_options,
    click.option("--require-tier", metavar="TIER", help="Skip channels that match below this tier."),
    click.option(
        "--preset",
        type=click.Choice(["reference", "standard", "best", "prior", "fast"]),
        default="standard",
        show_default=True,
        help="How the prior is fitted, and whether classical filters take part; fast is filters alone.",
    ),
    fit_options,
)
stop_option = click.option(
    "--stop",
    type=click.Choice(["transferred", "auto"]),
    default="transferred",
    show_default=True,
    help="Make as many iterations as the recipe says, or half to twice as many, as the outputs tell.",
)
_sequence_options = _options(
    click.option(
        "--sequence",
        type=click.Choice(["none", "z", "t"]),
        default="none",
        show_default=True,
        help="Fit planes on from their neighbours along this axis.",
    ),
    click.option("--both-ways", is_flag=True, help="Along --sequence forward and backward, averaged."),
)
places_options = _options(
    click.option("--wells", metavar="LIST", help="Wells of plates: A01,B*."),
    click.option("--fields", metavar="LIST", help="Fields of wells: 0,2:4."),
)
planes_options = _options(
    click.option("--channels", metavar="LIST", help="Channels, by name or index: DAPI,2."),
    click.option("--t", metavar="LIST", help="Time points: 0,3:7."),
    click.option("--z", metavar="LIST", help="Depths: 0,3:7."),
)
_recipe_option = click.option(
    "--recipe",
    metavar="TARGET",
    help="Repeat what made a result: its configurations, seed, tiles and everything else that was recorded.",
)
_max_cost_option = click.option(
    "--max-cost",
    type=float,
    metavar="COST",
    help="Largest cost of a plane (1 = original prior on 512x512): costlier channels get the configuration of"
    " a cheaper metric, or are skipped.",
)
_selection_options = _options(
    places_options,
    planes_options,
    click.option("--any-contrast", is_flag=True, help="Denoise channels that are not fluorescence, too."),
)
planning_options = _options(
    knowledge_options,
    method_options,
    _recipe_option,
    _max_cost_option,
    stop_option,
    _sequence_options,
    _selection_options,
)
destination_options = _options(
    click.option(
        "--output", metavar="DIR", help="Folder below which results mirror the tree of the sources."
    ),
    click.option("--write-back", is_flag=True, help="Put results into the source stores as new groups."),
    click.option(
        "--suffix",
        metavar="NAME",
        default="denoised",
        show_default=True,
        help="What results written back are called: A/1/0NAME in a well, else the group NAME in the image.",
    ),
    click.option(
        "--format",
        "file_format",
        type=click.Choice(["ome-zarr", "ome-tiff", "both"]),
        default="ome-zarr",
        show_default=True,
        help="Export results as OME-TIFF, too: beside them, or with them in the folder ome-zarr there.",
    ),
    click.option(
        "--zarr-format", type=click.Choice(["0.4", "0.5"]), help="OME-Zarr version.  [default: 0.5]"
    ),
    click.option("--dtype", metavar="TYPE", help="float32.  [default: that of the source]"),
    click.option(
        "--uncertainty",
        is_flag=True,
        help="Write the spread over the starts, too; not for reference.",
    ),
    click.option(
        "--overwrite",
        type=click.Choice(_OVERWRITE),
        is_flag=False,
        flag_value="all",
        default="never",
        metavar="[changed|all]",
        help="Start results over: those whose source has changed since, or all; alone, all.",
    ),
)


def choices(arguments: dict[str, Any]) -> Choices:
    """Keep the arguments that are choices; the rest is the command's own."""
    names = {field.name for field in fields(Choices)}
    if arguments.get("recipe") is not None:
        from autodip_zarr.run.results.recorded_recipe import RECORDED, refuse_beside  # noqa: PLC0415

        source = click.get_current_context().get_parameter_source
        given = {ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP}
        refuse_beside([name for name in sorted(RECORDED) if source(name) in given])
    return Choices(**{name: value for name, value in arguments.items() if name in names})


def loudness(arguments: dict[str, Any]) -> Loudness:
    """Return how much a command is to say; refuse what contradicts itself."""
    quiet, verbose = arguments["quiet"], arguments["verbose"]
    if quiet and verbose:
        raise OptionError("--quiet, --verbose", "both given", "at most one of them")
    if arguments.get("log_json") and (quiet or verbose):
        given = "--quiet" if quiet else "--verbose"
        raise OptionError(given, "given with --log-json, which tells everything", "one of the two")
    return "quiet" if quiet else "verbose" if verbose else "usual"


class OverwritingCommand(ConfiguredCommand):
    """Lets ``--overwrite`` stand alone before a source, which would otherwise be taken for its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a lone ``--overwrite`` its value."""
        following = [*args, ""][1:]
        args = [
            "--overwrite=all" if one == "--overwrite" and after not in _OVERWRITE else one
            for one, after in zip(args, following, strict=True)
        ]
        return super().parse_args(ctx, args)
