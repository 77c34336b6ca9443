"""Which paths found in metadata are trusted, and what is shown of a URI."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.errors import HeaderError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.uris import is_remote, local_path, safe_key, split_uri


@pytest.mark.parametrize("path", ["0", "A/1", "s0/", "a b.tif", "ümlaut", "...", "a..b"])
def test_paths_inside_a_store_are_accepted(path: str) -> None:
    assert safe_key(path, "here") == path.rstrip("/")


@pytest.mark.parametrize(
    "path",
    ["", " ", "..", ".", "../x", "a/../../x", "/etc/passwd", "a//b", "s3://b/k", "file:/x", "C:\\x", "C:/x",
     "a\\..\\b", "a\x00b", "a\nb", "x" * 2000, None, 3, ["0"], "a/ .. /b", "http://x"],
)  # fmt: skip
def test_paths_that_could_leave_a_store_are_refused(path: object) -> None:
    with pytest.raises(HeaderError, match="a path inside the store"):
        safe_key(path, "here")


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b", " ..", "\\", "c:", "/"]), max_size=6))
def test_no_accepted_path_climbs(parts: list[str]) -> None:
    try:
        key = safe_key("/".join(parts), "here")
    except HeaderError:
        return
    assert not key.startswith("/")
    assert all(part.strip() not in ("", ".", "..") for part in key.split("/"))


def test_secrets_are_not_shown() -> None:
    assert public_uri("https://me:secret@host/x.zarr?token=abc") == "https://host/x.zarr"
    assert public_uri("/data/a b?.tif") == "/data/a b?.tif"


def test_local_and_remote_are_told_apart() -> None:
    assert is_remote("s3://bucket/key")
    assert not is_remote("file:///data/x.zarr")
    assert local_path("file:///data/a%20b.zarr") == "/data/a b.zarr"
    assert local_path("/data/../x") == "/x"
    assert split_uri("s3://bucket/a/b/") == ("s3://bucket/a", "b")
