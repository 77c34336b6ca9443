"""How many requests a run makes, counted at the server: docs/how-to/use-buckets.md shows these numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from ..run.results import Run, statuses
from ..stores.builders import ome_xml, pixels, write_array, write_image, write_pages
from .conftest import upload
from .servers import BUCKET, Proxy, Request

PLANES = 16


def write_source(folder: Path, kind: str) -> Path:
    """Write a z-stack as one object a plane (0.5 and 0.4), as one shard, or as an OME-TIFF."""
    data = pixels((PLANES, 64, 64))
    if kind == "tiff":
        return write_pages(folder / "x.ome.tif", data, ome_xml([(1, 1, PLANES, 64, 64)]))
    path = write_image(folder / "x.zarr", data, "zyx", 2 if kind == "chunks 0.4" else 3)
    if kind == "shards":
        shards = {"chunks": (1, 64, 64), "shards": (PLANES, 64, 64), "overwrite": True}
        write_array(path / "0", data, 3, **shards)
    return path


@dataclass(frozen=True)
class Most:
    """How many requests a run over one image of 16 planes, which is one block, may make."""

    source_pixels: int
    """For pixels of the source."""
    written: int
    """That write pixels and records."""
    read_again: int
    """For pixels of the result: pyramid and rendering window, at the end."""
    others: int
    """For everything else: looking for images, metadata, provenance; once an image."""
    lock: int = 30
    """For the lock: 10 are seen in a run of seconds, and each heartbeat of a slower one adds some."""


def counted(requests: Sequence[Request]) -> dict[str, int]:
    """Count the requests of a run by what they are for; those for the lock grow with time."""
    count = Counter[str]()
    for request in requests:
        folder, _, below = request.key.split("/", 3)[-1].partition("/")
        is_pixels = below.endswith(".tif") or "/c/" in below or re.search(r"/(0|record)/[\d/]+$", below)
        if below.endswith("lock.json"):
            count["lock"] += 1
        elif not is_pixels:
            count["others"] += 1
        elif folder == "in":
            count["source_pixels"] += 1
        else:
            count["written" if request.method == "PUT" else "read_again"] += 1
    return dict(count)


CASES = {
    ("chunks 0.5", "0.5"): Most(PLANES, 3, PLANES + 5, 75),
    ("chunks 0.4", "0.4"): Most(PLANES, PLANES + 2, PLANES + 5, 123),
    ("shards", "0.5"): Most(1, 3, PLANES + 5, 75),
    ("tiff", "0.5"): Most(16, 3, PLANES + 5, 58),
}


@pytest.mark.parametrize(("kind", "version"), CASES)
def test_requests_of_a_run(tmp_path: Path, s3: Proxy, run: Run, kind: str, version: str) -> None:
    bucket = f"s3://{BUCKET}/requests-{kind.replace(' ', '-')}"
    write_source(tmp_path, kind)
    upload(tmp_path, f"{bucket}/in")
    s3.clear()
    done = run(f"{bucket}/in", "--output", f"{bucket}/out", "--zarr-format", version)
    assert statuses(done) == ["done"]
    count, most = counted(s3.requests), asdict(CASES[kind, version])
    print(f"{kind} to {version}: {count}, {len(s3.requests)} in all for {PLANES} planes")  # noqa: T201 - by -s
    assert {name: most[name] for name in count if count[name] > most[name]} == {}, count
    written = Counter(request.key for request in s3.requests if request.method == "PUT")
    again = {key.rpartition("/")[2] for key, times in written.items() if times > 1}
    assert again <= {"zarr.json", ".zattrs", "lock.json"}, "the state at first and last, and the heartbeat"
