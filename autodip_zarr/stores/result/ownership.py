"""Whose result lies at a place: told by the ``autodip`` attribute, without which nothing is ever deleted."""

from __future__ import annotations

from typing import Any

from autodip_zarr.errors import TargetError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.errors import target_read_errors
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE
from autodip_zarr.stores.result.keys import RECORD, ROOT_DOCUMENTS
from autodip_zarr.stores.zarr.files import is_empty
from autodip_zarr.stores.zarr.nodes import Node, read_node

_REPAIR_HINT = "denoise --repair puts back the documents of a result, where its checksums are left"


def read_attributes(uri: str) -> dict[str, Any] | None:
    """Return the ``autodip`` attribute of a group, ``None`` where there is no such group or attribute.

    A result has its provenance there, a group around results ``{"layout": ...}`` alone.

    Raises
    ------
    TargetError
        The metadata of the group cannot be read.
    """
    with target_read_errors(_REPAIR_HINT):
        node = read_node(open_place(uri), "")
    return None if node is None or not node.is_result else _result_attribute(node, uri)


def own_attributes(uri: str) -> dict[str, Any] | None:
    """Return the ``autodip`` attribute of what lies at a place, ``None`` where nothing does.

    Raises
    ------
    TargetError
        A group or array lies there which this program did not write, or its metadata cannot be read.
    """
    existing = _existing(open_place(uri))
    if existing is None:
        return None
    if not existing.is_result:
        hint = "choose another target; only what this program wrote is ever replaced"
        raise TargetError(uri, "holds something else already", "nothing there", hint)
    return _result_attribute(existing, uri)


def target_exists(uri: str) -> bool:
    """Return whether a whole layout of a result is there, finished or not.

    Raises
    ------
    TargetError
        The metadata of the group cannot be read.
    """
    if read_attributes(uri) is None:
        return False
    with target_read_errors():
        record = read_node(open_place(uri), RECORD)
    # the two documents of an array of Zarr 2 are not written in one step
    return record is not None and record.is_array and (record.zarr_format == 3 or bool(record.attributes))


def holds_more_than_lock(uri: str) -> bool:
    """Return whether anything but the lock of a run lies at a place; hidden files do not count.

    Raises
    ------
    SourceError
        It cannot be listed.
    """
    if is_empty(uri):
        return False
    place = open_place(uri)
    names = {name for name, _ in place.entries("") if not name.startswith(".")}
    if names != {RESULT_ATTRIBUTE}:
        return bool(names)
    inner = [name for name, _ in place.entries(RESULT_ATTRIBUTE)]
    return not all(name.startswith(("lock.json", ".")) for name in inner)


def delete_result(place: Place) -> None:
    """Delete a result, the document that says whose it is last: what is left of it is known as ours.

    Raises
    ------
    TargetError
        It cannot be deleted.
    """
    with target_read_errors():
        entries = place.entries("")
    for name in sorted((name for name, is_folder in entries if is_folder), key=_is_own_folder):
        place.delete_tree(name)
    for name in sorted(name for name, is_folder in entries if not is_folder and name not in ROOT_DOCUMENTS):
        place.delete(name)
    place.delete_tree("")


def _is_own_folder(name: str) -> bool:
    return name == RESULT_ATTRIBUTE


def remove_partial(uri: str) -> None:
    """Delete the temporary files that killed writers left in a result.

    Only ever done by who holds its lock: those of a writer at work look the same.

    Raises
    ------
    TargetError
        They cannot be deleted.
    """
    open_place(uri).remove_partial()


def result_node(place: Place) -> Node:
    """Return the group of a result.

    Raises
    ------
    TargetError
        There is none.
    """
    node = _existing(place)
    if node is None or not node.is_result:
        raise TargetError(
            place.where(""), "is no result of this program", "a group with the attribute autodip"
        )
    return node


def _existing(place: Place) -> Node | None:
    with target_read_errors(_REPAIR_HINT):
        return read_node(place, "")


def _result_attribute(node: Node, uri: str) -> dict[str, Any]:
    """Return the ``autodip`` attribute of the group of a result.

    Raises
    ------
    TargetError
        It is no JSON object.
    """
    value = node.attributes[RESULT_ATTRIBUTE]
    if not isinstance(value, dict):
        raise TargetError(f"{public_uri(uri)}: autodip", f"found {value!r:.100}", "a JSON object")
    return value
