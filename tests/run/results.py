"""What tests of whole runs share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import Result

from autodip_zarr.domain import Skipped
from autodip_zarr.stores import read_attributes, read_header, read_planes, walk, walk_results

Run = Callable[..., Result]
"""Runs ``denoise --json`` with some more arguments."""


def statuses(result: Result) -> list[str]:
    """Return the status of each image of a run."""
    return [image["status"] for image in json.loads(result.stdout)["images"]]


def planes(uri: Path | str, c: int = 0) -> np.ndarray:
    """Return all planes of a channel of an image or result, (N, Y, X)."""
    ref = next(iter(walk_results([str(uri)]) if read_attributes(str(uri)) else walk([str(uri)])))
    assert not isinstance(ref, Skipped), ref
    header = read_header(ref)
    return read_planes(header, c, [(t, z) for t in range(header.size("t")) for z in range(header.size("z"))])
