"""Register results in the source stores they were written into, and take them out again without a trace."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from autodip_zarr.errors import TargetError
from autodip_zarr.stores.access.errors import METADATA_LIMIT, target_read_errors
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, join_uri, safe_key, split_uri
from autodip_zarr.stores.result.around.source_documents import (
    enter_in_consolidated,
    enter_in_well,
    other_results,
    take_out,
)
from autodip_zarr.stores.result.keys import FAILURES, PRISTINE, RECORD
from autodip_zarr.stores.result.ownership import delete_result, result_node
from autodip_zarr.stores.zarr.checksums import CHECKSUMS, REGISTRATION, checksum, manifest
from autodip_zarr.stores.zarr.documents import dump_json, group_documents, write_documents
from autodip_zarr.stores.zarr.nodes import Json, Node, group_above, join, parse_json, read_node

_DOCUMENTS = ("zarr.json", ".zattrs", ".zmetadata")

_LOCK = ".autodip-zarr.lock"


@dataclass(frozen=True)
class _Result:
    """A result inside a source store."""

    place: Place
    """The image group."""
    node: Node
    """Its metadata."""
    above: tuple[tuple[Place, str], ...]
    """Every group above it, nearest first, with the key of the result below it."""
    well_entry: Json | None
    """What its well lists; ``None`` outside plates."""

    @property
    def name(self) -> str:
        """Return the name of the image group."""
        return split_uri(self.place.uri)[1]


Turns = Callable[[str], AbstractContextManager[object]]
"""Gives the turn at the documents of a source store, by a lock file in it: of several writers one has it."""


def register_well_image(
    source_root: str, image_path: str, acquisition: int | None, turns: Turns = nullcontext
) -> None:
    """List a result in the well beside its source, and update consolidated metadata last.

    Doing it again is harmless.

    Parameters
    ----------
    source_root : str
        Root of the source store.
    image_path : str
        Path of the result below the root, for example ``A/1/0denoised``.
    acquisition : int or None
        Acquisition that the source image belongs to.
    turns : callable
        Asked for a turn where something has to be changed.

    Raises
    ------
    TargetError
        There is no such result, or a document cannot be read or written.
    """
    entry: Json = {"path": split_uri(image_path)[1]}
    if acquisition is not None:
        entry["acquisition"] = acquisition
    _register(_result(join_uri(source_root, image_path), entry), turns)


def register_nested_image(source_root: str, image_path: str, turns: Turns = nullcontext) -> None:
    """Make consolidated metadata name a result that lies inside its source image.

    Nothing happens where the store has none. Doing it again is harmless.

    Parameters
    ----------
    source_root : str
        Root of the source store.
    image_path : str
        Path of the result below the root, for example ``denoised`` or ``0/denoised``.
    turns : callable
        Asked for a turn where something has to be changed.

    Raises
    ------
    TargetError
        There is no such result, or a document cannot be read or written.
    """
    _register(_result(join_uri(source_root, image_path), None), turns)


def renew_registration(uri: str) -> None:
    """Write the checksums of what a result keeps of its source store again, where they were lost.

    Raises
    ------
    TargetError
        What it keeps is broken as well.
    """
    result = _result(uri, None)
    _pristine(result)
    names = ("zarr.json",) if result.node.zarr_format == 3 else (".zattrs", ".zgroup")
    keys = [join(PRISTINE, name) for name in names]
    contents = {key: content for key in keys if (content := result.place.read(key)) is not None}
    checksums = {key: checksum(content, keep=True) for key, content in contents.items()}
    write_documents(result.place, manifest(REGISTRATION, checksums))


def remove_target(uri: str, turns: Turns = nullcontext) -> None:
    """Delete a result, and take out of its source store what was entered there.

    Every document that was changed for it gets its original bytes back once no other result is entered in
    it, in whatever order results are removed; a document that somebody else changed meanwhile loses the
    entries of this result alone.

    Parameters
    ----------
    uri : str
        The image group.
    turns : callable
        Asked for a turn where there is something to take out.

    Raises
    ------
    TargetError
        It is no result of this program, or something cannot be written.
    """
    result = _result(uri, None)
    if changed := _pristine(result):
        with turns(_lock_of(result)):
            for key, pristine in changed.items():
                _restore(result, key, pristine)
    delete_result(result.place)


def _result(uri: str, well_entry: Json | None) -> _Result:
    place = open_place(uri)
    node = result_node(place)
    root, key = place, ""
    with target_read_errors():
        while (found := group_above(root)) is not None:
            root, key = found[0], join(found[1], key)
    parts = key.split("/") if key else []
    below = ["/".join(parts[count:]) for count in range(len(parts))]
    places = [root, *(root.child("/".join(parts[:count])) for count in range(1, len(parts)))]
    above = list(zip(places, below, strict=True))[::-1] if parts else []
    return _Result(place, node, tuple(above), well_entry)


def _register(result: _Result, turns: Turns) -> None:
    with target_read_errors():
        if next(_changes(result), None) is None:
            return
    with turns(_lock_of(result)):
        _enter(result)


def _lock_of(result: _Result) -> str:
    root = result.above[-1][0] if result.above else result.place
    return root.where(_LOCK)


def _enter(result: _Result) -> None:
    with target_read_errors():
        changes = dict(_changes(result))
        known = _pristine(result)
        pristine = {key: known.get(key) or _earlier(result, key) or old for key, (old, _) in changes.items()}
    if not changes:
        return
    # the original bytes are safe before the first document of the source changes
    packed = {key: base64.b64encode(zlib.compress(content, 9)).decode() for key, content in pristine.items()}
    files = {"files": {**_packed(result), **packed}}
    documents = group_documents(PRISTINE, result.node.zarr_format, files)
    checksums = {key: checksum(content, keep=True) for key, content in documents.items()}
    write_documents(result.place, {**manifest(REGISTRATION, checksums), **documents})
    for key, (_, new) in changes.items():
        place, name = _document(result, key)
        place.write(name, dump_json(new))


def _changes(result: _Result) -> Iterator[tuple[str, tuple[bytes, Json]]]:
    """Yield each document of the source that must change: the well first, consolidated metadata after it.

    A document is named as seen from the result, ``../zarr.json`` for example.
    """
    members = _member_documents(result)
    for level, (place, below) in enumerate(result.above):
        for name in _DOCUMENTS:
            content = place.read(name)
            if content is None:
                continue
            document = parse_json(content, place.where(name))
            changed: Json = json.loads(json.dumps(document))
            if level == 0 and result.well_entry is not None and name != ".zmetadata":
                enter_in_well(changed if name == ".zattrs" else changed.get("attributes"), result.well_entry)
            enter_in_consolidated(changed, below, members, result.well_entry)
            if changed != document:
                yield "../" * (level + 1) + name, (content, changed)


def _member_documents(result: _Result) -> dict[str, Json]:
    """Return the documents of the result's own groups and arrays, by key as consolidated metadata has it."""
    multiscales = result.node.ome.get("multiscales")
    datasets = multiscales[0].get("datasets", []) if isinstance(multiscales, list) and multiscales else []
    keys = ["", *(safe_key(d.get("path"), result.place.where("")) for d in datasets), RESULT_ATTRIBUTE]
    keys += [RECORD, f"{RESULT_ATTRIBUTE}/field", FAILURES, CHECKSUMS]
    documents: dict[str, Json] = {}
    for key in keys:
        if result.node.zarr_format == 3:
            node = read_node(result.place, key, 3)
            if node is not None:
                documents[key] = node.document
            continue
        for name in (".zgroup", ".zarray", ".zattrs"):
            content = result.place.read(join(key, name))
            if content is not None:
                documents[join(key, name)] = parse_json(content, result.place.where(join(key, name)))
    return documents


