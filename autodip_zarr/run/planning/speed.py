"""How fast this machine fits, against what estimates assume: from earlier runs, or a second of fitting.

It is kept in a small file in the cache folder of the user: ``$XDG_CACHE_HOME/autodip-zarr/speed.json``, or
the like of that on Windows and macOS. What cannot be read there counts as not measured, and what cannot be
written is not kept: nothing depends on it but the time that a plan tells.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from autodip_zarr.regular_files import read_regular
from autodip_zarr.run.scheduling.machine import resolve_precision

Basis = Literal["runs", "measured", "guess"]
"""Whence a speed is known: earlier runs here, a short measurement here, or not at all."""

_MOST_RUNS: Final = 20
_LEAST_RUN_S: Final = 10.0
"""Seconds of fits of a run, as they were and as they were estimated, below which what else there is, such as
loading libraries for the first plane, would count for too much."""

_MEASURING_LIMIT_S: Final = 30.0
_MOST_TIMES: Final = 1e4
"""Factor to either side beyond which nothing that the file says was measured."""

_MOST_SECONDS: Final = 1e10
_LARGEST: Final = 100_000
"""Bytes of the file; more was not written by this program."""

_LEAST_RANGE: Final = {"runs": 1.25, "measured": 2.5, "guess": 3.0}
"""Factor by which a time may be off either way, at least; benchmarks/forecast.py compares."""


@dataclass(frozen=True)
class Speed:
    """How long fits take here, relative to the estimate."""

    factor: float
    """Time over estimated time; 2.0 is half as fast as estimated."""
    off_by: float
    """Factor by which a time may be off either way."""
    basis: Basis
    """Whence it is known."""


def known_speed(device: str) -> Speed:
    """Return what is known of a device of this machine, measuring nothing."""
    known = _read().get(_key(device), {})
    runs = [tuple(one) for one in known.get("runs", []) if _is_run(one)]
    if runs:
        total = sum(seconds for _, seconds in runs)
        mean = sum(seconds * math.log(factor) for factor, seconds in runs) / total
        variance = sum(seconds * (math.log(factor) - mean) ** 2 for factor, seconds in runs) / total
        off_by = max(_LEAST_RANGE["runs"], math.exp(2 * math.sqrt(variance)))
        return Speed(math.exp(mean), off_by, "runs")
    measured: Any = known.get("measured")
    if _is_factor(measured):
        return Speed(float(measured), _LEAST_RANGE["measured"], "measured")
    return Speed(1.0, _LEAST_RANGE["guess"], "guess")


def keep_run(device: str, seconds: float, expected_seconds: float) -> None:
    """Keep how long the fits of a run took here, where they took long enough to tell.

    Parameters
    ----------
    device : str
        ``cpu`` or a CUDA device of this machine.
    seconds : float
        Time of all fits, each on its worker.
    expected_seconds : float
        The same as it was estimated.
    """
    if min(seconds, expected_seconds) < _LEAST_RUN_S:
        return
    document = _read()
    known = document.setdefault(_key(device), {})
    runs = [one for one in known.get("runs", []) if _is_run(one)]
    known["runs"] = [*runs, [round(seconds / expected_seconds, 4), round(seconds, 1)]][-_MOST_RUNS:]
    _write(document)


def measure_speed(device: str) -> Speed:
    """Return what is known of a device; of a CPU of which nothing is, fit a small network for a second first.

    That is done in a process of its own, since planning loads no torch, and once a machine: it is kept.
    """
    known = known_speed(device)
    if known.basis != "guess" or device != "cpu":
        return known
    precision = resolve_precision("auto", device)
    script = f"from autodip_zarr.dip.measuring import measured_factor; print(measured_factor({precision!r}))"
    try:
        asked = subprocess.run(  # noqa: S603 - of this program itself
            [sys.executable, "-P", "-c", script],  # -P: modules of the current folder may be anybody's
            capture_output=True,
            text=True,
            check=True,
            timeout=_MEASURING_LIMIT_S,
        )
        factor = float(asked.stdout)
    except (subprocess.SubprocessError, OSError, ValueError):  # then it stays a guess, and the plan says so
        return known
    document = _read()
    document.setdefault(_key(device), {})["measured"] = round(factor, 4)
    _write(document)
    return known_speed(device)


def _key(device: str) -> str:
    """Return a name for a device: home folders, and caches in them, are shared by machines."""
    return f"{platform.node()} {device.partition(':')[0]}"


def _path() -> Path:
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "autodip-zarr" / "speed.json"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        folder = Path(local) if local else Path.home() / "AppData" / "Local"
        return folder / "autodip-zarr" / "Cache" / "speed.json"
    inner = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return Path.home() / inner / "autodip-zarr" / "speed.json"


def _read() -> dict[str, dict[str, Any]]:
    try:
        document = json.loads(read_regular(_path(), _LARGEST))
    except (OSError, ValueError, RecursionError, RuntimeError):  # the last where there is no home
        return {}
    if not isinstance(document, dict):
        return {}
    found = {key: value for key, value in document.items() if isinstance(value, dict)}
    return {key: value for key, value in found.items() if isinstance(value.get("runs", []), list)}


def _write(document: dict[str, dict[str, Any]]) -> None:
    with suppress(OSError, RuntimeError):
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        partial.write_text(json.dumps(document, indent=1), encoding="utf-8")
        partial.replace(path)


def _is_run(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and _is_factor(value[0]) and _is_seconds(value[1])


def _is_factor(value: Any) -> bool:  # noqa: ANN401 - whatever stands in the file
    return _is_number(value) and 1 / _MOST_TIMES <= value <= _MOST_TIMES


def _is_seconds(value: Any) -> bool:  # noqa: ANN401
    return _is_number(value) and 0 < value < _MOST_SECONDS


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)
