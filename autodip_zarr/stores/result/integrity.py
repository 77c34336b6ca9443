"""Compare everything that a result stores with its checksums."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from autodip_zarr.domain import Block
from autodip_zarr.errors import HeaderError, SourceError, TargetError
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, has_parent, split_uri
from autodip_zarr.stores.result.keys import PRISTINE, RECORD, ROOT_DOCUMENTS
from autodip_zarr.stores.result.record import check_record_shape
from autodip_zarr.stores.zarr.checksums import (
    CHECKSUMS,
    CONTAINER,
    LAYOUT,
    REGISTRATION,
    RESULT,
    Checksum,
    block_name,
    manifest_key,
    object_problem,
    read_manifest,
)
from autodip_zarr.stores.zarr.nodes import parse_json, read_node

Known = dict[str, Checksum | None]
"""What is known of objects, by key."""

Look = Callable[[Callable[[str], str | None], Iterable[str]], Iterable[str | None]]
"""Calls a function on each of many keys, and yields the answers in their order."""

_CONTAINER_DEPTH = 3


@dataclass(frozen=True)
class Damage:
    """One object of a result that is not as it was written."""

    key: str
    """Its key below the image group."""
    problem: str
    """What is wrong with it, in words."""
    block: Block | None = None
    """Planes that have to be made again; ``None`` where finishing the result makes it again."""
    content: bytes | None = None
    """What was written, where a copy is kept."""

    def __str__(self) -> str:
        """Return one line: which object, which planes, and what is wrong."""
        if self.block is None:
            return f"{self.key}: {self.problem}"
        t, z, c = _shown(self.block.t), _shown(self.block.z), self.block.c
        return f"plane t={t} c={c} z={z}: {self.key} {self.problem}"


def _shown(indices: range) -> str:
    return str(indices.start) if len(indices) == 1 else f"{indices.start}-{indices.stop - 1}"


@dataclass(frozen=True)
class Checked:
    """What the documents of a result came to."""

    damages: tuple[Damage, ...]
    """What is wrong with them, and with the levels below full resolution."""
    blocks: tuple[Block, ...]
    """All blocks, as far as it is known how the result is cut; each is checked by itself."""
    status: str | None
    """What the result says of itself, for example ``complete``; ``None`` where it does not."""


def has_checksums(uri: str) -> bool:
    """Return whether checksums of a result are kept: earlier versions kept none.

    Raises
    ------
    TargetError, SourceError
        It cannot be found out.
    """
    place = open_place(uri)
    if any(place.read(manifest_key(name)) is not None for name in (LAYOUT, RESULT)):
        return True
    claim: Any = _own_attribute(place)  # all of them may be lost
    for name in ("run", "layout", "checksums"):
        claim = claim.get(name) if isinstance(claim, dict) else None
    return claim is not None


def kept_attributes(uri: str) -> dict[str, Any] | None:
    """Return the ``autodip`` attribute of a result as its checksums keep it, ``None`` where they do not.

    It tells whose a result is whose own document is missing or was changed.

    Raises
    ------
    SourceError
        Nothing can be read there.
    """
    place = open_place(uri)
    for name in (RESULT, LAYOUT):
        try:
            known = read_manifest(place, name)
        except TargetError:
            continue
        for key in ROOT_DOCUMENTS:
            kept = known.get(key)
            if kept is not None and kept.content is not None:
                return _attribute_in(kept.content, key, place)
    return None


def _attribute_in(content: bytes, key: str, place: Place) -> dict[str, Any] | None:
    try:
        document = parse_json(content, place.where(key))
    except HeaderError:
        return None
    inner = document.get("attributes", document) if key == "zarr.json" else document
    found = inner.get(RESULT_ATTRIBUTE) if isinstance(inner, dict) else None
    return found if isinstance(found, dict) else None


def check_documents(uri: str, look: Look = map) -> Checked:
    """Compare all objects of a result with their checksums, but for those of its blocks.

    Parameters
    ----------
    uri : str
        The image group; `has_checksums` must say that there are some.
    look : callable
        Calls a function on each of many objects, and yields the answers in their order; ``map``, or one
        that does so side by side.

    Raises
    ------
    SourceError
        The store does not answer.
    """
    place = open_place(uri)
    damages: list[Damage] = []
    layout = _manifest(place, LAYOUT, damages)
    own = _own_attribute(place)
    result: Known = {} if own.get("status") == "running" else _manifest(place, RESULT, damages)
    root = {key: known for key, known in layout.items() if key in ROOT_DOCUMENTS}
    known = {key: one for key, one in layout.items() if key not in ROOT_DOCUMENTS} | result
    known |= _registration(place, damages)
    damages += _damages(place, known, look)
    for name in (key for key in result if key.startswith(f"{CHECKSUMS}/")):
        part: list[Damage] = []
        below = _manifest(place, name.removeprefix(f"{CHECKSUMS}/").removesuffix(".json"), part)
        damages += _damages(place, below, look)
    if not result and not isinstance(own.get("recipe"), dict):  # all that is left of whose it is
        damages += _damages(place, root, look)
    return Checked(tuple(damages), tuple(_blocks(layout, place)), own.get("status"))


def _manifest(place: Place, name: str, damages: list[Damage]) -> Known:
    try:
        return read_manifest(place, name)
    except TargetError as error:
        damages.append(Damage(manifest_key(name), error.found))
        return {}


def _own_attribute(place: Place) -> Mapping[str, Any]:
    """Return what a result says of itself; nothing where that is missing or broken."""
    try:
        node = read_node(place, "")
    except HeaderError:
        return {}
    attribute = None if node is None else node.attributes.get(RESULT_ATTRIBUTE)
    return attribute if isinstance(attribute, dict) else {}


def _registration(place: Place, damages: list[Damage]) -> Known:
    """Return what is known of the documents that keep what was changed around a result, if there are any."""
    try:
        is_registered = read_node(place, PRISTINE) is not None
    except HeaderError:
        is_registered = True
    if not is_registered and place.read(manifest_key(REGISTRATION)) is None:
        return {}
    return _manifest(place, REGISTRATION, damages)


def _damages(place: Place, known: Known, look: Look) -> Iterator[Damage]:
    problems = look(lambda key: object_problem(place, key, known[key]), known)
    for (key, one), problem in zip(known.items(), problems, strict=True):
        if problem is not None:
            yield Damage(key, problem, content=None if one is None else one.content)


def _blocks(layout: Known, place: Place) -> list[Block]:
    """Return the blocks of a result: each is a chunk of the record, whose document says how it is cut."""
    for name in ("zarr.json", ".zarray"):
        kept = layout.get(f"{RECORD}/{name}")
        if kept is not None and kept.content is not None:
            where = place.where(f"{RECORD}/{name}")
            try:
                document: Any = parse_json(kept.content, where)
                grid = document.get("chunk_grid", {}).get("configuration", {})
                step = document["chunks"] if name == ".zarray" else grid["chunk_shape"]
                check_record_shape(document["shape"], where)
                return list(_cut(document["shape"][:3], step[:3]))
            except (HeaderError, KeyError, TypeError, ValueError, AttributeError) as error:
                found = "does not say how the result is cut"
                raise TargetError(where, found, "the shape of the record") from error
    return []


def _cut(shape: Sequence[int], step: Sequence[int]) -> Iterator[Block]:
    starts = [range(0, size, part) for size, part in zip(shape, step, strict=True)]
    for t, c, z in itertools.product(*starts):
        yield Block(c, range(t, min(t + step[0], shape[0])), range(z, min(z + step[2], shape[2])))


def container_of(uri: str) -> str | None:
    """Return the store around a result that this program wrote, ``None`` where there is none to be seen."""
    with suppress(SourceError):  # what lies above a result need not be readable
        for _ in range(_CONTAINER_DEPTH):
            if not has_parent(uri):
                return None
            uri, _name = split_uri(uri)
            place = open_place(uri)
            if place.read(manifest_key(CONTAINER)) is not None or "layout" in _own_attribute(place):
                return uri
    return None


def check_container(uri: str) -> tuple[Damage, ...]:
    """Compare the documents around several results with their checksums.

    Stores that an earlier version wrote have none, and nothing is said of them.

    Raises
    ------
    SourceError
        The store does not answer.
    """
    place = open_place(uri)
    if place.read(manifest_key(CONTAINER)) is None and "checksums" not in _own_attribute(place):
        return ()
    damages: list[Damage] = []
    damages += _damages(place, _manifest(place, CONTAINER, damages), map)
    return tuple(damages)


def check_block(uri: str, block: Block) -> tuple[Damage, ...]:
    """Compare all objects of a block, its entry of the record included, with their checksums.

    Raises
    ------
    SourceError
        The store does not answer.
    """
    place = open_place(uri)
    try:
        known = read_manifest(place, block_name(block))
    except TargetError as error:
        return (Damage(manifest_key(block_name(block)), error.found, block),)
    problems = ((key, object_problem(place, key, one), one) for key, one in known.items())
    return tuple(
        Damage(key, problem, block, None if one is None else one.content)
        for key, problem, one in problems
        if problem is not None
    )
