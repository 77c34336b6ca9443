"""Write the metadata documents of Zarr groups, in either format, whole and in one step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from autodip_zarr.stores.access.place import Place
from autodip_zarr.stores.zarr.nodes import Json, Node, ZarrFormat, join


def dump_json(document: Mapping[str, object]) -> bytes:
    """Return a JSON document as bytes."""
    try:
        return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # halves of characters, of broken names: they have no form but the escaped one
        return (json.dumps(document, indent=2) + "\n").encode()


def array_documents(
    key: str,
    data: NDArray[Any] | None = None,
    **options: Any,  # noqa: ANN401
) -> dict[str, bytes]:
    """Return the documents of a new array, and its content where it is given, by key in the order of writing.

    Zarr makes them in memory: in a store it would first look for whatever may lie there and above, which
    on a bucket takes many requests.

    Parameters
    ----------
    key : str
        Path of the array below the root of its store.
    data : ndarray, optional
        Content; small.
    **options
        Those of ``zarr.create_array``.
    """
    import zarr  # noqa: PLC0415
    from zarr.storage import MemoryStore  # noqa: PLC0415

    made: dict[str, Any] = {}
    array = zarr.create_array(MemoryStore(made), **options)
    if data is not None:
        array[...] = data
    # the documents last: they say that it is there
    names = sorted(made, key=lambda name: name.rpartition("/")[2].startswith((".z", "zarr.json")))
    return {join(key, name): made[name].to_bytes() for name in names}


def group_documents(key: str, zarr_format: ZarrFormat, attributes: Mapping[str, object]) -> dict[str, bytes]:
    """Return the documents of a group, by key in the order of writing."""
    if zarr_format == 3:
        document: Json = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
        return {join(key, "zarr.json"): dump_json(document)}
    # attributes first, so that half a group is known as ours
    return {
        join(key, ".zattrs"): dump_json(attributes),
        join(key, ".zgroup"): dump_json({"zarr_format": 2}),
    }


def write_documents(place: Place, documents: Mapping[str, bytes]) -> None:
    """Write documents, or replace them, in their order.

    Raises
    ------
    TargetError
        They cannot be written.
    """
    for key, content in documents.items():
        place.write(key, content)


def with_attributes(node: Node, attributes: Mapping[str, object]) -> dict[str, bytes]:
    """Return the document of an existing group with other attributes, by its key; the rest of it is kept."""
    document = (
        dict(attributes) if node.zarr_format == 2 else {**node.document, "attributes": dict(attributes)}
    )
    return {node.document_key: dump_json(document)}


def with_ome(zarr_format: ZarrFormat, ome: Mapping[str, object]) -> Json:
    """Return attributes that hold what OME-Zarr says, where the version wants it: 0.4 or 0.5."""
    return {"ome": {"version": "0.5", **ome}} if zarr_format == 3 else dict(ome)
