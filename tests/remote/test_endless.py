"""Web servers that send more than they were asked for, without end, or byte by byte: told, and broken off."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.errors import PixelError
from autodip_zarr.stores import read_header, read_planes
from autodip_zarr.stores.access.errors import METADATA_LIMIT

from ..stores.builders import ome_xml, only, pixels, write_image, write_pages, write_plate
from .servers import WebHandler, _Threaded, serving

MEGABYTE = bytes(2**20)
END = 300
"""Megabytes after which a body ends after all, so that a test fails rather than fills the memory."""


class Endless(WebHandler):
    """Sends bodies without end in the place of files whose address ends as it is told."""

    endless = ""
    status = 200
    pause_s = 0.0
    sent = 0

    def answer(self, *, body: bool) -> None:
        if not self.path.endswith(self.endless):
            super().answer(body=body)
            return
        self.close_connection = True
        self.send_response(self.status)
        self.send_header("Connection", "close")
        if not body:
            self.send_header("Content-Length", str(2**40))
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(END if body else 0):
                self.wfile.write(MEGABYTE if self.pause_s == 0 else b" ")
                time.sleep(self.pause_s)
                type(self).sent += 1


@contextlib.contextmanager
def endless(
    folder: Path, name: str, status: int = 200, pause_s: float = 0.0
) -> Iterator[tuple[str, type[Endless]]]:
    """Serve a folder of which some files have no end, and yield the address and what counts megabytes."""
    values = {"folder": folder, "endless": name, "status": status, "pause_s": pause_s, "sent": 0}
    handler = type("Handler", (Endless,), values)
    with serving(_Threaded(("127.0.0.1", 0), handler)) as port:
        yield f"http://127.0.0.1:{port}", handler


@pytest.mark.parametrize("status", [200, 206])
def test_a_document_without_end(tmp_path: Path, status: int) -> None:
    write_image(tmp_path / "x.zarr", pixels((1, 16, 16)), "cyx")
    with endless(tmp_path, "x.zarr/zarr.json", status) as (web, server):
        done = CliRunner().invoke(main, ["plan", f"{web}/x.zarr"])
        assert done.exit_code == 2
        assert f"is larger than {METADATA_LIMIT:,} bytes" in done.output
        assert server.sent < 2 * METADATA_LIMIT // 2**20


def test_many_documents_without_end(tmp_path: Path) -> None:
    """Of the fields of a plate, whose documents are asked for side by side."""
    write_plate(tmp_path / "p.zarr", 3, wells=("A/1",), fields=2)
    with endless(tmp_path, "A/1/0/zarr.json") as (web, server):
        done = CliRunner().invoke(main, ["plan", f"{web}/p.zarr"])
        assert done.exit_code == 1, done.output
        assert f"is larger than {METADATA_LIMIT:,} bytes" in done.output
        assert server.sent < 3 * METADATA_LIMIT // 2**20, "it may be asked for again, alone"


@pytest.mark.parametrize("status", [200, 206])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_chunk_without_end(tmp_path: Path, zarr_format: int, status: int) -> None:
    write_image(tmp_path / "x.zarr", pixels((2, 16, 16)), "zyx", zarr_format)  # type: ignore[arg-type]
    name = "0/c/1/0/0" if zarr_format == 3 else "0/1/0/0"
    with endless(tmp_path, name, status) as (web, server):
        header = read_header(only(f"{web}/x.zarr"))
        read_planes(header, 0, [(0, 0)])
        with pytest.raises(PixelError, match="more than its pixels can need"):
            read_planes(header, 0, [(0, 1)])
        assert server.sent < 20


@pytest.mark.parametrize("status", [200, 206])
def test_a_tiff_without_end(tmp_path: Path, status: int) -> None:
    write_pages(tmp_path / "x.ome.tif", pixels((1, 16, 16)), ome_xml([(1, 1, 1, 16, 16)]))
    with endless(tmp_path, "x.ome.tif", status) as (web, server):
        done = CliRunner().invoke(main, ["plan", f"{web}/x.ome.tif"])
        assert done.exit_code == 2
        assert "cannot be read as TIFF" in done.output
        assert server.sent < 20


def test_a_document_that_trickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no silence: an attempt ends after fifteen time-outs."""
    monkeypatch.setenv("AUTODIP_REQUEST_TIMEOUT", "0.4")
    monkeypatch.setenv("AUTODIP_REQUEST_ATTEMPTS", "2")
    write_image(tmp_path / "x.zarr", pixels((1, 16, 16)), "cyx")
    with endless(tmp_path, "x.zarr/zarr.json", pause_s=0.1) as (web, _):
        started = time.monotonic()
        done = CliRunner().invoke(main, ["plan", f"{web}/x.zarr"])
        assert time.monotonic() - started < 2 * 15 * 0.4 + 5
        assert done.exit_code == 2
        assert "asked 2 times" in done.output
