"""The same stores behind fsspec: in memory, over http, and in zip archives."""

from __future__ import annotations

import functools
import http.server
import threading
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from autodip_zarr.domain import ImageRef, Skipped
from autodip_zarr.errors import SourceError, TargetError
from autodip_zarr.stores import (
    create_file,
    delete_file,
    read_attributes,
    read_failures,
    read_file,
    read_header,
    read_planes,
    read_record,
    register_well_image,
    remove_target,
    walk,
    walk_results,
    write_failures,
    write_file,
)
from autodip_zarr.stores.access.remote.retry import ATTEMPTS_VARIABLE
from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from .builders import (
    ZarrFormat,
    blocks,
    consolidate,
    copy_image,
    images,
    ome_xml,
    only,
    pixels,
    tree,
    write_array,
    write_group,
    write_image,
    write_pages,
    write_plate,
    write_series,
)

FORMATS: list[ZarrFormat] = [2, 3]


@pytest.fixture
def memory() -> Iterator[str]:
    """URI of an empty folder in memory."""
    uri = f"memory://{uuid.uuid4().hex}"
    yield uri
    fs = fsspec.filesystem("memory")
    if fs.exists(uri):
        fs.rm(uri, recursive=True)


def upload(folder: Path, uri: str) -> None:
    fs = fsspec.filesystem("memory")
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            fs.pipe_file(f"{uri}/{file.relative_to(folder)}", file.read_bytes())


def download(uri: str) -> dict[str, bytes]:
    fs = fsspec.filesystem("memory")
    return {name.split("/", 2)[-1]: fs.cat_file(name) for name in fs.find(uri)}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web server that does not write to the terminal."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Address of a real web server of the test's folder."""
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def fill(folder: Path, zarr_format: ZarrFormat) -> None:
    """Write a folder of everything."""
    write_plate(folder / "plate.zarr", zarr_format)
    write_series(folder / "series.zarr", zarr_format)
    write_image(folder / "sub" / "image.zarr", pixels((2, 8, 9)), "zyx", zarr_format)
    write_pages(folder / "sub" / "stack.ome.tif", pixels((2, 8, 9)), ome_xml([(1, 1, 2, 8, 9)]))


def same(remote: ImageRef, local: ImageRef) -> None:
    """Check that two references lead to the same image."""
    assert (remote.group, remote.image_index, remote.plate) == (local.group, local.image_index, local.plate)
    here, there = read_header(local), read_header(remote)
    assert (there.levels, there.axes, there.chunk) == (here.levels, here.axes, here.chunk)
    assert [text.content for text in there.texts] == [text.content for text in here.texts]
    positions = [(0, z) for z in range(here.size("z"))]
    np.testing.assert_array_equal(read_planes(there, 0, positions), read_planes(here, 0, positions))


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_bucket_is_walked_like_a_folder(tmp_path: Path, memory: str, zarr_format: ZarrFormat) -> None:
    fill(tmp_path, zarr_format)
    upload(tmp_path, memory)
    local, remote = list(walk([str(tmp_path)])), list(walk([memory]))
    assert len(images(remote)) == len(remote) == len(local) == 8
    for there, here in zip(images(remote), images(local), strict=True):
        assert there.relative == here.relative
        assert there.uri == here.uri.replace(str(tmp_path), memory)
        same(there, here)
    assert only(f"{memory}/plate.zarr/A/1/1").uri == f"{memory}/plate.zarr"


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_the_web_serves_images_plates_and_series(
    tmp_path: Path, served: str, zarr_format: ZarrFormat
) -> None:
    fill(tmp_path, zarr_format)
    for name in ("plate.zarr", "series.zarr", "sub/image.zarr", "sub/stack.ome.tif", "plate.zarr/B/2/1"):
        local, remote = list(walk([str(tmp_path / name)])), list(walk([f"{served}/{name}"]))
        assert len(images(remote)) == len(remote) == len(local) > 0
        for there, here in zip(images(remote), images(local), strict=True):
            same(there, here)
            assert there.relative == here.relative
    with pytest.raises(TargetError):
        write_file(f"{served}/x.json", b"{}")


def test_the_web_cannot_be_listed(tmp_path: Path, served: str) -> None:
    fill(tmp_path, 3)
    write_group(tmp_path / "plain", 3, {})
    for name in ("", "/sub", "/nowhere", "/plain"):
        (skipped,) = walk([f"{served}{name}"])
        assert isinstance(skipped, Skipped)
        assert skipped.is_error
        assert "http" in skipped.reason
    write_group(tmp_path / "listed", 2, {"plate": {"wells": [{"path": "A/1"}]}})
    (skipped,) = walk([f"{served}/listed"])
    assert isinstance(skipped, Skipped)
    assert skipped.source == f"{served}/listed/A/1"


