"""Calibration tables, and the choice of a configuration for a channel."""

from __future__ import annotations

from autodip_zarr.calibration.match import MatchOptions, find_match
from autodip_zarr.calibration.stack import find_in_stack, load_stack
from autodip_zarr.calibration.table import Calibrated, Entry, Table, load_table, parse_config

__all__ = [
    "Calibrated",
    "Entry",
    "MatchOptions",
    "Table",
    "find_in_stack",
    "find_match",
    "load_stack",
    "load_table",
    "parse_config",
]
