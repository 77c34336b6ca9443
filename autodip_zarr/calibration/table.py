"""Calibration tables: data that is read strictly and never trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autodip_zarr.calibration.fields import FieldReader, parse_object
from autodip_zarr.calibration.grid import MAX_DEPTH, MAX_ITERATIONS, MAX_SKIP, MAX_WIDTH, Grid
from autodip_zarr.domain import DipConfig, TableId, Width
from autodip_zarr.errors import TableError
from autodip_zarr.regular_files import read_regular

__all__ = ["GROUP_FIELDS", "Calibrated", "Entry", "Table", "load_table", "tables_folder"]

FORMAT = "autodip-zarr calibration table"
FORMAT_VERSION = 2
"""What is written; version 1 has neither ``measured`` nor ``found``, and is read as ever."""
GROUP_FIELDS = ("microscope", "specimen", "organism")
"""Fields of a channel by which a table may group."""

_MAX_BYTES = 4_000_000
_TABLE_KEYS = (
    "format",
    "format_version",
    "name",
    "version",
    "description",
    "source",
    "calibrated",
    "field_px",
    "default_metric",
    "original_dip",
    "entries",
)
_SOURCE_KEYS = ("method", "reference", "authors", "licence", "notice")
_CALIBRATED_KEYS = ("who", "when", "on", "with")
_CONFIG_KEYS = ("depth", "width", "skip", "iterations")
_ENTRY_KEYS = ("metric", "group", *_CONFIG_KEYS, "images")
_MEASURED, _FOUND = "measured", "found"
_FOUND_KEYS = ("by", "fields", "psnr_db", "regret_db", "spread_db", "left_out_db")
_MEASURED_TEXTS = ("preset", "output", "device", "software", "results_sha256")
_MEASURED_KEYS = (*_MEASURED_TEXTS, "crop_px", "seeds", "grid", "pairs")
_PAIR_KEYS = ("name", "field", "microscope", "specimen")
_GRID_KEYS = ("depths", "widths", "skips", "stops")


@dataclass(frozen=True)
class Found:
    """What the choice of an entry rests on."""

    by: int
    """Which calibration of the table, counted from 0."""
    fields: int
    """Number of fields of view that its images show."""
    psnr_db: float
    """Mean over the fields, in dB."""
    regret_db: float
    """How much the best configuration of each field is better, in dB, the mean over the fields."""
    spread_db: float
    """Standard error of that mean; of a single field, of its seeds."""
    left_out_db: float | None
    """The regret on a field that had no part in the choice, the mean over all; ``None`` for one field."""


@dataclass(frozen=True)
class MeasuredPair:
    """A pair of images that a calibration used."""

    name: str
    """What it is called."""
    field: str
    """Field of view that it shows."""
    microscope: str | None
    """Imaging modality; ``None`` where it is unknown."""
    specimen: str | None
    """Labelled structure; ``None`` where it is unknown."""


@dataclass(frozen=True)
class Measured:
    """A calibration: what was measured, and how."""

    preset: str
    """Preset whose recipe was fitted."""
    output: str
    """Which output was scored: ``last``, ``averaged`` or ``preset``."""
    crop_px: int
    """Largest side of the fields, in pixels."""
    device: str
    """Where it was fitted."""
    software: str
    """Program and version."""
    results_sha256: str
    """Digest of the measurements."""
    seeds: tuple[int, ...]
    """Seeds that each pair was fitted with."""
    grid: Grid
    """Configurations that were tried."""
    pairs: tuple[MeasuredPair, ...]
    """The pairs."""


@dataclass(frozen=True)
class Entry:
    """The configuration that one group of calibration images chose by one metric."""

    metric: str
    """Metric by which it was chosen, for example ``lpips_psnr``."""
    group: Mapping[str, str]
    """Terms that the images of the group share; empty for all images."""
    config: DipConfig
    """The configuration."""
    images: int
    """Number of calibration images in the group."""
    found: Found | None = None
    """What it rests on, as far as the table tells."""


@dataclass(frozen=True)
class Calibrated:
    """Who made a table, when, on what and with what."""

    who: str
    """People or group."""
    when: str
    """Date or year."""
    on: str
    """Images."""
    with_what: str
    """Grid, metric, software."""


@dataclass(frozen=True)
class Table:
    """A calibration table that has been checked."""

    id: TableId
    """Name, version and digest, for the provenance."""
    description: str
    """What it holds, in words."""
    source: Mapping[str, str]
    """Method, reference, authors, licence and notice."""
    calibrated: Calibrated
    """How it came about."""
    field_px: int
    """Side of the fields it was calibrated on, in pixels; the iterations hold for such fields."""
    default_metric: str
    """Metric that is used where none is asked for."""
    entries: tuple[Entry, ...]
    """All entries; each metric has one with an empty group."""
    measured: tuple[Measured, ...] = ()
    """The calibrations that entries rest on, as far as the table tells."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the table, in order of first appearance."""
        return tuple(dict.fromkeys(entry.metric for entry in self.entries))

    def find(self, metric: str, group: Mapping[str, str]) -> Entry | None:
        """Return the entry of exactly this metric and group, or ``None``."""
        for entry in self.entries:
            if entry.metric == metric and dict(entry.group) == dict(group):
                return entry
        return None