def test_secrets_in_addresses_are_not_repeated(tmp_path: Path, served: str) -> None:
    write_pages(tmp_path / "x.ome.tif", pixels((1, 8, 9)), ome_xml([(1, 1, 1, 8, 9)]))
    uri = f"{served}/x.ome.tif?token=secret"
    ref = only(uri)
    assert (ref.uri, ref.relative) == (f"{served}/x.ome.tif", "x.ome.tif")
    header = read_header(ref)
    assert "secret" not in repr(header.texts)
    assert read_planes(header, 0, [(0, 0)]).shape == (1, 8, 9)
    (skipped,) = walk([f"{served}/gone.ome.tif?token=secret"])
    assert "secret" not in repr(skipped)


def test_servers_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ATTEMPTS_VARIABLE, "2")
    (skipped,) = walk(["http://127.0.0.1:1/x.zarr"])
    assert isinstance(skipped, Skipped)
    assert skipped.is_error
    assert "asked 2 times" in skipped.reason
    assert "check the address" in skipped.reason


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_results_in_a_bucket(tmp_path: Path, memory: str, zarr_format: ZarrFormat) -> None:
    header = read_header(only(write_image(tmp_path / "x.zarr", pixels((2, 3, 8, 9)), "czyx", zarr_format)))
    spec = copy_image(header, f"{memory}/out/x.zarr", zarr_format)
    write_failures(spec, blocks(spec)[0], {(0, 0): "why"})
    assert read_attributes(spec.uri) == {"status": "complete"}
    assert (read_record(spec.uri)[..., 0] == 2).all()
    assert [failure.reason for failure in read_failures(spec.uri)] == ["why"]
    (ref,) = images(list(walk_results([memory])))
    assert ref.source == spec.uri
    positions = [(0, z) for z in range(3)]
    np.testing.assert_array_equal(
        read_planes(read_header(ref), 1, positions), read_planes(header, 1, positions)
    )
    remove_target(spec.uri)
    assert download(memory) == {}


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_write_back_into_a_bucket(tmp_path: Path, memory: str, zarr_format: ZarrFormat) -> None:
    consolidate(write_plate(tmp_path / "p.zarr", zarr_format), zarr_format)
    upload(tmp_path, memory)
    before = download(memory)
    for ref in images(list(walk([memory])))[:2]:
        assert ref.plate is not None
        copy_image(read_header(ref), f"{ref.source}denoised", zarr_format)
        register_well_image(ref.uri, f"A/1/{ref.plate.field}denoised", 7)
    assert len(images(list(walk_results([memory])))) == 2
    for name in ("0", "1"):
        remove_target(f"{memory}/p.zarr/A/1/{name}denoised")
    assert download(memory) == before


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_archives_are_read(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    plate = write_plate(tmp_path / "p.zarr", zarr_format)
    write_group(plate / "OME", zarr_format, {})
    (plate / "OME" / "METADATA.ome.xml").write_text(ome_xml([(1, 1, 1, 8, 9)] * 4))
    archive = tmp_path / "zipped.ozx"
    with zipfile.ZipFile(archive, "w") as out:
        for file in sorted(plate.rglob("*")):
            out.write(file, file.relative_to(plate))
    for there, here in zip(walk([str(archive)]), walk([str(plate)]), strict=True):
        assert isinstance(there, ImageRef)
        assert isinstance(here, ImageRef)
        same(there, here)
    with pytest.raises(TargetError):
        write_file(f"{archive}/x.json", b"{}")


def test_small_files(tmp_path: Path, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for base in (str(tmp_path / "deep" / "er"), memory):
        uri = f"{base}/lock.json"
        assert read_file(uri) is None
        assert create_file(uri, b"mine")
        assert not create_file(uri, b"yours")
        assert read_file(uri) == b"mine"
        write_file(uri, b"new")
        assert read_file(uri) == b"new"
        delete_file(uri)
        delete_file(uri)
        assert read_file(uri) is None
    monkeypatch.chdir(tmp_path)
    write_file("here.json", b"{}")
    assert sorted(tree(tmp_path)) == ["here.json"]
    with pytest.raises(SourceError):
        read_file("nosuch://x/y")


def test_plain_arrays_in_a_bucket_are_no_images(tmp_path: Path, memory: str) -> None:
    write_array(tmp_path / "a.zarr", pixels((8, 9)), 3)
    upload(tmp_path, memory)
    (skipped,) = walk([f"{memory}/a.zarr"])
    assert isinstance(skipped, Skipped)
    assert "is a Zarr array" in skipped.reason
    (skipped,) = walk([f"{memory}/nowhere"])
    assert isinstance(skipped, Skipped)
    assert "holds no image" in skipped.reason


def test_a_name_in_an_archive_that_climbs_out_is_passed_over(tmp_path: Path) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.5")
    with zipfile.ZipFile(tmp_path / "x.zarr.zip", "w") as archive:
        archive.writestr("zarr.json", '{"zarr_format": 3, "node_type": "group", "attributes": {}}')
        for path in sorted((tmp_path / "x.zarr").rglob("*")):
            if path.is_file():
                inner = path.relative_to(tmp_path / "x.zarr")
                archive.write(path, f"a/{inner}")
                archive.write(path, f"../{inner}")
                archive.write(path, f"b/../../e/{inner}")
    found = list(walk([str(tmp_path / "x.zarr.zip")]))
    assert [ref.group for ref in found if isinstance(ref, ImageRef)] == ["a"]
