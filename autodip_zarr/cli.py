"""The command line: arguments to calls, results to text; the only place that prints."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from autodip_zarr.errors import AutodipError, OptionError, TableError
from autodip_zarr.run.choices import Choices, Machine

Command = TypeVar("Command", bound=Callable[..., Any])

_OVERWRITE = ("never", "changed", "all")
EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_sources = click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
_workers = click.option(
    "--workers",
    type=click.IntRange(1),
    help="Local worker processes.  [default: one a core, as memory allows]",
)
_device = click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")

_knowledge = _options(
    click.option("--microscope", metavar="TERM", help="Imaging modality of all channels, e.g. confocal."),
    click.option("--specimen", metavar="TERM", help="Labelled structure of all channels, e.g. nucleus."),
    click.option("--mapping", metavar="FILE", help="CSV of corrections by path and channel."),
    click.option("--patterns", metavar="FILE", help="TOML of what file and folder names mean; a guess."),
    click.option("--vocabulary", metavar="FILE", help="TOML of terms of your own."),
)
_transfer = _options(
    click.option(
        "--metric",
        metavar="NAME",
        help="Metric by which the table chose, e.g. psnr.  [default: the table's own]",
    ),
    click.option(
        "--table", default="published", show_default=True, help="Calibration table: a name or a path."
    ),
)
_fit = _options(
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
_method = _options(
    _transfer,
    click.option("--require-tier", metavar="TIER", help="Skip channels that match below this tier."),
    click.option(
        "--preset",
        type=click.Choice(["reference", "standard", "best"]),
        default="standard",
        show_default=True,
        help="How the prior is fitted.",
    ),
    _fit,
)
_stop = click.option(
    "--stop",
    type=click.Choice(["transferred", "auto"]),
    default="transferred",
    show_default=True,
    help="Make the transferred number of iterations, or half to twice as many, as the outputs tell.",
)
_sequence = _options(
    click.option(
        "--sequence",
        type=click.Choice(["none", "z", "t"]),
        default="none",
        show_default=True,
        help="Fit planes on from their neighbours along this axis.",
    ),
    click.option("--both-ways", is_flag=True, help="Along --sequence forward and backward, averaged."),
)
_places = _options(
    click.option("--wells", metavar="LIST", help="Wells of plates: A01,B*."),
    click.option("--fields", metavar="LIST", help="Fields of wells: 0,2:4."),
)
_planes = _options(
    click.option("--channels", metavar="LIST", help="Channels, by name or index: DAPI,2."),
    click.option("--t", metavar="LIST", help="Time points: 0,3:7."),
    click.option("--z", metavar="LIST", help="Depths: 0,3:7."),
)
_recipe = click.option(
    "--recipe",
    metavar="TARGET",
    help="Repeat what made a result: its configurations, seed, tiles and everything else that was recorded.",
)
_max_cost = click.option(
    "--max-cost",
    type=float,
    metavar="COST",
    help="Largest cost of a plane (1 = original prior on 512x512): dearer channels get the configuration of a"
    " cheaper metric, or are skipped.",
)
_selection = _options(
    _places,
    _planes,
    click.option("--any-contrast", is_flag=True, help="Denoise channels that are not fluorescence, too."),
)
_destination = _options(
    click.option(
        "--output", metavar="DIR", help="Folder below which results mirror the tree of the sources."
    ),
    click.option("--write-back", is_flag=True, help="Put results into the source stores as new groups."),
    click.option(
        "--zarr-format", type=click.Choice(["0.4", "0.5"]), help="OME-Zarr version.  [default: 0.5]"
    ),
    click.option("--dtype", metavar="TYPE", help="float32.  [default: that of the source]"),
    click.option(
        "--uncertainty", is_flag=True, help="Write the spread over the starts, too; needs --preset best."
    ),
    click.option(
        "--overwrite",
        type=click.Choice(_OVERWRITE),
        is_flag=False,
        flag_value="all",
        default="never",
        metavar="[changed|all]",
        help="Start results afresh: those whose source has changed since, or all; alone, all.",
    ),
)


def _choices(arguments: dict[str, Any]) -> Choices:
    """Keep the arguments that are choices; the rest is the command's own."""
    names = {field.name for field in fields(Choices)}
    if arguments.get("recipe") is not None:
        from autodip_zarr.run.recorded import RECORDED, refuse_beside  # noqa: PLC0415

        source = click.get_current_context().get_parameter_source
        refuse_beside([name for name in sorted(RECORDED) if source(name) is ParameterSource.COMMANDLINE])
    return Choices(**{name: value for name, value in arguments.items() if name in names})