def tables_folder() -> Path:
    """Return the folder of the shipped tables.

    An installed package carries them beside this module in ``tables``; in a checkout they lie in the folder
    ``calibration`` at the top, where they are reviewed.
    """
    installed = Path(__file__).parent / "tables"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "calibration"


def is_shipped_name(name_or_path: str) -> bool:
    """Return whether a text names a shipped table: it has neither a separator nor the ending .json."""
    return "/" not in name_or_path and "\\" not in name_or_path and not name_or_path.endswith(".json")


def load_table(name_or_path: str = "published") -> Table:
    """Read and check a calibration table.

    Parameters
    ----------
    name_or_path : str
        Name of a shipped table (no suffix, no separator), or path of a JSON file.

    Raises
    ------
    TableError
        If there is no such table, or it is not valid; names the file, the field, what was found and expected.
    """
    is_name = is_shipped_name(name_or_path)
    path = tables_folder() / f"{name_or_path}.json" if is_name else Path(name_or_path)
    try:
        content = read_regular(path)
    except OSError as error:
        shipped = ", ".join(sorted(one.stem for one in tables_folder().glob("*.json")))
        hint = f"shipped tables are: {shipped}; anything else is a path that ends in .json"
        raise TableError(
            str(path), f"cannot be read ({error.strerror})", "a calibration table", hint
        ) from error
    if len(content) > _MAX_BYTES:
        raise TableError(str(path), f"{len(content)} bytes", f"at most {_MAX_BYTES} bytes")
    return parse_table(content, str(path))


def parse_table(content: bytes, where: str) -> Table:
    """Check the content of a calibration table.

    Parameters
    ----------
    content : bytes
        JSON text in UTF-8.
    where : str
        Path, for messages.

    Raises
    ------
    TableError
        If it is not valid.
    """
    reader = _Reader(where)
    content_object = parse_object(content, where)
    document = reader.keys(content_object, "", _TABLE_KEYS, (_MEASURED,))
    reader.equal(document["format"], "format", FORMAT)
    version = reader.number(document["format_version"], "format_version", range(1, FORMAT_VERSION + 1))
    if version == 1 and _MEASURED in document:
        raise TableError(reader.at(_MEASURED), "in format_version 1", "format_version 2")
    measured = reader.measured(document.get(_MEASURED, []))
    reader.config(document["original_dip"], "original_dip")
    entries = reader.entries(document["entries"], len(measured))
    default = reader.text(document["default_metric"], "default_metric")
    if default not in {entry.metric for entry in entries}:
        raise TableError(f"{where}: default_metric", repr(default), "a metric that has entries")
    calibrated = reader.texts(document["calibrated"], "calibrated", _CALIBRATED_KEYS)
    return Table(
        id=TableId(
            name=reader.text(document["name"], "name"),
            version=reader.text(document["version"], "version"),
            sha256=hashlib.sha256(content).hexdigest(),
        ),
        description=reader.text(document["description"], "description"),
        source=reader.texts(document["source"], "source", _SOURCE_KEYS),
        calibrated=Calibrated(*(calibrated[key] for key in _CALIBRATED_KEYS)),
        field_px=reader.number(document["field_px"], "field_px", range(16, 65536)),
        default_metric=default,
        entries=entries,
        measured=measured,
    )


def parse_config(value: object, where: str) -> DipConfig:
    """Check a configuration that was read from JSON.

    Raises
    ------
    TableError
        If it is no configuration, or beyond what can be fitted.
    """
    return _Reader(where).config(value, "")


