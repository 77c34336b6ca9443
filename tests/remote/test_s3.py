"""Whole runs on a bucket of a real S3 server."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from autodip_zarr.cli import main
from autodip_zarr.errors import PixelError, SourceError
from autodip_zarr.stores import (
    create_file,
    delete_file,
    read_file,
    read_header,
    read_planes,
    walk,
    write_file,
)
from autodip_zarr.stores.access.place import open_place
from autodip_zarr.stores.sample import write_sample_zarr

from ..run.results import Run, planes, statuses
from ..samples import make_sample, write_archive
from ..stores.builders import only, pixels, write_image, write_plate
from .conftest import download, upload
from .servers import KEY, SECRET, Proxy


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)


def test_from_bucket_to_bucket(tmp_path: Path, bucket: str, run: Run) -> None:
    upload(write_archive(tmp_path / "in"), f"{bucket}/in")
    assert "3 images, 7 planes" in call("plan", f"{bucket}/in").stdout
    here = run(tmp_path / "in", "--output", tmp_path / "out")
    there = run(f"{bucket}/in", "--output", f"{bucket}/out")
    assert (there.exit_code, statuses(there)) == (0, ["done"] * 3) == (here.exit_code, statuses(here))
    for name in ("a/stack.ome.zarr", "a/two.zarr", "b/lapse.ome.zarr"):
        np.testing.assert_array_equal(planes(f"{bucket}/out/{name}"), planes(tmp_path / "out" / name))
    verified = call("verify", f"{bucket}/out")
    assert (verified.exit_code, verified.stdout.count("whole")) == (0, 3)
    again = run(f"{bucket}/in", "--output", f"{bucket}/out")
    assert statuses(again) == ["unchanged"] * 3


def test_a_run_into_a_bucket_goes_on_where_it_stopped(tmp_path: Path, bucket: str, run: Run) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (3, 2, 1, 20, 24)), "0.5")
    upload(tmp_path, f"{bucket}/in")
    assert run(f"{bucket}/in", "--output", f"{bucket}/out").exit_code == 0
    whole = download(f"{bucket}/out/x.zarr")
    place = open_place(f"{bucket}/out/x.zarr")
    document = json.loads(whole["zarr.json"])
    document["attributes"]["autodip"]["status"] = "running"
    place.write("zarr.json", json.dumps(document).encode())
    lost = sorted(key for key in whole if key.startswith(("autodip/record/c/", "0/c/")))
    for key in lost[::2]:
        place.delete(key)
    done = run(f"{bucket}/in", "--output", f"{bucket}/out")
    assert (done.exit_code, statuses(done)) == (0, ["done"])
    after = download(f"{bucket}/out/x.zarr")
    assert {key: after[key] for key in after if key.startswith("0/c/")} == {
        key: whole[key] for key in whole if key.startswith("0/c/")
    }
    assert call("verify", f"{bucket}/out").exit_code == 0


@pytest.mark.soak
def test_write_back_into_a_bucket_and_out_again(tmp_path: Path, bucket: str, run: Run) -> None:
    write_plate(tmp_path / "plate.zarr", 3, wells=("A/1",), fields=1)
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (1, 1, 2, 20, 24)), "0.4")
    upload(tmp_path, bucket)
    before = download(bucket)
    done = run(bucket, "--write-back")
    assert (done.exit_code, statuses(done)) == (0, ["done"] * 2)
    targets = [image["target"] for image in json.loads(done.stdout)["images"]]
    assert sorted(target.removeprefix(f"{bucket}/") for target in targets) == [
        "plate.zarr/A/1/0denoised", "x.zarr/denoised",
    ]  # fmt: skip
    assert call("verify", bucket).stdout.count("whole") == 2
    for target in targets:
        assert call("remove", target).exit_code == 0
    assert download(bucket) == before


@pytest.mark.soak
def test_the_installed_command_finds_the_server_by_the_environment(
    tmp_path: Path, bucket: str, s3: Proxy, quick_table: str
) -> None:
    """Everything that is written, printed and logged is searched for the credentials."""
    write_sample_zarr(tmp_path / "in" / "x.zarr", make_sample("x"), "0.5")
    upload(tmp_path / "in", f"{bucket}/in")
    s3.requests.clear()
    command = [
        sys.executable,
        "-m",
        "autodip_zarr",
        "denoise",
        f"{bucket}/in",
        "--output",
        f"{bucket}/out",
    ]
    command += ["--table", quick_table, "--workers", "1", "--json"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert s3.requests
    written = download(f"{bucket}/out")
    assert written
    for content in (done.stdout, done.stderr, *written.values()):
        assert SECRET.encode() not in content
        assert KEY.encode() not in content


def test_corrections_that_lie_in_the_bucket(tmp_path: Path, bucket: str) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.5")
    upload(tmp_path, f"{bucket}/in")
    write_file(f"{bucket}/m.csv", b"\xef\xbb\xbfsource,channel,specimen\nx.zarr,0,actin\n")
    plan = call("plan", f"{bucket}/in", "--mapping", f"{bucket}/m.csv", "--json")
    (channel,) = json.loads(plan.stdout)["images"][0]["channels"]
    assert channel["specimen"] == "actin"
    missing = call("plan", f"{bucket}/in", "--mapping", f"{bucket}/nowhere.csv")
    assert (missing.exit_code, "is missing" in missing.output) == (2, True)


def test_credentials_in_an_address_are_refused(bucket: str) -> None:
    address = bucket.replace("s3://", f"s3://{KEY}:{SECRET}@")
    for arguments in (["plan", address], ["denoise", bucket, "--output", f"{address}/out"]):
        done = call(*arguments)
        assert done.exit_code != 0
        assert SECRET not in done.output
    with pytest.raises(SourceError, match="AWS_ACCESS_KEY_ID"):
        open_place(address)


def test_zipped_stores_in_a_bucket(tmp_path: Path, bucket: str, run: Run) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (1, 2, 3, 20, 24)), "0.5")
    write_sample_zarr(tmp_path / "y.zarr", make_sample("y", (1, 1, 2, 20, 24)), "0.4")
    (tmp_path / "zipped").mkdir()
    for name, packed in (("x.zarr", "x.zarr.zip"), ("y.zarr", "y.ozx")):
        with zipfile.ZipFile(tmp_path / "zipped" / packed, "w") as archive:
            for file in sorted((tmp_path / name).rglob("*")):
                archive.write(file, file.relative_to(tmp_path / name))
    upload(tmp_path / "zipped", f"{bucket}/in")
    found = [item.source for item in walk([f"{bucket}/in"])]
    assert found == [f"{bucket}/in/x.zarr.zip", f"{bucket}/in/y.ozx"]
    assert statuses(run(f"{bucket}/in", "--output", tmp_path / "out")) == ["done"] * 2
    assert (
        statuses(run(tmp_path / "x.zarr", tmp_path / "y.zarr", "--output", tmp_path / "plain"))
        == ["done"] * 2
    )
    for zipped, plain in (("x.ome.zarr", "x.zarr"), ("y.ome.zarr", "y.zarr")):
        np.testing.assert_array_equal(planes(tmp_path / "out" / zipped), planes(tmp_path / "plain" / plain))


def test_small_files_in_a_bucket(bucket: str) -> None:
    uri = f"{bucket}/deep/lock.json"
    assert read_file(uri) is None
    assert create_file(uri, b"mine")
    assert not create_file(uri, b"yours")
    assert read_file(uri) == b"mine"
    assert create_file(f"{bucket}/empty", b"")
    assert read_file(f"{bucket}/empty") == b""
    delete_file(uri)
    delete_file(uri)
    assert read_file(uri) is None


def test_an_empty_chunk_is_damage(tmp_path: Path, bucket: str) -> None:
    """A part is asked for, which an empty object does not have."""
    path = write_image(tmp_path / "x.zarr", pixels((2, 16, 16)), "zyx")
    (path / "0/c/1/0/0").write_bytes(b"")
    for file in (one for one in path.rglob("*") if one.is_file()):
        write_file(f"{bucket}/x.zarr/{file.relative_to(path)}", file.read_bytes())
    header = read_header(only(f"{bucket}/x.zarr"))
    read_planes(header, 0, [(0, 0)])
    with pytest.raises(PixelError, match="is empty"):
        read_planes(header, 0, [(0, 1)])
