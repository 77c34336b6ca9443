"""Groups and arrays of a Zarr hierarchy as their metadata documents say, in either format, without zarr."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from autodip_zarr.errors import HeaderError, SourceError
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, has_parent, split_uri

Json = dict[str, object]
"""A JSON object."""

ZarrFormat = Literal[2, 3]
"""2 has ``.zgroup``, ``.zarray`` and ``.zattrs``, 3 has ``zarr.json``."""

_NAMES: dict[ZarrFormat, tuple[str, ...]] = {3: ("zarr.json",), 2: (".zattrs", ".zgroup", ".zarray")}


@dataclass(frozen=True)
class Node:
    """One group or array."""

    key: str
    """Path below the root of the store, ``""`` for the root."""
    zarr_format: ZarrFormat
    """Format of its documents."""
    is_array: bool
    """Whether it is an array."""
    attributes: Json
    """User attributes."""
    document: Json
    """``zarr.json``, ``.zarray`` or ``.zgroup``."""
    document_key: str
    """Key of the document that holds the attributes."""
    content: bytes = field(repr=False)
    """Bytes of the document that holds the attributes."""

    @property
    def ome(self) -> Json:
        """Return what OME-Zarr says: the attributes, or their ``ome`` part since version 0.5."""
        inner = self.attributes.get("ome")
        return inner if isinstance(inner, dict) else self.attributes

    @property
    def is_result(self) -> bool:
        """Return whether this program wrote it."""
        return RESULT_ATTRIBUTE in self.attributes


def join(*parts: str) -> str:
    """Return a key made of parts, of which some may be empty."""
    return "/".join(part for part in parts if part)


def parse_json(content: bytes, where: str) -> Json:
    """Return a JSON object.

    Raises
    ------
    HeaderError
        The bytes are no JSON, or JSON of another kind.
    """
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise HeaderError(where, f"is broken JSON: {error!s:.200}") from error
    if not isinstance(document, dict):
        raise HeaderError(where, f"found a JSON {type(document).__name__}", "a JSON object")
    return document


def read_node(place: Place, key: str, zarr_format: ZarrFormat | None = None) -> Node | None:
    """Return the node at a key, ``None`` where there is none.

    Parameters
    ----------
    place : LocalPlace or RemotePlace
        Store.
    key : str
        Path of the node below its root.
    zarr_format : {2, 3}, optional
        Look for this format only.

    Raises
    ------
    HeaderError
        A document is broken or too large.
    SourceError
        Nothing could be read although something may be there.
    """
    refused: SourceError | None = None
    for candidate in (3, 2) if zarr_format is None else (zarr_format,):
        contents: list[bytes | None] = []
        for name in _NAMES[candidate]:
            try:
                contents.append(place.read(join(key, name)))
            except HeaderError:
                raise
            except SourceError as error:
                if not isinstance(error.__cause__, PermissionError):
                    raise
                refused = refused or error  # a bucket may forbid to ask for what is not there
                contents.append(None)
        node = _node(place, key, candidate, contents)
        if node is not None:
            return node
    if refused is not None:
        raise refused
    return None


def group_above(place: Place) -> tuple[Place, str] | None:
    """Return the nearest group above a group, and the key of the latter there; ``None`` above a root.

    Raises
    ------
    SourceError
        What lies above cannot be read.
    """
    if not has_parent(place.uri):
        return None
    parent_uri, name = split_uri(place.uri)
    parent = open_place(parent_uri)
    if read_node(parent, "") is not None:
        return parent, name
    if not has_parent(parent_uri):
        return None
    plate_uri, row = split_uri(parent_uri)  # the row of a plate need not be a group of its own
    plate = open_place(plate_uri)
    node = read_node(plate, "")
    return (plate, join(row, name)) if node is not None and "plate" in node.ome else None


def read_nodes(place: Place, keys: Sequence[str], zarr_format: ZarrFormat) -> list[Node | SourceError | None]:
    """Return the nodes at many keys of one format, or what is wrong with each."""
    names = _NAMES[zarr_format]
    try:
        contents = place.read_many([join(key, name) for key in keys for name in names])
    except SourceError:
        return [_one_by_one(place, key, zarr_format) for key in keys]
    nodes: list[Node | SourceError | None] = []
    for index, key in enumerate(keys):
        try:
            first = index * len(names)
            nodes.append(_node(place, key, zarr_format, contents[first : first + len(names)]))
        except SourceError as error:
            nodes.append(error)
    return nodes


def _one_by_one(place: Place, key: str, zarr_format: ZarrFormat) -> Node | SourceError | None:
    try:
        return read_node(place, key, zarr_format)
    except SourceError as error:
        return error


def _node(place: Place, key: str, zarr_format: ZarrFormat, contents: Sequence[bytes | None]) -> Node | None:
    if all(content is None for content in contents):
        return None
    names = _NAMES[zarr_format]
    documents = [
        None if content is None else parse_json(content, place.where(join(key, name)))
        for name, content in zip(names, contents, strict=True)
    ]
    if zarr_format == 2:
        user, group, array = documents
        document = array if array is not None else (group or {})
        return Node(key, 2, array is not None, user or {}, document, join(key, ".zattrs"), contents[0] or b"")
    document = documents[0] or {}
    kind, where = document.get("node_type"), place.where(join(key, names[0]))
    if document.get("zarr_format") != 3 or kind not in ("group", "array"):
        found = f"found zarr_format {document.get('zarr_format')!r:.50}, node_type {kind!r:.50}"
        raise HeaderError(where, found, "zarr_format 3 and node_type 'group' or 'array'")
    attributes = document.get("attributes", {})
    if not isinstance(attributes, dict):
        raise HeaderError(
            f"{where}: attributes", f"found a JSON {type(attributes).__name__}", "a JSON object"
        )
    return Node(key, 3, kind == "array", attributes, document, join(key, names[0]), contents[0] or b"")


def as_object(value: object, where: str) -> Json:
    """Return a JSON object found inside a document.

    Raises
    ------
    HeaderError
        It is something else.
    """
    if not isinstance(value, dict):
        raise HeaderError(where, f"found {value!r:.100}", "a JSON object")
    return value


def as_objects(value: object, where: str) -> list[Json]:
    """Return a list of JSON objects found inside a document.

    Raises
    ------
    HeaderError
        It is something else.
    """
    if not isinstance(value, list):
        raise HeaderError(where, f"found {value!r:.100}", "a list of JSON objects")
    return [as_object(item, f"{where}[{index}]") for index, item in enumerate(value)]
