"""A small simulated archive, denoised, with the numbers and the pictures to look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.demo.archive import Truth, write_archive
from autodip_zarr.domain import ImagePlan, Skipped
from autodip_zarr.errors import TargetError
from autodip_zarr.metrics import psnr
from autodip_zarr.report.tables import table_lines
from autodip_zarr.run.choices import Choices, Machine
from autodip_zarr.run.execution.denoise import carry_out
from autodip_zarr.run.execution.summary import Watch
from autodip_zarr.run.planning.plan import make_plan
from autodip_zarr.run.planning.totals import config_name
from autodip_zarr.run.scheduling.machine import settle_device
from autodip_zarr.shown.pictures import Panel, compose, display_window
from autodip_zarr.stores import read_header, read_planes, walk_results

_COLUMNS = ("image", "channel", "microscope", "specimen", "tier", "config", "PSNR before", "PSNR after")


@dataclass(frozen=True)
class DemoRow:
    """One channel of the demonstration."""

    cells: tuple[str, ...]
    """Image, channel, microscope, specimen, tier, configuration."""
    before_db: float
    """Mean PSNR of the noisy planes."""
    after_db: float
    """Mean PSNR of the denoised planes."""
    panels: tuple[Panel, Panel, Panel]
    """Noisy, denoised and clean, first plane."""


@dataclass(frozen=True)
class DemoOutcome:
    """What came of the demonstration."""

    rows: tuple[DemoRow, ...]
    """One a channel."""
    archive: Path
    """The simulated archive."""
    results: Path
    """The denoised archive."""
    picture: Path
    """Noisy, denoised and clean side by side, PNG."""

    def table(self) -> list[str]:
        """Return the numbers as the lines of a table."""
        rows = [(*r.cells, f"{r.before_db:.2f} dB", f"{r.after_db:.2f} dB") for r in self.rows]
        return table_lines(_COLUMNS, rows)

    def paths(self) -> list[tuple[str, Path]]:
        """Return what was written, with a label each."""
        return [("archive", self.archive), ("results", self.results), ("picture", self.picture)]


def run_demo(folder: str, machine: Machine, watch: Watch, table: str = "published") -> DemoOutcome:
    """Simulate a small archive, denoise it, and measure.

    Parameters
    ----------
    folder : str
        Where; run again, it goes on where it stopped.
    machine : Machine
        Where the work is done.
    watch : callable
        Told the news of the run.
    table : str
        Calibration table: a name or a path.

    Raises
    ------
    TargetError
        If an image could not be done.
    """
    base = Path(folder)
    archive, results, picture = base / "archive", base / "denoised", base / "before-and-after.png"
    truths = {str(truth.source.absolute()): truth for truth in write_archive(archive)}
    choices = Choices(output=str(results), table=table)
    machine = replace(machine, device=settle_device(machine.device))
    plan = make_plan([str(archive)], choices, machine.device)
    summary = carry_out(plan, choices, machine, watch)
    if not summary.is_complete:
        raise TargetError(
            str(results), "the demonstration is not complete", "all planes denoised", "see above"
        )
    rows = [row for image in plan.images for row in _rows(image, truths[image.header.ref.uri])]
    compose([row.panels for row in rows], zoom=2).save(picture)
    return DemoOutcome(tuple(rows), archive, results, picture)


def _rows(image: ImagePlan, truth: Truth) -> list[DemoRow]:
    rows = []
    for channel in image.channels:
        known, match = channel.metadata, channel.match
        if match is None or image.target is None:
            continue
        c = known.index
        denoised = _read_result(image.target.uri, c, truth.image.depth)
        noisy, clean = truth.noisy[c], truth.clean[c]
        before = [psnr(n, g, n) for n, g in zip(noisy, clean, strict=True)]
        after = [psnr(d, g, n) for d, n, g in zip(denoised, noisy, clean, strict=True)]
        window = display_window(clean[0])
        panels = (
            Panel(f"{truth.image.path} {known.name}: noisy {before[0]:.1f} dB", noisy[0], window),
            Panel(f"denoised {after[0]:.1f} dB", denoised[0], window),
            Panel("clean", clean[0], window),
        )
        terms = (known.microscope or "-", known.specimen or "-", match.tier, config_name(match.config))
        cells = (truth.image.path, str(known.name), *terms)
        rows.append(DemoRow(cells, float(np.mean(before)), float(np.mean(after)), panels))
    return rows


def _read_result(uri: str, c: int, depth: int) -> NDArray[np.generic]:
    """Read planes of a result, (Z, Y, X)."""
    ref = next(iter(walk_results([uri])))
    if isinstance(ref, Skipped):
        raise TargetError(uri, ref.reason, "a result")
    return read_planes(read_header(ref), c, [(0, z) for z in range(depth)])