def _restore(result: _Result, key: str, pristine: bytes) -> None:
    place, name = _document(result, key)
    below = result.above[key.count("../") - 1][1]
    with target_read_errors():
        content = place.read(name)
        if content is None:
            return
        document = parse_json(content, place.where(name))
        take_out(document, below)
        original = parse_json(pristine, place.where(name))
    place.write(name, pristine if document == original else dump_json(document))


def _document(result: _Result, key: str) -> tuple[Place, str]:
    """Return where a document above a result lies; never anything but metadata of the same store."""
    climbs, name = key.count("../"), key.rsplit("/", 1)[-1]
    if key != "../" * climbs + name or name not in _DOCUMENTS or not 0 < climbs <= len(result.above):
        found = f"found the document {key!r:.100}"
        raise TargetError(result.place.where(PRISTINE), found, "a metadata document of the source store")
    return result.above[climbs - 1][0], name


def _packed(result: _Result) -> Json:
    with target_read_errors():
        node = read_node(result.place, PRISTINE)
    files = node.attributes.get("files") if node is not None else None
    return files if isinstance(files, dict) else {}


def _pristine(result: _Result) -> dict[str, bytes]:
    """Return the original bytes that a result keeps, by document."""
    return {key: _unpacked(result.place, content) for key, content in _packed(result).items()}


def _unpacked(place: Place, content: object) -> bytes:
    try:
        inflate = zlib.decompressobj()
        original = inflate.decompress(base64.b64decode(str(content), validate=True), METADATA_LIMIT)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise TargetError(
            place.where(PRISTINE), f"is broken: {error}", "the original bytes of documents"
        ) from error
    return original


def _earlier(result: _Result, key: str) -> bytes | None:
    """Return the original bytes of a document from an earlier result that changed it, too."""
    climbs = key.count("../")
    place, name = _document(result, key)
    content = place.read(name)
    document = parse_json(content, place.where(name)) if content is not None else {}
    for other in other_results(document, result.above[climbs - 1][1]):
        found = _result_below(place, other)
        if found is None:
            continue
        packed = _packed(found).get("../" * (other.count("/") + 1) + name)
        if packed is not None:
            return _unpacked(found.place, packed)
    return None


def _result_below(place: Place, key: str) -> _Result | None:
    node = read_node(place, key)
    return _Result(place.child(key), node, (), None) if node is not None and node.is_result else None
