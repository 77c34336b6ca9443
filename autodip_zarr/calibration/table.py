"""Calibration tables: data that is read strictly and never trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autodip_zarr.domain import DipConfig, TableId, Width
from autodip_zarr.errors import TableError
from autodip_zarr.regular_files import read_regular

__all__ = ["GROUP_FIELDS", "Calibrated", "Entry", "Table", "load_table", "tables_folder"]

_FORMAT = "autodip-zarr calibration table"
_FORMAT_VERSION = 1
GROUP_FIELDS = ("microscope", "specimen", "organism")
"""Fields of a channel by which a table may group."""

_MAX_BYTES = 4_000_000
_MAX_NETWORK_DEPTH = 10  # an ascending width that ends at 512 has one channel left at depth 10
_MAX_WIDTH = 1024
_MAX_SKIP = 128
_MAX_ITERATIONS = 100_000

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
    is_name = "/" not in name_or_path and "\\" not in name_or_path and not name_or_path.endswith(".json")
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
    try:
        content_object: object = json.loads(content, object_pairs_hook=lambda pairs: _unique(pairs, where))
    except (ValueError, RecursionError) as error:
        raise TableError(where, f"no JSON ({error})", "a JSON object in UTF-8") from error
    reader = _Reader(where)
    document = reader.keys(content_object, "", _TABLE_KEYS)
    reader.equal(document["format"], "format", _FORMAT)
    reader.equal(document["format_version"], "format_version", _FORMAT_VERSION)
    reader.config(document["original_dip"], "original_dip")
    entries = reader.entries(document["entries"])
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
    )


def parse_config(value: object, where: str) -> DipConfig:
    """Check a configuration that was read from JSON.

    Raises
    ------
    TableError
        If it is no configuration, or beyond what can be fitted.
    """
    return _Reader(where).config(value, "")


def _unique(pairs: list[tuple[str, object]], where: str) -> dict[str, object]:
    """Build an object; a repeated key is an error because one of the values would be lost."""
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise TableError(where, f"the key {key!r} twice in one object", "every key once")
    return dict(pairs)


@dataclass(frozen=True)
class _Reader:
    """Checks of single fields; each error names the file and the field."""

    where: str
    """Path, for messages."""

    def at(self, field: str) -> str:
        return f"{self.where}: {field}" if field else self.where

    def keys(self, value: object, field: str, expected: tuple[str, ...]) -> dict[str, object]:
        if not isinstance(value, dict):
            raise TableError(self.at(field), f"{type(value).__name__}", "an object")
        for key in expected:
            if key not in value:
                raise TableError(self.at(field), f"no {key!r}", f"the keys {', '.join(expected)}")
        for key in value:
            if key not in expected:
                raise TableError(self.at(field), f"an unknown key {key!r}", f"the keys {', '.join(expected)}")
        return value

    def equal(self, value: object, field: str, expected: str | int) -> None:
        if value != expected or isinstance(value, bool):
            raise TableError(self.at(field), repr(value), repr(expected))

    def text(self, value: object, field: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise TableError(self.at(field), repr(value), "a text that is not empty")
        return value

    def texts(self, value: object, field: str, expected: tuple[str, ...]) -> dict[str, str]:
        value = self.keys(value, field, expected)
        return {key: self.text(value[key], f"{field}.{key}") for key in expected}

    def number(self, value: object, field: str, allowed: range) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
            raise TableError(self.at(field), repr(value), f"an integer from {allowed[0]} to {allowed[-1]}")
        return value

    def width(self, value: object, field: str) -> Width:
        if value == "asc":
            return "asc"
        if not isinstance(value, int) or isinstance(value, bool) or value not in range(1, _MAX_WIDTH + 1):
            raise TableError(self.at(field), repr(value), f"an integer from 1 to {_MAX_WIDTH}, or 'asc'")
        return value

    def config(self, value: object, field: str) -> DipConfig:
        value = self.keys(value, field, _CONFIG_KEYS)
        return DipConfig(
            depth=self.number(value["depth"], f"{field}.depth", range(1, _MAX_NETWORK_DEPTH + 1)),
            width=self.width(value["width"], f"{field}.width"),
            skip=self.number(value["skip"], f"{field}.skip", range(_MAX_SKIP + 1)),
            iterations=self.number(value["iterations"], f"{field}.iterations", range(1, _MAX_ITERATIONS + 1)),
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

    def entries(self, value: object) -> tuple[Entry, ...]:
        if not isinstance(value, list) or not value:
            raise TableError(self.at("entries"), repr(value)[:80], "a list that is not empty")
        seen: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
        found = []
        for index, item in enumerate(value):
            field = f"entries[{index}]"
            one = self.keys(item, field, _ENTRY_KEYS)
            config = self.config({key: one[key] for key in _CONFIG_KEYS}, field)
            metric = self.text(one["metric"], f"{field}.metric")
            group = self.group(one["group"], f"{field}.group")
            key = (metric, frozenset(group.items()))
            if key in seen:
                raise TableError(self.at(field), f"the metric and group of entries[{seen[key]}]", "each once")
            seen[key] = index
            images = self.number(one["images"], f"{field}.images", range(1, 10**9))
            found.append(Entry(metric=metric, group=group, config=config, images=images))
        for metric in dict.fromkeys(entry.metric for entry in found):
            if (metric, frozenset()) not in seen:
                raise TableError(
                    self.at("entries"), f"no entry with an empty group for {metric!r}", "one for each metric"
                )
        return tuple(found)