@dataclass(frozen=True)
class _Reader(FieldReader):
    """Checks of the fields of a table."""

    def width(self, value: object, field: str) -> Width:
        if value == "asc":
            return "asc"
        if not isinstance(value, int) or isinstance(value, bool) or value not in range(1, MAX_WIDTH + 1):
            raise TableError(self.at(field), repr(value), f"an integer from 1 to {MAX_WIDTH}, or 'asc'")
        return value

    def config(self, value: object, field: str) -> DipConfig:
        value = self.keys(value, field, _CONFIG_KEYS)
        return DipConfig(
            depth=self.number(value["depth"], f"{field}.depth", range(1, MAX_DEPTH + 1)),
            width=self.width(value["width"], f"{field}.width"),
            skip=self.number(value["skip"], f"{field}.skip", range(MAX_SKIP + 1)),
            iterations=self.number(value["iterations"], f"{field}.iterations", range(1, MAX_ITERATIONS + 1)),
        )

    def group(self, value: object, field: str) -> dict[str, str]:
        if not isinstance(value, dict):
            raise TableError(self.at(field), f"{type(value).__name__}", "an object")
        for key in value:
            if key not in GROUP_FIELDS:
                raise TableError(
                    self.at(field), f"an unknown key {key!r}", f"one of {', '.join(GROUP_FIELDS)}"
                )
        return {key: self.text(term, f"{field}.{key}") for key, term in value.items()}

    def entries(self, value: object, calibrations: int) -> tuple[Entry, ...]:
        seen: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
        found = []
        for index, item in enumerate(self.items(value, "entries")):
            field = f"entries[{index}]"
            one = self.keys(item, field, _ENTRY_KEYS, (_FOUND,) if calibrations else ())
            config = self.config({key: one[key] for key in _CONFIG_KEYS}, field)
            metric = self.text(one["metric"], f"{field}.metric")
            group = self.group(one["group"], f"{field}.group")
            key = (metric, frozenset(group.items()))
            if key in seen:
                raise TableError(self.at(field), f"the metric and group of entries[{seen[key]}]", "each once")
            seen[key] = index
            images = self.number(one["images"], f"{field}.images", range(1, 10**9))
            rests = self.found(one[_FOUND], f"{field}.found", calibrations) if _FOUND in one else None
            found.append(Entry(metric, group, config, images, rests))
        for metric in dict.fromkeys(entry.metric for entry in found):
            if (metric, frozenset()) not in seen:
                raise TableError(
                    self.at("entries"), f"no entry with an empty group for {metric!r}", "one for each metric"
                )
        return tuple(found)

    def found(self, value: object, field: str, calibrations: int) -> Found:
        one = self.keys(value, field, _FOUND_KEYS)
        left_out = one["left_out_db"]
        return Found(
            by=self.number(one["by"], f"{field}.by", range(calibrations)),
            fields=self.number(one["fields"], f"{field}.fields", range(1, 10**9)),
            psnr_db=self.decimal(one["psnr_db"], f"{field}.psnr_db"),
            regret_db=self.decimal(one["regret_db"], f"{field}.regret_db"),
            spread_db=self.decimal(one["spread_db"], f"{field}.spread_db"),
            left_out_db=None if left_out is None else self.decimal(left_out, f"{field}.left_out_db"),
        )

    def measured(self, value: object) -> tuple[Measured, ...]:
        if not isinstance(value, list):
            raise TableError(self.at(_MEASURED), repr(value)[:80], "a list")
        return tuple(self._measured(one, f"{_MEASURED}[{index}]") for index, one in enumerate(value))

    def _measured(self, value: object, field: str) -> Measured:
        one = self.keys(value, field, _MEASURED_KEYS)
        grid = self.keys(one["grid"], f"{field}.grid", _GRID_KEYS)

        def numbers(name: str, allowed: range) -> tuple[int, ...]:
            where = f"{field}.grid.{name}"
            return tuple(self.number(item, where, allowed) for item in self.items(grid[name], where))

        widths, pairs = f"{field}.grid.widths", f"{field}.pairs"
        seeds = self.items(one["seeds"], f"{field}.seeds")
        return Measured(
            **self.texts({key: one[key] for key in _MEASURED_TEXTS}, field, _MEASURED_TEXTS),
            crop_px=self.number(one["crop_px"], f"{field}.crop_px", range(1, 65536)),
            seeds=tuple(self.number(seed, f"{field}.seeds", range(2**63)) for seed in seeds),
            grid=Grid(
                numbers("depths", range(1, MAX_DEPTH + 1)),
                tuple(self.width(item, widths) for item in self.items(grid["widths"], widths)),
                numbers("skips", range(MAX_SKIP + 1)),
                numbers("stops", range(1, MAX_ITERATIONS + 1)),
            ),
            pairs=tuple(self._pair(item, pairs) for item in self.items(one["pairs"], pairs)),
        )

    def _pair(self, value: object, field: str) -> MeasuredPair:
        one = self.keys(value, field, _PAIR_KEYS)
        known = {
            key: None if one[key] is None else self.text(one[key], f"{field}.{key}") for key in _PAIR_KEYS
        }
        name, shown = self.text(one["name"], f"{field}.name"), self.text(one["field"], f"{field}.field")
        return MeasuredPair(name, shown, known["microscope"], known["specimen"])
