"""Worker processes of a run, as the machine sees them."""

from __future__ import annotations

import time
from pathlib import Path

import psutil


def workers_of(driver: int) -> list[psutil.Process]:
    """Return the Dask worker processes that a driver started, oldest first."""
    children = psutil.Process(driver).children()
    workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    return sorted(workers, key=lambda process: process.create_time())


def wait_for(path: Path, seconds: float) -> None:
    """Wait until a file or folder exists."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear within {seconds} s"
        time.sleep(0.05)
