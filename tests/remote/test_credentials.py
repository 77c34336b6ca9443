"""Credentials in web addresses: they go with every request, and nothing else ever shows them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from click.testing import CliRunner, Result

from autodip_zarr.cli import main
from autodip_zarr.errors import OptionError, SourceError
from autodip_zarr.stores import walk
from autodip_zarr.stores.access import credentials
from autodip_zarr.stores.access.credentials import conceal, kept, query_of
from autodip_zarr.stores.access.remote.retry import ATTEMPTS_VARIABLE, TIMEOUT_VARIABLE
from autodip_zarr.stores.sample import write_sample_tiff, write_sample_zarr

from ..run.results import Run, planes
from ..samples import make_sample
from ..stores.builders import write_plate
from .servers import web_server

PASSWORD = "open/se+same"
SIGNS = (PASSWORD, quote(PASSWORD, safe=""), "se+same", "se%2Bsame")

pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without what other tests have named, and forget what this one does."""
    monkeypatch.setattr(credentials, "_USERS", {})
    monkeypatch.setattr(credentials, "_QUERIES", {})


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """Address of a server that gives images to those who have the password."""
    folder = tmp_path / "served"
    folder.mkdir()
    write_sample_zarr(folder / "x.zarr", make_sample("x", (1, 1, 2, 20, 24)), "0.5")
    write_sample_zarr(folder / "old.zarr", make_sample("old", (1, 1, 2, 20, 24)), "0.4")
    write_sample_tiff(folder / "x.ome.tif", make_sample("t", (1, 1, 1, 20, 24)))
    write_plate(folder / "plate.zarr", 3)
    with web_server(folder, password=PASSWORD) as address:
        yield address


def with_user(address: str, encoded: bool = True) -> str:
    password = quote(PASSWORD, safe="") if encoded else PASSWORD
    return address.replace("http://", f"http://me:{password}@")


def signed(address: str) -> str:
    return f"{address}?sig={quote(PASSWORD, safe='')}"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.parametrize("name", ["x.zarr", "old.zarr", "x.ome.tif"])
