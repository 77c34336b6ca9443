"""Images, folders and files that come and go while an archive is walked: the others are found."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from autodip_zarr.domain import ImageRef
from autodip_zarr.errors import AutodipError
from autodip_zarr.stores import read_header, walk
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..samples import make_sample

SECONDS: Final = 8.0
"""For how long it is walked again and again."""

CHURN: Final = """
import shutil, sys
from pathlib import Path
archive, models = Path(sys.argv[1]), Path(sys.argv[2])
while True:
    for number in range(20):
        shutil.copytree(models / "m.zarr", archive / f"z{number}.zarr", dirs_exist_ok=True)
        shutil.copy(models / "m.ome.tif", archive / f"t{number}.ome.tif")
        (archive / f"d{number}/below").mkdir(parents=True, exist_ok=True)
        (archive / f"d{number}/below/notes.txt").write_text("notes")
    for number in range(20):
        shutil.rmtree(archive / f"z{number}.zarr")
        (archive / f"t{number}.ome.tif").unlink()
        shutil.rmtree(archive / f"d{number}")
"""


@contextmanager
def churning(archive: Path, models: Path) -> Iterator[None]:
    """Have a process create and delete images, folders and files in an archive."""
    process = subprocess.Popen([sys.executable, "-c", CHURN, str(archive), str(models)])
    try:
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_what_vanishes_while_a_folder_is_walked_costs_nothing_else(tmp_path: Path) -> None:
    archive, models = tmp_path / "archive", tmp_path / "models"
    write_sample_zarr(models / "m.zarr", make_sample("m", (1, 1, 1, 16, 16)), "0.5")
    write_sample_tiff(models / "m.ome.tif", make_sample("m", (1, 1, 1, 16, 16)))
    for name in ("a.ome.tif", "k.ome.tif", "zz.ome.tif"):
        write_sample_tiff(archive / name, make_sample(name, (1, 1, 1, 16, 16)))
    fleeting: set[str] = set()
    end = time.monotonic() + SECONDS
    with churning(archive, models):
        while time.monotonic() < end:
            found = [item for item in walk([str(archive)]) if isinstance(item, ImageRef)]
            names = {Path(ref.uri).name for ref in found}
            assert names >= {"a.ome.tif", "k.ome.tif", "zz.ome.tif"}
            fleeting |= names
            for ref in found:
                try:
                    read_header(ref)
                except AutodipError:  # it may be gone by now, which is named
                    assert Path(ref.uri).name not in {"a.ome.tif", "k.ome.tif", "zz.ome.tif"}
    assert len(fleeting) > 3, "nothing came while it was walked"


def test_a_folder_that_vanishes_between_listing_and_look_is_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_sample_tiff(tmp_path / name / "x.ome.tif", make_sample(name, (1, 1, 1, 16, 16)))
    items = walk([str(tmp_path)])
    first = next(items)
    (tmp_path / "b/x.ome.tif").unlink()
    (tmp_path / "b").rmdir()
    rest = list(items)
    assert isinstance(first, ImageRef)
    assert [Path(item.uri).parent.name for item in rest if isinstance(item, ImageRef)] == ["c"]
    (gone,) = (item for item in rest if not isinstance(item, ImageRef))
    assert gone.source == str(tmp_path / "b")
    assert gone.is_error
