"""Metadata texts that lie in and around a Zarr store, each read once however many images share it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache

from autodip_zarr.domain import Fingerprint, ImageRef, MetadataText
from autodip_zarr.errors import SourceError
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.remote.server_errors import is_unanswered
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, has_parent, split_uri
from autodip_zarr.stores.zarr.nodes import Json, Node, join, read_node

OME_XML = "METADATA.ome.xml"
"""Name of the OME-XML file of a bioformats2raw layout, in its group ``OME``."""

_RO_CRATE = "ro-crate-metadata.json"
"""Name of an RO-Crate at the root of a store."""

_UNDERSTOOD = {"multiscales", "omero", "plate", "well", "bioformats2raw.layout", "version", RESULT_ATTRIBUTE}
_ATTRIBUTES_LIMIT = 1024 * 1024


def metadata_texts(
    place: Place, node: Node, ref: ImageRef
) -> tuple[tuple[MetadataText, ...], tuple[str, ...]]:
    """Return the texts that may describe an image, and warnings about those that could not be read.

    Parameters
    ----------
    place : LocalPlace or RemotePlace
        Store.
    node : Node
        Image group.
    ref : ImageRef
        The image.
    """
    texts: list[MetadataText] = []
    warnings: list[str] = []
    try:
        texts.extend(_ome_xml(place, ref.group, warnings))
        crate = read_text(place, _RO_CRATE)
        if crate is not None:
            texts.append(MetadataText("ro-crate-json", place.where(_RO_CRATE), crate))
    except SourceError as error:
        if is_unanswered(error):  # what is not read now would be taken for what is not known
            raise
        warnings.append(str(error))
    omero = node.ome.get("omero")
    if isinstance(omero, dict):
        source = f"{place.where(node.document_key)}: omero"
        texts.append(MetadataText("omero-json", source, json.dumps(omero, ensure_ascii=False)))
    for owner in _owners(place, node, warnings):
        content = json.dumps(_others(owner), ensure_ascii=False)
        if len(content) > _ATTRIBUTES_LIMIT:
            warnings.append(
                f"{place.where(owner.document_key)}: attributes of {len(content):,} bytes were not read"
            )
        elif content != "{}":
            texts.append(MetadataText("zarr-attributes-json", place.where(owner.document_key), content))
    return tuple(texts), tuple(warnings)


def read_text(place: Place, key: str) -> str | None:
    """Return a text file, ``None`` where there is none; unchanged files are read once.

    Raises
    ------
    HeaderError
        It is larger than an honest metadata document.
    SourceError
        It cannot be read.
    """
    fingerprint = place.stat(
        key
    )  # one header of a whole plate may be large: it is not fetched for each field
    return None if fingerprint is None else _read_cached(place, key, fingerprint)


@lru_cache(maxsize=8)
def _read_cached(place: Place, key: str, _fingerprint: Fingerprint) -> str | None:
    content = place.read(key)
    return None if content is None else _decoded(content)


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


def _ome_xml(place: Place, group: str, warnings: list[str]) -> Iterator[MetadataText]:
    """Yield the OME-XML nearest to the place where a bioformats2raw layout has it."""
    parts = group.split("/") if group else []
    ancestors = ["/".join(parts[:count]) for count in range(len(parts) + 1)]
    candidates = [join("OME", OME_XML), join(group, OME_XML), OME_XML]
    candidates += [join(folder, "OME", OME_XML) for folder in ancestors[1:]]
    for key in dict.fromkeys(candidates):
        text = read_text(place, key)
        if text is not None:
            yield MetadataText("ome-xml", place.where(key), text)
            return
    beside = _beside(place, warnings)
    if beside is not None:
        yield beside


def _beside(place: Place, warnings: list[str]) -> MetadataText | None:
    """Return an OME-XML file that lies beside the store, if it can only belong to this one."""
    parent_uri, name = split_uri(place.uri)
    if place.is_archive or not place.listable or not has_parent(place.uri):
        return None
    parent = open_place(parent_uri)
    text = read_text(parent, OME_XML)
    if text is None:
        return None
    others = [other for other, is_folder in parent.entries("") if is_folder and other != name]
    if any(read_node(parent, other) is not None for other in others):
        warnings.append(f"{parent.where(OME_XML)}: not used, because several stores lie beside it")
        return None
    return MetadataText("ome-xml", parent.where(OME_XML), text)


def _owners(place: Place, node: Node, warnings: list[str]) -> Iterator[Node]:
    yield node
    if node.key:
        try:
            root = read_node(place, "", node.zarr_format)
        except SourceError as error:
            if is_unanswered(error):
                raise
            warnings.append(str(error))
            return
        if root is not None:
            yield root


def _others(node: Node) -> Json:
    """Return the attributes that are not part of OME-Zarr itself."""
    kept: Json = {name: value for name, value in node.attributes.items() if name not in {*_UNDERSTOOD, "ome"}}
    inner = node.attributes.get("ome")
    if isinstance(inner, dict):
        rest = {name: value for name, value in inner.items() if name not in _UNDERSTOOD}
        if rest:
            kept["ome"] = rest
    return kept
