"""What JSON documents beside an image say: RO-Crates and attributes of Zarr groups."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from autodip_zarr.domain import MetadataText
from autodip_zarr.metadata.clues import Trust
from autodip_zarr.metadata.documents.annotations import KeyValue
from autodip_zarr.metadata.vocabulary.terms import Vocabulary
from autodip_zarr.metadata.vocabulary.words import compact

__all__ = ["JsonKeyValues", "read_json_text"]

_MAX_CHARACTERS = 32_000_000
_MAX_VALUES = 200_000
_LAYOUT_KEYS = frozenset(
    {"multiscales", "omero", "plate", "well", "labels", "image-label", "autodip", "@context"}
)
"""Keys whose content describes the layout of the store, or is read elsewhere."""
_FREE_NAMES = ("name", "termCode", "identifier", "description")


@dataclass(frozen=True)
class JsonKeyValues:
    """Key-value pairs of a document, or why there are none."""

    key_values: tuple[tuple[KeyValue, int | None], ...]
    """Pairs whose key says something, each with the channel it belongs to (``None`` for all)."""
    remarks: tuple[tuple[str, str], ...]
    """Descriptions in prose, each with its place."""
    warnings: tuple[str, ...]
    """Why the document could not be read, in words."""


@lru_cache(maxsize=64)
def read_json_text(text: MetadataText, vocabulary: Vocabulary) -> JsonKeyValues:
    """Read a JSON document; one that is broken is a warning, because the image can be read without it.

    Parameters
    ----------
    text : MetadataText
        An RO-Crate or the attributes of a group.
    vocabulary : Vocabulary
        Which keys speak about what.
    """
    if len(text.content) > _MAX_CHARACTERS:
        return JsonKeyValues(
            (), (), (f"{text.source}: {len(text.content)} characters are too many; ignored",)
        )
    try:
        document = json.loads(text.content)
        if text.kind == "ro-crate-json":
            return _crate(document, text.source, vocabulary)
        key_values = tuple(_key_values(document, f"{text.source}#", vocabulary))
        return JsonKeyValues(key_values, (), ())
    except (ValueError, RecursionError) as error:
        return JsonKeyValues((), (), (f"{text.source}: no readable JSON ({error}); ignored",))


def _key_values(
    value: object, path: str, vocabulary: Vocabulary, channel: int | None = None
) -> Iterator[tuple[KeyValue, int | None]]:
    """Yield the key_values of a tree; items of ``channels`` speak about the channel of its position."""
    if isinstance(value, list):
        for index, one in enumerate(value[:_MAX_VALUES]):
            position = index if path.endswith(("/channels", "/channel")) else channel
            yield from _key_values(one, f"{path}[{index}]", vocabulary, position)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            if key in _LAYOUT_KEYS:
                continue
            if vocabulary.key_field(key) is not None:
                for written in _texts(one):
                    yield _key_value(key, written, f"{path}/{key}", channel), channel
            if isinstance(one, Mapping | list):
                yield from _key_values(one, f"{path}/{key}", vocabulary, channel)


def _key_value(key: str, value: str, source: str, channel: int | None) -> KeyValue:
    trust = Trust.ANNOTATION if channel is None else Trust.CURATED
    return KeyValue(key, value, source, channel is not None, int(trust))


def _texts(value: object) -> Iterator[str]:
    """Yield the texts of a value: itself, those of a list, or the id of a reference."""
    if isinstance(value, str) and value.strip():
        yield value.strip()
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, list):
        for one in value[:_MAX_VALUES]:
            if not isinstance(one, list):
                yield from _texts(one)
    elif isinstance(value, Mapping) and isinstance(value.get("@id"), str):
        yield value["@id"]


def _crate(document: object, source: str, vocabulary: Vocabulary) -> JsonKeyValues:
    """Read the graph of an RO-Crate, with or without the spelling mistakes of its vocabulary."""
    graph = document.get("@graph") if isinstance(document, Mapping) else None
    if not isinstance(graph, list):
        return JsonKeyValues((), (), (f"{source}: no '@graph' in the RO-Crate; ignored",))
    entities = [one for one in graph[:_MAX_VALUES] if isinstance(one, Mapping)]
    index = {one["@id"]: one for one in entities if isinstance(one.get("@id"), str)}
    key_values: list[tuple[KeyValue, int | None]] = []
    remarks: list[tuple[str, str]] = []
    for number, entity in enumerate(entities):
        path = f"{source}#/@graph[{number}]"
        key_values += [(key_value, None) for key_value in _of_entity(entity, path, index, vocabulary)]
        description = entity.get("description")
        if entity.get("@id") == "./" and isinstance(description, str) and description.strip():
            remarks.append((description, f"{path}/description"))
    return JsonKeyValues(tuple(key_values), tuple(remarks), ())


def _of_entity(
    entity: Mapping[str, object], path: str, index: Mapping[str, Mapping[str, object]], vocabulary: Vocabulary
) -> Iterator[KeyValue]:
    for written in _texts(entity.get("@type")):
        if "fbbi" in compact(written):
            yield KeyValue("imaging method", written, f"{path}/@type")
    for key, value in entity.items():
        if key in _LAYOUT_KEYS or vocabulary.key_field(key) is None:
            continue
        for written in _texts(value):
            for meant in _resolved(written, index):
                yield KeyValue(key, meant, f"{path}/{key}")


def _resolved(written: str, index: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Yield a text, or the names of the entity that it is the id of."""
    entity = index.get(written)
    if entity is None:
        yield written
        return
    if "fbbi" in compact(written) or "tax" in compact(written):
        yield written
    for key in _FREE_NAMES:
        for one in _texts(entity.get(key)):
            if one not in index:
                yield one
                return
