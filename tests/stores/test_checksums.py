"""Manifests of checksums: they notice any change of themselves, and believe no stranger."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from autodip_zarr.domain import Block
from autodip_zarr.errors import TargetError
from autodip_zarr.stores.access.place import open_place
from autodip_zarr.stores.zarr.checksums import (
    block_name,
    checksum,
    manifest,
    object_problem,
    parse_manifest,
    read_manifest,
)
from autodip_zarr.stores.zarr.documents import dump_json

OBJECTS = {"0/c/0": checksum(b"pixels"), "ümlaut": checksum(b"{}\n", keep=True), "0/c/1": None}


def test_what_is_written_comes_back() -> None:
    ((key, content),) = manifest("result", OBJECTS).items()
    assert key == "autodip/checksums/result.json"
    assert parse_manifest(content, "result", key) == OBJECTS
    assert json.loads(content)["objects"]["0/c/0"]["sha256"] == hashlib.sha256(b"pixels").hexdigest()


def test_every_bit_of_a_manifest_counts() -> None:
    ((_, content),) = manifest("result", OBJECTS).items()
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TargetError, match="was changed since it was written"):
            parse_manifest(bytes(changed), "result", "there")
    for changed_form in (content + b"\n", content[:-1], b"\xef\xbb\xbf" + content, b"", b"[]", b"{}"):
        with pytest.raises(TargetError, match="was changed since it was written"):
            parse_manifest(changed_form, "result", "there")
    with pytest.raises(TargetError, match="its own checksum does not fit"):
        parse_manifest(content, block_name(Block(0, range(1), range(1))), "there")


def signed(objects: Any) -> bytes:
    """Return a manifest whose own checksum fits, whatever it says."""
    document = {"manifest": "result", "algorithm": "sha256", "objects": objects}
    return dump_json({**document, "sha256": hashlib.sha256(dump_json(document)).hexdigest()})


KNOWN = {"size_bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}


@pytest.mark.parametrize(
    "objects",
    [
        [],
        {"../../victim": KNOWN},
        {"/etc/passwd": KNOWN},
        {"a/../b": KNOWN},
        {"line\nbreak": KNOWN},
        {"s3://elsewhere/x": KNOWN},
        {"0": "text"},
        {"0": {**KNOWN, "size_bytes": -1}},
        {"0": {**KNOWN, "size_bytes": 10**15}},
        {"0": {**KNOWN, "size_bytes": True}},
        {"0": {**KNOWN, "sha256": 7}},
        {"0": {**KNOWN, "sha256": "../" + "a" * 61}},
        {"0": {**KNOWN, "content": "no base64"}},
        {"0": {**KNOWN, "content": base64.b64encode(b"[]").decode()}},
        {"0": {**KNOWN, "content": 3}},
    ],
)
def test_what_a_stranger_signed_is_not_believed(objects: Any) -> None:
    with pytest.raises(TargetError):
        parse_manifest(signed(objects), "result", "there")


def test_what_is_wrong_with_an_object_is_said(tmp_path: Path) -> None:
    place = open_place(str(tmp_path))
    with pytest.raises(TargetError, match="is missing"):
        read_manifest(place, "result")
    known = checksum(b"pixels")
    assert object_problem(place, "x/y", known) == "is missing"
    assert object_problem(place, "x/y", None) is None
    (tmp_path / "x").write_bytes(b"pixels")
    assert object_problem(place, "x", known) is None
    assert object_problem(place, "x/y", known) == "is missing"
    assert object_problem(place, "x", None) == "is there, and was not written by this program"
    assert object_problem(place, "x", checksum(b"pixel")) == "has 6 bytes, written were 5"
    assert object_problem(place, "x", checksum(b"Pixels")) == "was changed since it was written"
    (tmp_path / "folder").mkdir()
    assert object_problem(place, "folder", known) is not None
