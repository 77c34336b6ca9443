"""Checksums of stored objects, kept in documents that carry a checksum of themselves."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from autodip_zarr.domain import Block
from autodip_zarr.errors import HeaderError, SourceError, TargetError
from autodip_zarr.regular_files import open_regular
from autodip_zarr.stores.access.errors import METADATA_LIMIT, target_read_errors
from autodip_zarr.stores.access.local.local_place import LocalPlace
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.place import Place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, safe_key
from autodip_zarr.stores.zarr.documents import dump_json
from autodip_zarr.stores.zarr.nodes import Json, as_object, parse_json

CHECKSUMS: Final = f"{RESULT_ATTRIBUTE}/checksums"
"""Group with the checksums of a result, below the image group."""

LAYOUT: Final = "layout"
"""Manifest of the documents that are written when a result is created."""

RESULT: Final = "result"
"""Manifest of what is written when a result is finished: levels, provenance, reasons of failures."""

REGISTRATION: Final = "registration"
"""Manifest of the documents that keep what was changed around a result that was written back."""

CONTAINER: Final = "container"
"""Manifest of the documents around several results in one store."""

OBJECTS_IN_A_PART: Final = 10_000
"""Most objects in one manifest of lower levels: those of huge images are cut into parts."""

_ALGORITHM = "sha256"
_LARGEST_OBJECT_BYTES = 2**30
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Checksum:
    """What is known of a stored object."""

    size_bytes: int
    """Its size."""
    sha256: str
    """Its SHA-256, in hexadecimal digits."""
    content: bytes | None = None
    """The object itself, where it is small and cannot be computed again."""


Objects = Mapping[str, Checksum | None]
"""What is known of objects, by key; ``None`` where there is to be none, as of chunks of nothing but zeros."""


def checksum(content: Any, *, keep: bool = False) -> Checksum:  # noqa: ANN401 - anything with a buffer
    """Return the checksum of some bytes, with the bytes where they are to be kept."""
    view = memoryview(content).cast("B")
    return Checksum(view.nbytes, hashlib.sha256(view).hexdigest(), bytes(view) if keep else None)


def manifest_key(name: str) -> str:
    """Return the key of a manifest below the image group."""
    return f"{CHECKSUMS}/{name}.json"


def block_name(block: Block) -> str:
    """Return the name of the manifest of a block."""
    return f"planes-{block.c}-{block.t.start}-{block.z.start}"


def manifest(name: str, objects: Objects) -> dict[str, bytes]:
    """Return a manifest by its key.

    It names itself and carries the SHA-256 of its own bytes without that line, so that no byte of it, nor
    one manifest for another, is changed unseen.

    Parameters
    ----------
    name : str
        Name, for example that of a block.
    objects : mapping
        What is known of the objects.
    """
    document: Json = {
        "manifest": name,
        "algorithm": _ALGORITHM,
        "objects": {key: None if one is None else _entry(one) for key, one in objects.items()},
    }
    return {manifest_key(name): _signed(document)}


def _entry(known: Checksum) -> Json:
    entry: Json = {"size_bytes": known.size_bytes, "sha256": known.sha256}
    if known.content is not None:
        entry["content"] = base64.b64encode(known.content).decode()
    return entry


def _signed(document: Json) -> bytes:
    return dump_json({**document, "sha256": hashlib.sha256(dump_json(document)).hexdigest()})


def read_manifest(place: Place, name: str) -> dict[str, Checksum | None]:
    """Return what a manifest says.

    Parameters
    ----------
    place : LocalPlace or RemotePlace
        The image group.
    name : str
        Name of the manifest.

    Raises
    ------
    TargetError
        It is missing, or was changed since it was written.
    SourceError
        It cannot be read.
    """
    key = manifest_key(name)
    content = _read(place, key)
    if content is None:
        raise TargetError(place.where(key), "is missing", "a manifest of checksums")
    return parse_manifest(content, name, place.where(key))


def parse_manifest(content: bytes, name: str, where: str) -> dict[str, Checksum | None]:
    """Return what the bytes of a manifest say; see `read_manifest`."""
    try:
        document = parse_json(content, where)
        unsigned = {key: value for key, value in document.items() if key != "sha256"}
        is_same = content == _signed(unsigned)
    except (HeaderError, ValueError, RecursionError) as error:
        raise TargetError(where, "was changed since it was written: is no JSON object any more") from error
    if not is_same or document.get("manifest") != name or document.get("algorithm") != _ALGORITHM:
        raise TargetError(where, "was changed since it was written: its own checksum does not fit")
    with target_read_errors():  # its checksum fits, but this program did not write it
        objects = as_object(document.get("objects"), f"{where}: objects")
        return {safe_key(key, f"{where}: objects"): _known(value, where) for key, value in objects.items()}


def _known(value: object, where: str) -> Checksum | None:
    if value is None:
        return None
    entry = as_object(value, f"{where}: objects")
    size, digest, packed = entry.get("size_bytes"), entry.get("sha256"), entry.get("content")
    is_size = type(size) is int and 0 <= size <= _LARGEST_OBJECT_BYTES
    if not isinstance(size, int) or not is_size or not isinstance(digest, str) or not _HEX.fullmatch(digest):
        raise HeaderError(f"{where}: objects", f"found {entry!r:.100}", "size_bytes and sha256")
    if packed is None:
        return Checksum(size, digest)
    try:
        kept = checksum(base64.b64decode(str(packed), validate=True), keep=True)
    except ValueError as error:
        raise HeaderError(f"{where}: objects", "found a content that is no base64") from error
    if (kept.size_bytes, kept.sha256) != (size, digest):
        raise HeaderError(f"{where}: objects", "found a content of another checksum")
    return kept


def object_problem(place: Place, key: str, known: Checksum | None) -> str | None:
    """Compare a stored object with what is known of it.

    Local files are read in pieces, others whole.

    Returns
    -------
    str or None
        What is wrong, in words.
    """
    try:
        found = _found(place, key, known)
    except HeaderError:
        return "is larger than it was written"
    except SourceError as error:
        return error.found
    if found is None:
        return None if known is None else "is missing"
    if known is None:
        return "is there, and was not written by this program"
    if found.size_bytes != known.size_bytes:
        return f"has {found.size_bytes:,} bytes, written were {known.size_bytes:,}"
    return None if found.sha256 == known.sha256 else "was changed since it was written"


def _found(place: Place, key: str, known: Checksum | None) -> Checksum | None:
    """Return size and checksum of an object; its size alone, where that tells already."""
    expected = 0 if known is None else known.size_bytes
    if not isinstance(place, LocalPlace):
        content = place.read(key, expected)
        return None if content is None else checksum(content)
    try:
        with open_regular(place.where(key)) as file:
            size = os.fstat(file.fileno()).st_size
            is_as_long = known is not None and size == expected
            return Checksum(size, hashlib.file_digest(file, "sha256").hexdigest() if is_as_long else "")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SourceError(place.where(key), f"cannot be read: {error_message(error)}") from error


def _read(place: Place, key: str) -> bytes | None:
    try:
        return place.read(key, METADATA_LIMIT)
    except HeaderError as error:
        raise TargetError(error.where, error.found, error.expected, error.hint) from error
