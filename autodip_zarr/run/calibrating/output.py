"""What a calibration leaves: the table, the measurements, and the journal by which it goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from autodip_zarr.calibration import Table, load_table
from autodip_zarr.calibration.choice import CHEAPEST, PAPER, Choice
from autodip_zarr.calibration.table import Measured
from autodip_zarr.calibration.written import Naming, table_bytes
from autodip_zarr.errors import OptionError, TargetError
from autodip_zarr.run.calibrating.journal import Journal, read_journal
from autodip_zarr.run.calibrating.plan import Settings
from autodip_zarr.run.calibrating.results import PRESET_OUTPUT, grid_of, pairs_of

if TYPE_CHECKING:
    from xarray import Dataset

_RULES: Final = {"cheapest": CHEAPEST, "paper": PAPER}
"""What ``--choose`` may be, and the metric of a table that it is the default of."""

_TABLE, _RESULTS, _JOURNAL = ".json", ".zarr", ".measured.jsonl"


@dataclass(frozen=True)
class Output:
    """Where a table goes; measurements and journal lie beside it.

    Raises
    ------
    OptionError
        If it is no name of a table, or there is one that no calibration made.
    """

    table_path: str
    """Path of the table, which ends in ``.json``."""
    choose: str
    """Rule whose entries are the default ones, of `_RULES`."""
    who: str
    """Who calibrates."""

    def __post_init__(self) -> None:
        if not self.table_path.endswith(_TABLE) or "://" in self.table_path:
            raise OptionError("--output", repr(self.table_path), "a path on this machine that ends in .json")
        if Path(self.table_path).exists() and not self.journal_path.exists():
            hint = "--add extends one; give --output another name"
            raise OptionError("--output", f"{self.table_path} is there, and not of such a run", "", hint)

    @property
    def rule(self) -> str:
        """Metric that is the default of the table."""
        return _RULES[self.choose]

    @property
    def journal_path(self) -> Path:
        """Where each measurement is written as it comes."""
        return Path(self.table_path.removesuffix(_TABLE) + _JOURNAL)

    @property
    def results_path(self) -> str:
        """Where the measurements lie as a dataset."""
        return self.table_path.removesuffix(_TABLE) + _RESULTS

    def journal(self) -> Journal:
        """Read what an earlier run has measured."""
        return read_journal(self.journal_path)

    def write(
        self, chosen: Sequence[Choice], dataset: Dataset, settings: Settings, before: Table | None
    ) -> str:
        """Write the table, and return its path.

        Raises
        ------
        TargetError
            It cannot be written.
        """
        path = Path(self.table_path)
        today = datetime.now(UTC).date().isoformat()
        naming = Naming(path.name.removesuffix(_TABLE), self.who, today, self.rule)
        content = table_bytes(naming, chosen, _measured(dataset, settings), before)
        partial = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as error:
            raise TargetError(self.table_path, f"cannot be written: {error.strerror}") from error
        load_table(str(path) if "/" in str(path) else f"./{path}")  # whoever reads it must find it valid
        return self.table_path


def _measured(dataset: Dataset, settings: Settings) -> Measured:
    """Return what a table says of how it was measured."""
    return Measured(
        preset=settings.recipe.preset,
        output=PRESET_OUTPUT,
        crop_px=int(max(dataset[name].max() for name in ("height_px", "width_px"))),
        device=str(dataset.attrs["device"]),
        software=str(dataset.attrs["software"]),
        results_sha256=_digest(dataset),
        seeds=tuple(int(seed) for seed in dataset["seed"].to_numpy()),
        grid=grid_of(dataset),
        pairs=pairs_of(dataset),
    )


def _digest(dataset: Dataset) -> str:
    """Return a digest of the measured numbers in the order of the dataset."""
    digest = hashlib.sha256()
    for name in sorted(str(name) for name in dataset.data_vars):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(dataset[name].to_numpy(), "<f8").tobytes())
    return digest.hexdigest()