@pytest.mark.parametrize("form", ["user", "slash", "signed"])
def test_an_address_with_credentials_is_read(
    tmp_path: Path, web: str, run: Run, name: str, form: str
) -> None:
    address = f"{web}/{name}"
    named = signed(address) if form == "signed" else with_user(address, encoded=form == "user")
    done = run(named, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    (result,) = (tmp_path / "out").iterdir()
    here = run(tmp_path / "served" / name, "--output", tmp_path / "here")
    assert here.exit_code == 0, here.output
    np.testing.assert_array_equal(planes(result), planes(tmp_path / "here" / result.name))
    assert call("verify", result).exit_code == 0


def test_a_signed_plate_is_walked_with_its_query(web: str) -> None:
    planned = json.loads(call("plan", signed(f"{web}/plate.zarr"), "--json").stdout)
    assert planned["images"]
    assert not planned["skipped"]
    one = json.loads(call("plan", signed(f"{web}/plate.zarr/A/1/0"), "--json").stdout)
    assert len(one["images"]) == 1


def test_two_signed_stores_of_one_folder_keep_their_own_queries() -> None:
    for name, query in (("a.zarr", "sig=a"), ("longer.zarr", "sig=longer"), ("a.zarr/inner", "sig=inner")):
        conceal(f"http://h/f/{name}?{query}")
    queries = {
        "a.zarr": "a",
        "a.zarr/zarr.json": "a",
        "longer.zarr/0/c/0": "longer",
        "a.zarr/inner/0": "inner",
    }
    assert {name: query_of(f"http://h/f/{name}") for name in queries} == {
        name: f"sig={query}" for name, query in queries.items()
    }
    assert query_of("http://h/f/beside.json") != ""
    assert query_of("http://h/other/zarr.json") == ""


def test_no_command_shows_a_password(
    tmp_path: Path,
    web: str,
    quick_table: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(ATTEMPTS_VARIABLE, "1")
    monkeypatch.setenv(TIMEOUT_VARIABLE, "2")
    out = tmp_path / "out"
    fixed = ("--table", quick_table, "--device", "cpu")
    outputs = []
    readable = [with_user(f"{web}/x.ome.tif"), signed(f"{web}/x.zarr")]
    for named in (
        *readable,
        *(with_user(f"{web}/{name}") for name in ("none.zarr", "x.zarr/0")),
        *(signed(f"{web}/{name}") for name in ("none.zarr", "none.ome.tif")),
        with_user(f"{web}/x.zarr", encoded=False),
        with_user(signed(f"{web}/old.zarr")),
        signed(f"simplecache::{web}/x.zarr"),
        f"zip://x.zarr::{with_user(web)}/x.zip",
        f"{web}/x.zarr?X-Amz-Signature={quote(PASSWORD)}",
        f"s3://me:{quote(PASSWORD, safe='')}@bucket/x.zarr",
        f"s3://bucket/x.zarr?token={quote(PASSWORD, safe='')}",
        f"http://me:{quote(PASSWORD, safe='')}@127.0.0.1:9/x.zarr",
        f"https://me:{PASSWORD}@[broken/x.zarr?sig={PASSWORD}",
    ):
        way = ("--workers", 1, "--json") if named == readable[0] else ("--in-process", "--log-json")
        for command in (
            ("plan", named),
            ("plan", named, "--json", *fixed),
            ("inspect", named, "--json", "--table", tmp_path / "rows.csv"),
            ("denoise", named, *fixed, *way, "--output", out),
            ("preview", named, "--picture", tmp_path / "p.png", *fixed),
            ("evaluate", "--noisy", named, "--clean", named, "--page", tmp_path / "page.html", *fixed),
            ("verify", named),
            ("verify", named, "--json"),
            ("report", named, "--output", tmp_path / "report.html"),
            ("report", out, "--output", tmp_path / "report.html", "--remote-sources"),
            ("remove", named),
            ("plan", named, "--mapping", named, "--table", named, "--recipe", named),
            ("denoise", named, "--scheduler", named, "--output", out),
            ("plan", named, "--no-such-option", named),
            ("plan", f"--output={named}", named, *fixed),
        ):
            result = call(*command)
            assert result.exception is None or isinstance(result.exception, SystemExit), command
            outputs.append((command, result.output))
    written = [
        (path, path.read_bytes().decode(errors="replace")) for path in tmp_path.rglob("*") if path.is_file()
    ]
    logged = [("log", record.getMessage()) for record in caplog.records if record.name.startswith("autodip")]
    for source, text in [*outputs, *written, *logged]:
        assert not any(sign in text for sign in SIGNS), (source, text)
    assert (out / "x.zarr").is_dir()
    assert (out / "x.ome.zarr").is_dir()


def test_what_belongs_elsewhere_is_refused() -> None:
    with pytest.raises(SourceError, match=r"s3://b/x.zarr: carries a query"):
        list(walk(["s3://b/x.zarr?token=1"]))
    for chain in ("simplecache::http://me:pw@h/x.zarr", "zip://x::http://h/x.zip?sig=1"):
        with pytest.raises(OptionError, match="in a chain"):
            conceal(chain)
    assert conceal("http://h/x.zarr?v=1") == "http://h/x.zarr"
    assert conceal("http://h/x.zarr?v=1#part") == "http://h/x.zarr"
    with pytest.raises(OptionError, match="named twice, with different"):
        conceal("http://h/x.zarr?v=2")
    assert kept() == ({}, {"http://h/x.zarr": "v=1"})


@pytest.mark.parametrize(
    "uri", ["/data/a?b=c@d.zarr", "s3://bucket/you@lab/x.zarr", "C:\\x", "a::b", "file:///x?y"]
)
def test_other_addresses_stay_as_they_are(uri: str) -> None:
    assert conceal(uri) == uri
    assert kept() == ({}, {})
