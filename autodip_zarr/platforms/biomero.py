"""A job of BIOMERO: a folder of images in, a folder of denoised images and a table of them out."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Final, TextIO

from autodip_zarr.domain import ImagePlan
from autodip_zarr.errors import OptionError, TargetError
from autodip_zarr.report.streams import losing
from autodip_zarr.run.choices import Choices, Machine
from autodip_zarr.run.execution.denoise import denoise
from autodip_zarr.run.execution.summary import Progress, Summary, Watch
from autodip_zarr.run.planning.plan import make_plan
from autodip_zarr.run.planning.plan_list import Plan
from autodip_zarr.shown.visible import visible

TABLE_NAME: Final = "autodip_zarr_images.csv"
"""Table of images in the output folder."""

_COLUMNS: Final = (
    *("name", "source", "series", "status", "planes", "planes_failed"),
    *("microscope", "specimen", "preset", "seconds", "message"),
)


@dataclass
class PercentLines:
    """Writes how far a job is as lines that begin with a percentage, which BIOMERO looks for in its log."""

    stream: TextIO
    """Where to write; what goes there is dropped once nobody reads it."""
    percent: int = field(default=-1, init=False)
    """What was written last."""

    def __call__(self, news: Progress) -> None:
        """Write a message, or the percentage where it has grown; 100% is kept for the end of the job."""
        percent = min(99, int(100 * news.share_done))
        if news.message is not None:
            self._write(visible(news.message))
        elif percent > self.percent:
            self.percent = percent
            self._write(f"{percent}% planes {news.planes_done}/{news.planes_total}")

    def finish(self) -> None:
        """Say that the job is done."""
        self._write("100%")

    def _write(self, line: str) -> None:
        with losing(self.stream):
            self.stream.write(f"{line}\n")
            self.stream.flush()


def run_job(infolder: str, choices: Choices, machine: Machine, watch: Watch) -> Summary:
    """Denoise a folder, and write a table of its images beside the results.

    Parameters
    ----------
    infolder : str
        Folder of TIFF, OME-TIFF and OME-Zarr.
    choices : Choices
        What is to be done; ``output`` is the output folder. Where its ``file_format`` is ``ome-tiff``,
        results as OME-Zarr stay in the folder ``ome-zarr`` there until every image is exported, so that the
        same job goes on where it met its time limit; then that folder is removed.
    machine : Machine
        Where.
    watch : callable
        Told the news as they come.

    Returns
    -------
    Summary
        What became of each image.

    Raises
    ------
    OptionError
        There is no such folder, or the choices make no sense.
    TargetError
        The table cannot be written.
    """
    if choices.output is None or not Path(infolder).is_dir():
        raise OptionError("--infolder", f"{infolder} is not there", "a folder of images")
    plan = make_plan(infolder, choices)
    summary = denoise(infolder, choices, machine, watch)
    _write_table(Path(choices.output), _rows(plan, summary, choices))
    is_exported = len(summary.exported) == len(summary.images) > 0
    if choices.file_format == "ome-tiff" and summary.is_complete and is_exported and choices.zarr_folder:
        shutil.rmtree(choices.zarr_folder)
    return summary


def _write_table(folder: Path, rows: Iterable[Mapping[str, object]]) -> None:
    text = StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = folder / TABLE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text.getvalue(), encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise TargetError(str(path), f"cannot be written: {error.strerror}") from error


def _rows(plan: Plan, summary: Summary, choices: Choices) -> Iterator[dict[str, object]]:
    """Yield a row for each image, and for each source that was passed over."""
    planned = {(image.header.ref.source, image.header.ref.series): image for image in plan.images}
    files = {file.target: Path(file.path).name for file in summary.exported if file.status != "failed"}
    for result in summary.images:
        image = planned.get((result.source, result.series))
        name = files.get(result.target, "") if choices.file_format == "ome-tiff" else Path(result.target).name
        yield {
            "name": name,
            "source": Path(result.source).name,
            "series": result.series,
            "status": result.status,
            "planes": 0 if image is None else image.planes,
            "planes_failed": result.planes_failed,
            "microscope": _known(image, "microscope"),
            "specimen": _known(image, "specimen"),
            "preset": choices.preset,
            "seconds": round(result.seconds, 1),
            "message": "; ".join(result.messages),
        }
    for skip in summary.skipped:
        if skip.channel is None:
            yield {"source": Path(skip.source).name, "status": "skipped", "message": skip.reason}


def _known(image: ImagePlan | None, name: str) -> str:
    """Return what is known of the denoised channels of an image, each value once."""
    if image is None:
        return ""
    known = [getattr(channel.metadata, name) for channel in image.channels if channel.match is not None]
    return ";".join(dict.fromkeys(value for value in known if value is not None))
