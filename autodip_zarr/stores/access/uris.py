"""Paths, URIs, and paths found in metadata: what they are made of, and which of them can be trusted."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from autodip_zarr.errors import HeaderError

_ZIP_SUFFIXES = (".ozx", ".zip")
"""Names of zipped stores end so."""

RESULT_ATTRIBUTE = "autodip"
"""Attribute (and group) that marks what this program wrote."""

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*:")


def is_remote(uri: str) -> bool:
    """Return whether a source is a URI, other than of a local file."""
    return "://" in uri and not uri.startswith("file://")


def is_zip(uri: str) -> bool:
    """Return whether a name is that of a zipped store."""
    return uri.lower().endswith(_ZIP_SUFFIXES)


def local_path(uri: str) -> str:
    """Return the absolute path of a local path or ``file://`` URI."""
    if uri.startswith("file://"):
        uri = "/" + unquote(uri.removeprefix("file://").partition("/")[2])
    return str(Path(uri).absolute()) if ".." not in Path(uri).parts else os.path.abspath(uri)  # noqa: PTH100


def split_uri(uri: str) -> tuple[str, str]:
    """Return the parent and the base name of a path or URI."""
    parent, _, name = uri.rstrip("/").rpartition("/")
    return parent, name


def join_uri(uri: str, key: str) -> str:
    """Return the path or URI of what lies below another, by its key there; ``""`` is the place itself."""
    return f"{uri.rstrip('/')}/{key}" if key else uri


def has_parent(uri: str) -> bool:
    """Return whether anything lies above a path or URI: not above ``/``, a bucket or a host."""
    parent, name = split_uri(uri)
    return name != "" and parent != "" and not parent.endswith(("/", ":"))


def safe_key(path: object, where: str) -> str:
    """Return a path found in metadata if it stays inside the store that names it.

    Raises
    ------
    HeaderError
        It is no text, is absolute, climbs out, or is a URI.
    """
    ok = isinstance(path, str) and path.strip() != "" and len(path) <= 1024 and path.isprintable()
    if not ok or not isinstance(path, str) or "\\" in path or path.startswith("/") or _SCHEME.match(path):
        raise HeaderError(where, f"found the path {path!r:.200}", "a path inside the store")
    parts = path.rstrip("/").split("/")
    if any(part.strip() in ("", ".", "..") for part in parts):
        raise HeaderError(where, f"found the path {path!r:.200}", "a path inside the store")
    return "/".join(parts)