def _say(text: str) -> None:
    """Write a line for people, beside the results."""
    _show(text, err=True)


def _show(text: str, *, err: bool = False) -> None:
    """Print text that may hold what was found in files."""
    from autodip_zarr.report.visible import visible  # noqa: PLC0415

    click.echo(visible(text), err=err)


def _print_json(document: object) -> None:
    _print_part(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _print_part(text: str) -> None:
    """Print a part of a JSON document; halves of characters have no form but the escaped one."""
    click.echo(text.encode("utf-8", "backslashreplace").decode(), nl=False)


class _Command(click.Command):
    """Lets ``--overwrite`` stand alone before a source, which would otherwise be taken for its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        following = [*args[1:], ""]
        args = [
            "--overwrite=all" if one == "--overwrite" and after not in _OVERWRITE else one
            for one, after in zip(args, following, strict=True)
        ]
        return super().parse_args(ctx, args)


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


class _Group(click.Group):
    """Turns errors of the package into one line and the right exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            with _interruptible():
                return super().invoke(ctx)
        except (OptionError, TableError) as error:
            _say(f"error: {error}")
            ctx.exit(EXIT_USAGE)
        except AutodipError as error:
            _say(f"error: {error}")
            ctx.exit(EXIT_INCOMPLETE)
        except KeyboardInterrupt:
            _say("interrupted; the same command goes on where it stopped")
            ctx.exit(EXIT_INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="autodip-zarr")
def main() -> None:
    """Denoise OME-Zarr and OME-TIFF archives with Deep Image Priors chosen by metadata."""


@main.command(cls=_Command)
@_sources
@_knowledge
@_method
@_recipe
@_max_cost
@_stop
@_sequence
@_selection
@_destination
@_device
@_json
def plan(sources: Sequence[str], *, as_json: bool, device: str, **arguments: Any) -> None:  # noqa: ANN401
    """Print what would be done, without reading a pixel."""
    from autodip_zarr.report.plans import plan_json, plan_text  # noqa: PLC0415
    from autodip_zarr.run.plan import Planning  # noqa: PLC0415

    planning = Planning(sources, _choices(arguments), device)
    if as_json:
        for part in plan_json(planning):
            _print_part(part)
        _say_warnings(planning.warnings())
    else:
        for line in plan_text(planning):
            _show(line)
    totals = planning.totals()
    found = totals.images + totals.complete + totals.left > 0
    left_out = totals.errors + sum(totals.skipped.values())
    sys.exit(_exit_code(found=found, errors=totals.errors + totals.left, skipped=left_out))


def _exit_code(*, found: bool, errors: int, skipped: int) -> int:
    """Return 0 if all could be read, 1 if some could not, 2 if nothing but errors was met."""
    if errors and not found and errors == skipped:
        return EXIT_USAGE
    return EXIT_INCOMPLETE if errors else EXIT_DONE


def _exit_code_of(skipped: Sequence[Any], *, found: bool) -> int:
    return _exit_code(found=found, errors=sum(skip.is_error for skip in skipped), skipped=len(skipped))


@main.command(cls=_Command)
@_sources
@_destination
@_knowledge
@_method
@_recipe
@_max_cost
@_stop
@_sequence
@_selection
@_device
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler.  [default: a local cluster]")
@click.option("--cluster", metavar="FILE", help="TOML of Slurm jobs, or of cards, to start workers on.")
@_workers
@click.option(
    "--memory",
    metavar="SIZE",
    help="Memory of each local worker process, e.g. 8GB.  [default: an even share of the machine's]",
)
@click.option(
    "--time-limit",
    "time_limit_s",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Longest time of one block on a worker.  [default: 20 times its estimate, 600 at least]",
)
@click.option(
    "--log-json", is_flag=True, help="Write what happens as JSON, one object a line, on standard error."
)
@_json
def denoise(
    sources: Sequence[str],
    *,
    as_json: bool,
    log_json: bool,
    device: str,
    **arguments: Any,  # noqa: ANN401
) -> None:
    """Denoise all images of the sources.

    The same command again goes on where it stopped, and does nothing where all is done.
    """
    from autodip_zarr.report.documents import run_document, skipped_document, summary_document  # noqa: PLC0415
    from autodip_zarr.report.progress import JsonLines, watching  # noqa: PLC0415
    from autodip_zarr.report.tables import summary_text  # noqa: PLC0415
    from autodip_zarr.run.cluster_file import memory_option  # noqa: PLC0415
    from autodip_zarr.run.denoise import denoise as run  # noqa: PLC0415

    memory = arguments["memory"]
    machine = Machine(
        device,
        arguments["workers"],
        arguments["scheduler"],
        arguments["cluster"],
        arguments["time_limit_s"],
        None if memory is None else memory_option(memory),
    )
    if log_json:
        lines = JsonLines(sys.stderr)
        summary = run(sources, _choices(arguments), machine, lines)
        for skipped in skipped_document(summary.skipped):
            lines.write({"event": "skipped", **skipped})
        lines.write({"event": "finished", **run_document(summary)})
    else:
        with watching(sys.stderr) as watch:
            summary = run(sources, _choices(arguments), machine, watch)
        _say_skipped(summary.skipped)
        _say(summary_text(summary))
    if as_json:
        _print_json(summary_document(summary))
    code = _exit_code_of(summary.skipped, found=bool(summary.images))
    sys.exit(code if code == EXIT_USAGE or summary.is_complete else EXIT_INCOMPLETE)


def _say_skipped(skipped: Sequence[Any]) -> None:
    from autodip_zarr.report.plans import skipped_line  # noqa: PLC0415

    for skip in skipped:
        _say(skipped_line(skip))


def _say_warnings(warnings: Sequence[str]) -> None:
    for warning in warnings:
        _say(f"warning: {warning}")


@main.command()
@_sources
@_knowledge
@_places
@_planes
@click.option(
    "--table", "table_path", metavar="FILE", help="Write a CSV with a row a channel, for --mapping."
)
@_json
def inspect(
    sources: Sequence[str],
    *,
    as_json: bool,
    table_path: str | None,
    **arguments: Any,  # noqa: ANN401
) -> None:
    """Print the metadata of the sources as understood, with the evidence.

    The table of --table can be corrected in a spreadsheet, and given back with --mapping.
    """
    from autodip_zarr.report.documents import inspection_document  # noqa: PLC0415
    from autodip_zarr.report.inspection import InspectionTable, inspection_text  # noqa: PLC0415
    from autodip_zarr.run.inspect import InspectedImage, Inspection, Inspector  # noqa: PLC0415

    table, images, skipped = InspectionTable(), [], []
    inspector = Inspector(sources, _choices(arguments))
    for item in inspector:
        if not isinstance(item, InspectedImage):
            skipped.append(item)
            continue
        table.add(item)
        if as_json or table_path is None:
            images.append(item)
    inspection = Inspection(tuple(images), tuple(skipped), inspector.warnings())
    if table_path is not None:
        _write("--table", table_path, table.text())
    if as_json:
        _print_json(inspection_document(inspection))
    elif table_path is None and images:
        _show(inspection_text(inspection))
    _say_skipped(skipped)
    _say_warnings(inspection.warnings)
    _say(table.summary())
    sys.exit(_exit_code_of(skipped, found=table.images > 0))


def _write(option: str, path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise OptionError(option, f"{path} cannot be written ({error.strerror})", "a file") from error


@main.command()
@click.argument("target", metavar="TARGET")
@_json
def verify(target: str, *, as_json: bool) -> None:
    """Check that a result, or all results below a folder, are whole and valid."""
    from autodip_zarr.report.documents import verify_document  # noqa: PLC0415
    from autodip_zarr.run.verify import shown, verify_target  # noqa: PLC0415

    findings = verify_target(target)
    if as_json:
        _print_json(verify_document(findings))
    else:
        for finding in findings:
            _show(f"{finding.status}: {finding.target}")
            for line in shown(finding):
                _show(f"  {line}")
    sys.exit(EXIT_DONE if all(finding.is_whole for finding in findings) else EXIT_INCOMPLETE)


@main.command()
@click.argument("source", metavar="SOURCE")
@click.option(
    "--channel",
    "--channels",
    "channel",
    default="0",
    show_default=True,
    metavar="LIST",
    help="Channel, by name or index; the first of several.",
)
@click.option(
    "--t", "at_t", default="0", show_default=True, metavar="LIST", help="Time point; the first of several."
)
@click.option(
    "--z", "at_z", metavar="LIST", help="Depth; the middle one of several.  [default: the middle one]"
)
@_places
@click.option("--crop", metavar="Y,X,HEIGHT,WIDTH", help="Part of the plane, in pixels.")
@click.option("--picture", default="preview.png", show_default=True, help="PNG to write.")
@_knowledge
@_method
@_stop
@_device
def preview(source: str, *, device: str, picture: str, **arguments: Any) -> None:  # noqa: ANN401
    """Denoise one plane or a crop of it: noisy, denoised and residual as a picture, and the time taken."""
    from autodip_zarr.report.pictures import before_and_after, compose  # noqa: PLC0415
    from autodip_zarr.report.tables import preview_text  # noqa: PLC0415
    from autodip_zarr.run.preview import PlaneChoice, preview_plane  # noqa: PLC0415

    where = PlaneChoice(arguments["channel"], arguments["at_t"], arguments["at_z"], arguments["crop"])
    result = preview_plane(source, where, _choices({**arguments, "any_contrast": True}), device)
    compose([before_and_after(result.noisy, result.denoised)]).save(picture)
    _show(preview_text(result))
    _show(f"picture: {picture}")


@main.command()
@click.option(
    "--noisy", multiple=True, required=True, metavar="P", help="Noisy image, or folder of them; repeatable."
)
@click.option(
    "--clean", multiple=True, required=True, metavar="P", help="Clean image, or folder of the same names."
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    default=("noisy", "blur", "standard"),
    show_default=True,
    metavar="M",
    help="noisy, blur (the best one by the clean image, an upper bound), original-dip, reference, standard, "
    "best; repeatable.",
)
@click.option(
    "--crop",
    metavar="Y,X,HEIGHT,WIDTH",
    help="Part of each plane, in pixels; or the side of the square in which the clean image varies most.",
)
@click.option(
    "--lpips-range",
    type=click.Choice(["unit", "signed"]),
    default="unit",
    show_default=True,
    help="Give LPIPS values of 0 to 1, as the published calibration did, or of -1 to 1, as it was made for.",
)
@click.option("--page", metavar="FILE", help="Write a page of pictures and numbers, HTML.")
@_knowledge
@_transfer
@_fit
@_planes
@_device
@_json
def evaluate(*, as_json: bool, device: str, page: str | None, **arguments: Any) -> None:  # noqa: ANN401
    """Measure methods on pairs of noisy and clean images: PSNR, SSIM and LPIPS.

    Images are PNG, TIFF, OME-TIFF or OME-Zarr; those of two folders are paired by name.
    """
    from autodip_zarr.domain import Skipped  # noqa: PLC0415
    from autodip_zarr.report.evaluation import EvaluationReport  # noqa: PLC0415
    from autodip_zarr.run.evaluate import Evaluation, Question  # noqa: PLC0415

    report = EvaluationReport(with_pictures=page is not None)
    question = Question(arguments["noisy"], arguments["clean"], arguments["methods"], arguments["crop"])
    perceptual = _perceptual(report, signed=arguments["lpips_range"] == "signed")
    interrupted = False
    try:
        for item in Evaluation(question, _choices(arguments), device, perceptual, _say):
            if isinstance(item, Skipped):
                report.skip(item)
            else:
                report.add(item)
    except KeyboardInterrupt:  # a fit takes hours: what is measured already is not thrown away
        interrupted = True
        _say("interrupted; this is what was measured so far")
    _say_skipped(report.skipped)
    if page is not None:
        _write("--page", page, report.page())
        _say(f"page: {page}")
    if as_json:
        _print_json(report.document())
    elif not report.is_empty:
        _show(report.text())
    if interrupted:
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(EXIT_USAGE if report.is_empty else EXIT_INCOMPLETE if report.skipped else EXIT_DONE)


def _perceptual(report: Any, *, signed: bool) -> Callable[..., float] | None:  # noqa: ANN401
    """Load LPIPS, or say why there is none."""
    from functools import partial  # noqa: PLC0415

    from autodip_zarr.errors import SourceError  # noqa: PLC0415
    from autodip_zarr.metrics import Lpips  # noqa: PLC0415

    try:
        return partial(Lpips.load(), signed=signed)
    except SourceError as error:
        report.note(f"no LPIPS: {error}")
        _say(f"warning: no LPIPS: {error}")
        return None


@main.command()
@click.argument("target", metavar="TARGET")
@click.option("--output", required=True, metavar="PAGE.html", help="Page to write.")
@click.option(
    "--remote-sources",
    is_flag=True,
    help="Read sources on servers, too, for pictures of before; the results name them.",
)
def report(target: str, *, output: str, remote_sources: bool) -> None:
    """Write a page about a result, or all results below a folder: warnings, tables, pictures.

    The page is one file, works offline and needs no scripts.
    """
    from autodip_zarr.domain import Skipped  # noqa: PLC0415
    from autodip_zarr.report.results import ResultsReport  # noqa: PLC0415
    from autodip_zarr.run.review import review_target  # noqa: PLC0415

    results = ResultsReport(target, remote_sources=remote_sources)
    for item in review_target(target):
        if isinstance(item, Skipped):
            results.unreadable.append(item)
        else:
            results.add(item)
    _say_skipped(results.unreadable)
    if results.is_empty:
        sys.exit(EXIT_USAGE)
    _write("--output", output, results.page())
    _show(f"page: {output}")
    sys.exit(EXIT_INCOMPLETE if results.unreadable else EXIT_DONE)


@main.command()
@click.argument("target", metavar="TARGET")
def remove(target: str) -> None:
    """Take a written-back result out of its source store again."""
    from autodip_zarr.run.lock import turn  # noqa: PLC0415
    from autodip_zarr.stores import remove_target  # noqa: PLC0415

    remove_target(target, turn)
    _show(f"removed: {target}")


@main.command()
@click.option("--output", default="autodip-demo", show_default=True, metavar="DIR", help="Folder to work in.")
@_workers
@click.option("--table", default="published", show_default=True, help="Calibration table: a name or a path.")
def demo(output: str, workers: int | None, table: str) -> None:
    """Simulate a small archive, denoise it, and show what came of it."""
    from autodip_zarr.demo import run_demo  # noqa: PLC0415
    from autodip_zarr.report.progress import watching  # noqa: PLC0415

    with watching(sys.stderr) as watch:
        outcome = run_demo(output, Machine(workers=workers), watch, table)
    _show(outcome.table())
    for label, path in outcome.paths():
        _show(f"{label}: {path}")


if __name__ == "__main__":
    main()
