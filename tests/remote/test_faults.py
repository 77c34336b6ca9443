"""Servers that are busy, drop connections, stall and send half: asked again, then named as the reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.errors import OptionError, PixelError, SourceError, TargetError
from autodip_zarr.stores import (
    read_each_plane,
    read_file,
    read_header,
    read_planes,
    walk,
    write_file,
)
from autodip_zarr.stores.access.remote.retry import (
    ATTEMPTS_VARIABLE,
    TIMEOUT_VARIABLE,
    RetryPolicy,
    with_retries,
)
from autodip_zarr.stores.access.remote.server_errors import REFUSED_VARIABLE, is_unanswered
from autodip_zarr.stores.sample import write_sample_zarr

from ..run.results import Run, planes, statuses
from ..samples import make_sample, write_archive
from ..stores.builders import ome_xml, only, pixels, write_image, write_pages
from .conftest import upload
from .servers import Fault, Proxy, Request, proxy_of, web_server

FAULTS: tuple[Fault, ...] = ("busy", "reset", "half", "stall")


def at_first(*faults: Fault) -> Callable[[int, Request], Fault | None]:
    """Answer each request badly when it is made for the first time, with the faults by turns."""
    seen: Counter[Request] = Counter()

    def fault(number: int, request: Request) -> Fault | None:
        seen[request] += 1
        return faults[number % len(faults)] if seen[request] == 1 else None

    return fault


def always(word: str, fault: Fault, method: str = "GET") -> Callable[[int, Request], Fault | None]:
    """Answer requests whose key contains a word badly, and all others well."""
    return lambda _, request: fault if word in request.key and request.method == method else None


@pytest.mark.soak
def test_a_run_survives_a_server_that_fails_every_request_once(
    tmp_path: Path, bucket: str, s3: Proxy, run: Run
) -> None:
    upload(write_archive(tmp_path / "in"), f"{bucket}/in")
    assert run(f"{bucket}/in", "--output", tmp_path / "calm").exit_code == 0
    s3.fault = at_first("busy", "reset", "half")
    done = run(f"{bucket}/in", "--output", f"{bucket}/out")
    assert (done.exit_code, statuses(done)) == (0, ["done"] * 3), done.stderr
    s3.fault = lambda _number, _request: None
    for name in ("a/stack.ome.zarr", "a/two.zarr", "b/lapse.ome.zarr"):
        np.testing.assert_array_equal(planes(f"{bucket}/out/{name}"), planes(tmp_path / "calm" / name))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_chunk_that_cannot_be_fetched_is_one_failed_plane(
    tmp_path: Path, bucket: str, s3: Proxy, run: Run, fault: Fault
) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (1, 1, 3, 20, 24)), "0.5")
    upload(tmp_path, f"{bucket}/in")
    s3.fault = always("in/x.zarr/0/c/0/0/2", fault)
    done = run(f"{bucket}/in", "--output", f"{bucket}/out")
    assert (done.exit_code, statuses(done)) == (1, ["partial"])
    (image,) = json.loads(done.stdout)["images"]
    assert (image["planes_done"], image["planes_failed"]) == (2, 1)
    assert "z=2" in done.stderr
    assert "asked 3 times" in done.stderr
    s3.clear()
    again = run(f"{bucket}/in", "--output", f"{bucket}/out")
    assert (again.exit_code, statuses(again)) == (0, ["done"])


def test_a_server_that_is_gone_is_not_asked_for_every_plane(
    tmp_path: Path, bucket: str, s3: Proxy, run: Run
) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (1, 1, 9, 20, 24)), "0.5")
    upload(tmp_path, f"{bucket}/in")
    s3.fault = always("in/x.zarr/0/c/", "busy")
    done = run(f"{bucket}/in", "--output", f"{bucket}/out")
    assert (done.exit_code, statuses(done)) == (1, ["failed"])
    assert "not asked for" in done.stderr
    assert "no plane could be denoised; no result is left" in done.stderr
    asked = Counter(request.key for request in s3.requests if s3.fault(0, request))
    assert len(asked) == 9
    assert set(asked.values()) == {3, 6}, "all planes of a block together, then two of them"


def test_of_a_silent_server_two_planes_are_asked_for_alone(tmp_path: Path, bucket: str, s3: Proxy) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (1, 1, 7, 20, 24)), "0.5")
    upload(tmp_path, f"{bucket}/in")
    header = read_header(only(f"{bucket}/in/x.zarr"))
    s3.fault = always("in/x.zarr/0/c/", "busy")
    found = read_each_plane(header, 0, [(0, z) for z in range(7)])
    errors = [one for one in found if isinstance(one, PixelError)]
    assert [is_unanswered(one) for one in errors] == [True, True, *[False] * 5]
    assert all("not asked for" in str(one) for one in errors[2:])


def test_a_result_that_cannot_be_written_is_named_and_continued(
    tmp_path: Path, bucket: str, s3: Proxy, run: Run
) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.5")
    write_sample_zarr(tmp_path / "y.zarr", make_sample("y"), "0.5")
    s3.fault = always("out/x.zarr/0/c/", "busy", "PUT")
    done = run(tmp_path, "--output", f"{bucket}/out")
    assert (done.exit_code, statuses(done)) == (1, ["failed", "done"])
    assert "cannot be written: asked 3 times" in done.stderr
    s3.clear()
    again = run(tmp_path, "--output", f"{bucket}/out")
    assert (again.exit_code, statuses(again)) == (0, ["done", "unchanged"])


@pytest.mark.parametrize("fault", FAULTS)
def test_files_and_pages_on_a_web_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setenv(ATTEMPTS_VARIABLE, "2")
    monkeypatch.setenv(TIMEOUT_VARIABLE, "0.5")
    data = pixels((3, 64, 64))
    write_image(tmp_path / "x.zarr", data, "zyx")
    for name in ("y.ome.tif", "z.ome.tif"):
        write_pages(tmp_path / name, data, ome_xml([(1, 1, 3, 64, 64)]))
    with web_server(tmp_path) as web, proxy_of(web) as proxy:
        for name in ("x.zarr", "y.ome.tif"):
            proxy.fault = at_first(fault)
            header = read_header(only(f"{proxy.address}/{name}"))
            np.testing.assert_array_equal(read_planes(header, 0, [(0, z) for z in range(3)]), data)
        proxy.fault = always("x.zarr/0/c/1", fault)
        header = read_header(only(f"{proxy.address}/x.zarr"))
        np.testing.assert_array_equal(read_planes(header, 0, [(0, 2)])[0], data[2])
        with pytest.raises(PixelError, match="asked 2 times") as caught:
            read_planes(header, 0, [(0, 1)])
        assert is_unanswered(caught.value)
        proxy.fault = lambda _, request: fault if request.key == "/z.ome.tif" else None
        (skipped,) = walk([f"{proxy.address}/z.ome.tif"])
        assert "asked 2 times" in str(skipped)


def test_metadata_that_a_server_is_too_busy_for_is_not_missing(
    tmp_path: Path, bucket: str, s3: Proxy
) -> None:
    """An image whose header cannot be read now must not be taken for one without a header."""
    upload(write_archive(tmp_path), bucket)
    s3.fault = lambda _, request: "busy" if "METADATA.ome.xml" in f"{request.key}{request.query}" else None
    with pytest.raises(SourceError, match="asked 3 times"):
        read_header(only(f"{bucket}/b/lapse.ome.zarr"))


def test_small_files_are_written_and_read_in_spite_of_faults(bucket: str, s3: Proxy) -> None:
    s3.fault = at_first(*FAULTS[:3])
    write_file(f"{bucket}/x.json", b"{}")
    assert read_file(f"{bucket}/x.json") == b"{}"
    s3.fault = always("x.json", "busy", "PUT")
    with pytest.raises(TargetError, match="asked 3 times"):
        write_file(f"{bucket}/x.json", b"{}")


def test_the_policy_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ATTEMPTS_VARIABLE, "4")
    monkeypatch.setenv(TIMEOUT_VARIABLE, "8")
    policy = RetryPolicy.from_environment()
    waits = list(policy.waits())
    assert (policy.attempts, policy.timeout_s, len(waits)) == (4, 8.0, 3)
    assert all(0.75 * w <= wait <= 1.25 * w for wait, w in zip(waits, (0.2, 0.4, 0.8), strict=True))
    monkeypatch.setenv(TIMEOUT_VARIABLE, "soon")
    with pytest.raises(OptionError, match=TIMEOUT_VARIABLE):
        RetryPolicy.from_environment()


@pytest.mark.parametrize("error", [FileNotFoundError("x"), PermissionError("x"), ValueError("x")])
def test_what_will_not_pass_is_asked_once(error: Exception) -> None:
    asked = []

    def fail() -> None:
        asked.append(1)
        raise error

    with pytest.raises(type(error)):
        with_retries(fail)
    assert len(asked) == 1


@pytest.mark.parametrize("zarr_format", ["0.4", "0.5"])
def test_a_refused_chunk_is_a_failed_plane_and_never_zeros(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, zarr_format: Literal["0.4", "0.5"]
) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (1, 1, 3, 20, 24)), zarr_format)

    def refuse(_number: int, request: Request) -> Fault | None:
        is_document = request.key.endswith(("zarr.json", ".zarray", ".zattrs", ".zgroup"))
        return None if is_document else "refused"

    with web_server(tmp_path) as web, proxy_of(web) as proxy:
        proxy.fault = refuse
        done = run(f"{proxy.address}/x.zarr", "--output", tmp_path / "out")
        assert (done.exit_code, statuses(done)) == (1, ["failed"])
        assert "refuses it (403)" in done.stderr
        assert f"{REFUSED_VARIABLE}=1" in done.stderr
        assert not (tmp_path / "out/x.zarr").exists()
        monkeypatch.setenv(REFUSED_VARIABLE, "1")
        header = read_header(only(f"{proxy.address}/x.zarr"))
        assert not read_planes(header, 0, [(0, 0), (0, 1)]).any()


@pytest.mark.parametrize("options", [(), ("--log-json",)])
def test_a_run_prints_no_password(tmp_path: Path, quick_table: str, options: tuple[str, ...]) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (1, 1, 1, 20, 24)), "0.5")
    with web_server(tmp_path) as web:
        address = web.replace("http://", "http://me:sesame@")
        for source in (f"{address}/x.zarr", f"{address}/none.zarr", f"{address}/x.zarr?token=sesame"):
            words = ["denoise", source, "--output", str(tmp_path / "out"), "--table", quick_table, "--json"]
            done = CliRunner().invoke(main, [*words, "--device", "cpu", *options])
            assert "Traceback" not in done.output
            assert "sesame" not in done.output, done.output
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"sesame" not in written


def test_chunks_of_the_other_layout_on_a_server_are_failed_planes(tmp_path: Path, run: Run) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (1, 1, 2, 20, 24)), "0.4")
    document = tmp_path / "x.zarr/0/.zarray"
    document.write_text(document.read_text().replace('separator": "/"', 'separator": "."'))
    with web_server(tmp_path) as web:
        done = run(f"{web}/x.zarr", "--output", tmp_path / "out")
    assert (done.exit_code, statuses(done)) == (1, ["failed"])
    assert "another separator" in done.stderr
    assert not (tmp_path / "out/x.zarr").exists()
