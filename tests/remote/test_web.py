"""Images on web servers: over TLS, in part and as a whole, and where nothing can be listed."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import trustme
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.errors import PixelError, SourceError
from autodip_zarr.stores import read_header, read_planes
from autodip_zarr.stores.access.place import open_place
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..run.results import Run, planes, statuses
from ..samples import make_sample
from ..stores.builders import (
    ome_xml,
    only,
    pixels,
    write_array,
    write_group,
    write_image,
    write_pages,
    write_plate,
    write_series,
)
from .servers import proxy_of, web_server

READ = """
import sys
from autodip_zarr.domain import ImageRef
from autodip_zarr.stores import read_header, read_planes, walk
for source in sys.argv[1:]:
    for item in walk([source]):
        if isinstance(item, ImageRef):
            print(item.group, read_planes(read_header(item), 0, [(0, 0)]).sum())
        else:
            print(item.reason)
"""


def read_elsewhere(*sources: object, **environment: str) -> str:
    """Read images in a process of its own, which takes its certificates from the environment."""
    command = [sys.executable, "-c", READ, *map(str, sources)]
    kept = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    done = subprocess.run(
        command, env={**kept, **environment}, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_images_over_https(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_sample_zarr(folder / "x.zarr", make_sample("x", (1, 2, 2, 20, 24)), "0.5")
    write_sample_tiff(folder / "y.ome.tif", make_sample("y", (1, 1, 3, 24, 32)))
    write_plate(folder / "plate.zarr", 2, wells=("A/1",), fields=1)
    write_series(folder / "series.zarr", 3)
    names = ("x.zarr", "y.ome.tif", "plate.zarr", "series.zarr")
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("localhost").configure_cert(tls)
    with web_server(folder, tls) as web:
        far = read_elsewhere(*(f"{web}/{name}" for name in names), SSL_CERT_FILE=str(tmp_path / "ca.pem"))
        unknown = read_elsewhere(f"{web}/x.zarr")
    assert far == read_elsewhere(*(folder / name for name in names))
    assert len(far.splitlines()) == 5
    assert "CERTIFICATE_VERIFY_FAILED" in unknown


def test_runs_over_http(tmp_path: Path, run: Run) -> None:
    write_sample_zarr(tmp_path / "in" / "x.zarr", make_sample("x", (1, 2, 2, 20, 24)), "0.5")
    write_sample_tiff(tmp_path / "in" / "y.ome.tif", make_sample("y", (1, 1, 3, 24, 32)))
    with web_server(tmp_path / "in") as web:
        done = run(f"{web}/x.zarr", f"{web}/y.ome.tif", "--output", tmp_path / "far")
        assert (done.exit_code, statuses(done)) == (0, ["done"] * 2)
    run(tmp_path / "in", "--output", tmp_path / "near")
    for name in ("x.zarr", "y.ome.zarr"):
        np.testing.assert_array_equal(planes(tmp_path / "far" / name), planes(tmp_path / "near" / name))


@pytest.mark.parametrize("ranges", [True, False])
def test_shards_and_tiff_pages_are_read_in_parts(tmp_path: Path, ranges: bool) -> None:
    """A server without byte ranges gives out whole objects: shards are cut out, a large TIFF is refused."""
    data = pixels((2, 4, 64, 64))
    write_image(tmp_path / "x.zarr", data, "czyx")
    write_array(
        tmp_path / "x.zarr" / "0", data, 3, chunks=(1, 1, 64, 64), shards=(1, 4, 64, 64), overwrite=True
    )
    large = pixels((40, 512, 512))
    write_pages(tmp_path / "y.ome.tif", large, ome_xml([(1, 1, 40, 512, 512)]))
    with web_server(tmp_path, ranges=ranges) as web, proxy_of(web) as proxy:
        header = read_header(only(f"{proxy.address}/x.zarr"))
        proxy.clear()
        np.testing.assert_array_equal(read_planes(header, 1, [(0, 2)])[0], data[1, 2])
        assert all(request.span for request in proxy.requests if "/c/" in request.key)
        header = read_header(only(f"{proxy.address}/y.ome.tif"))
        if ranges:
            np.testing.assert_array_equal(read_planes(header, 0, [(0, 39)])[0], large[39])
            whole = [one for one in proxy.requests if one.kind == "GET" and one.span is None]
            assert not [one for one in whole if one.key.endswith(".tif")]
        else:
            with pytest.raises(PixelError, match="range requests"):
                read_planes(header, 0, [(0, 39)])


def test_zipped_stores_over_http(tmp_path: Path) -> None:
    data = pixels((1, 2, 64, 64))
    store = write_image(tmp_path / "x.zarr", data, "czyx")
    with zipfile.ZipFile(tmp_path / "x.ozx", "w") as archive:
        for file in sorted(store.rglob("*")):
            archive.write(file, file.relative_to(store))
    with web_server(tmp_path) as web:
        header = read_header(only(f"{web}/x.ozx"))
        np.testing.assert_array_equal(read_planes(header, 0, [(0, 0), (0, 1)]), data[0])
        (tmp_path / "broken.zip").write_bytes(b"PK no archive")
        with pytest.raises(SourceError, match="is no zip archive"):
            open_place(f"{web}/broken.zip")


def test_what_cannot_be_listed_is_said_clearly(tmp_path: Path) -> None:
    write_group(tmp_path / "plain.zarr", 3, {})
    (tmp_path / "folder").mkdir()
    (tmp_path / "page.html").write_text("<html/>")
    with web_server(tmp_path) as web:
        for name in ("", "/folder", "/plain.zarr", "/page.html"):
            done = CliRunner().invoke(main, ["plan", f"{web}{name}"])
            assert done.exit_code == 2
            assert "bioformats2raw root" in " ".join(done.output.split())
        done = CliRunner().invoke(main, ["plan", f"{web}/plain.zarr?token=secret"])
        assert done.exit_code == 2
        assert "secret" not in done.output
