"""Write the metadata documents of Zarr groups, in either format, whole and in one step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from autodip_zarr.stores.nodes import Json, Node, ZarrFormat, join
from autodip_zarr.stores.place import Place


def dump_json(document: Mapping[str, object]) -> bytes:
    """Return a JSON document as bytes."""
    try:
        return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # halves of characters, of broken names: they have no form but the escaped one
        return (json.dumps(document, indent=2) + "\n").encode()


def create_array(
    place: Place,
    key: str,
    data: NDArray[Any] | None = None,
    **options: Any,  # noqa: ANN401
) -> None:
    """Write the documents of a new array, and its content where it is given.

    Zarr makes them in memory: in a store it would first look for whatever may lie there and above, which
    on a bucket takes many requests.

    Parameters
    ----------
    place : LocalPlace or RemotePlace
        Store, in which nothing lies at the key.
    key : str
        Path of the array below its root.
    data : ndarray, optional
        Content; small.
    **options
        Those of ``zarr.create_array``.

    Raises
    ------
    TargetError
        They cannot be written.
    """
    import zarr  # noqa: PLC0415
    from zarr.storage import MemoryStore  # noqa: PLC0415

    made: dict[str, Any] = {}
    array = zarr.create_array(MemoryStore(made), **options)
    if data is not None:
        array[...] = data
    for name in sorted(made, key=lambda name: name.rpartition("/")[2].startswith((".z", "zarr.json"))):
        place.write(join(key, name), made[name].to_bytes())  # the documents last: they say that it is there


def write_group(place: Place, key: str, zarr_format: ZarrFormat, attributes: Mapping[str, object]) -> None:
    """Write, or replace, the documents of a group.

    Raises
    ------
    TargetError
        They cannot be written.
    """
    if zarr_format == 3:
        document: Json = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
        place.write(join(key, "zarr.json"), dump_json(document))
    else:
        # attributes first, so that half a group is known as ours
        place.write(join(key, ".zattrs"), dump_json(attributes))
        place.write(join(key, ".zgroup"), dump_json({"zarr_format": 2}))


def write_attributes(place: Place, node: Node, attributes: Mapping[str, object]) -> None:
    """Replace the attributes of an existing group, keeping the rest of its document.

    Raises
    ------
    TargetError
        They cannot be written.
    """
    document = (
        dict(attributes) if node.zarr_format == 2 else {**node.document, "attributes": dict(attributes)}
    )
    place.write(node.document_key, dump_json(document))


def with_ome(zarr_format: ZarrFormat, ome: Mapping[str, object]) -> Json:
    """Return attributes that hold what OME-Zarr says, where the version wants it: 0.4 or 0.5."""
    return {"ome": {"version": "0.5", **ome}} if zarr_format == 3 else dict(ome)
