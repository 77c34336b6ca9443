"""What tests of whole runs share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import Result

from autodip_zarr.domain import Skipped
from autodip_zarr.stores import (
    RECORD_FIELDS,
    read_attributes,
    read_header,
    read_planes,
    read_record,
    walk,
    walk_results,
)

from ..samples import digest

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


INCIDENTAL = ("zarr.json", ".zattrs", "ro-crate-metadata.json")
"""Documents of an image that say when and where it was made."""


def assert_same_result(made: Path, expected: Path) -> None:
    """Check that two results are the same, bit for bit, apart from when and where they were made."""
    made_files, expected_files = digest(made), digest(expected)
    assert made_files.keys() == expected_files.keys()
    incidental = ("autodip/record/", "autodip/checksums/")
    timed = {name for name in made_files if name in INCIDENTAL or name.startswith(incidental)}
    differing = {name for name in made_files if made_files[name] != expected_files[name]}
    assert differing <= timed
    here, there = read_record(str(made)), read_record(str(expected))
    seconds = RECORD_FIELDS.index("seconds")
    here[..., seconds] = there[..., seconds]
    np.testing.assert_array_equal(here, there)
    left, right = read_attributes(str(made)), read_attributes(str(expected))
    assert left is not None
    assert right is not None
    assert left["recipe"] == right["recipe"]
    assert left["status"] == right["status"]
    assert left["run"]["planes"] == right["run"]["planes"]
    outer = [json.loads((path / "zarr.json").read_text()) for path in (made, expected) if _has_v3(path)]
    assert [document["attributes"]["ome"] for document in outer[:1]] == [
        document["attributes"]["ome"] for document in outer[1:]
    ]


def _has_v3(path: Path) -> bool:
    return (path / "zarr.json").exists()
