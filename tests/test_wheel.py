"""The wheel holds what the program needs at run time, and runs from there."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return next(folder.glob("*.whl"))


def test_tables_vocabulary_and_notices_are_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in ("calibration/tables/published.json", "metadata/vocabulary/vocabulary.toml", "py.typed"):
            assert f"autodip_zarr/{name}" in names
        notices = [name for name in names if name.endswith("NOTICE.md")]
        assert notices
        assert "IPMI @ UKE" in archive.read(notices[0]).decode()
        assert any(name.endswith("LICENSE") for name in names)
        assert not any(name.startswith(("tests/", "benchmarks/", "docs/")) for name in names)


def test_it_runs_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = (
        "import sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import autodip_zarr.calibration as c\n"
        "from autodip_zarr.calibration.table import tables_folder\n"
        f"assert c.__file__.startswith({str(tmp_path)!r}), c.__file__\n"
        "assert tables_folder().is_relative_to(sys.path[0]), tables_folder()\n"
        "print(len(c.load_table().entries))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 96
