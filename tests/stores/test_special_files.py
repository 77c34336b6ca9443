"""Pipes, sockets and devices with the names of images are named and passed over, and never waited for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from autodip_zarr.stores.sample import write_sample_tiff

from ..samples import make_sample


@pytest.mark.parametrize("name", ["x.ome.tif", "x.zarr/zarr.json", "x.zarr/.zattrs", "zarr.json", ".zgroup"])
@pytest.mark.parametrize("kind", ["pipe", pytest.param("socket", marks=pytest.mark.soak)])
def test_a_special_file_holds_up_nothing(tmp_path: Path, name: str, kind: str) -> None:
    folder = tmp_path / "archive"
    write_sample_tiff(folder / "good.ome.tif", make_sample("good", (1, 1, 1, 16, 16)))
    special = folder / name
    special.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(special)
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(special))
    for source in (folder, special if name.endswith(".tif") else special.parent):
        plan = [sys.executable, "-m", "autodip_zarr", "plan", str(source)]
        ran = subprocess.run(plan, capture_output=True, text=True, check=False, timeout=30)
        assert ran.returncode in (1, 2), ran
        assert str(special) in ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
