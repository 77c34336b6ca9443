"""Images in one Zarr hierarchy, found by following its metadata and never listing chunks."""

from __future__ import annotations

from dataclasses import replace

from autodip_zarr.domain import Skipped
from autodip_zarr.errors import SourceError
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE
from autodip_zarr.stores.zarr.images.found_images import (
    Found,
    ZarrWalk,
    image_of_group,
    image_ref,
    is_asked_below,
    is_asked_for,
    is_on_the_way,
    listed_series,
    lost_if_looked_for,
    lost_result,
    skipped,
)
from autodip_zarr.stores.zarr.images.plates import fields_of_plate, fields_of_wells
from autodip_zarr.stores.zarr.nodes import Node, join, read_node

_DEPTH = 32


def walk_zarr(walk: ZarrWalk, start: str) -> Found:
    """Yield the images at and below a group.

    Parameters
    ----------
    walk : ZarrWalk
        What is looked for.
    start : str
        Key of the group at which the hierarchy begins.
    """
    remaining = [(start, 0)]
    while remaining:
        key, depth = remaining.pop()
        try:
            node = read_node(walk.place, key)
            if node is None or node.is_array:
                continue
            if _is_plain(node):
                children = _children(walk, node) if depth < _DEPTH else []
                if walk.results and join(key, RESULT_ATTRIBUTE) in children:
                    yield from lost_result(walk.place, key)
                remaining.extend((child, depth + 1) for child in reversed(children))
            else:
                yield from _visit(walk, node)
        except SourceError as error:
            yield skipped(error, walk.place.where(key))


def _is_plain(node: Node) -> bool:
    """Return whether a group is only there to hold others."""
    marks = ("plate", "well", "multiscales", "bioformats2raw.layout", "image-label", "labels")
    return not node.is_result and not any(mark in node.ome for mark in marks)


def _children(walk: ZarrWalk, node: Node) -> list[str]:
    names = [name for name, is_folder in walk.place.entries(node.key) if is_folder]
    keys = [join(node.key, name) for name in names if name != "labels" and not name.startswith(".")]
    return [key for key in keys if is_on_the_way(walk, key)]


def _visit(walk: ZarrWalk, node: Node) -> Found:
    if "plate" in node.ome and node.key and not walk.place.is_archive:
        yield from _visit(*_own_store(walk, node))
    elif node.is_result:
        yield from _result(walk, node)
    elif "plate" in node.ome:
        yield from fields_of_plate(walk, node)
    elif "multiscales" in node.ome:  # also where a layout is named beside them, as QuPath does
        yield from image_of_group(walk, node, 0)
    elif "bioformats2raw.layout" in node.ome:
        yield from _series(walk, node)
    elif "well" in node.ome:
        yield from fields_of_wells(walk, [(node, None)], {})


def _own_store(walk: ZarrWalk, node: Node) -> tuple[ZarrWalk, Node]:
    """Take a plate inside a larger hierarchy for a store of its own: its metadata is all in it."""
    only = walk.only.removeprefix(node.key).removeprefix("/") if is_asked_below(walk, node.key) else ""
    inner = replace(walk, place=walk.place.child(node.key), relative=join(walk.relative, node.key), only=only)
    document_key = node.document_key.removeprefix(f"{node.key}/")
    return inner, replace(node, key="", document_key=document_key)


def _result(walk: ZarrWalk, node: Node) -> Found:
    """Yield a result, or those in a layout that this program wrote, where they are looked for."""
    if not walk.results:
        return
    if "plate" in node.ome:
        yield from fields_of_plate(walk, node)
    elif "multiscales" in node.ome and is_asked_for(walk, node.key):
        yield image_ref(walk, node, 0, None)
    elif "bioformats2raw.layout" in node.ome:
        yield from _series(walk, node)


def _series(walk: ZarrWalk, node: Node) -> Found:
    """Yield the images of a bioformats2raw layout."""
    listed = listed_series(walk, node)
    keys = [join(node.key, path) for path in listed] if listed is not None else _numbered(walk, node)
    if not keys and not walk.results and not node.is_result:
        told = "lists no series" if listed is not None else "has no group 0, and no list of series in OME"
        yield Skipped(walk.place.where(node.key), f"is a bioformats2raw layout that {told}", is_error=True)
    for index, key in enumerate(keys):
        if not is_on_the_way(walk, key):
            continue
        try:
            image = read_node(walk.place, key, node.zarr_format)
        except SourceError as error:
            yield skipped(error, walk.place.where(key))
            continue
        if image is not None and "multiscales" in image.ome:
            yield from image_of_group(walk, image, index)
        elif walk.results:
            yield from lost_if_looked_for(walk, key)
        elif not node.is_result:
            yield Skipped(walk.place.where(key), "is listed as a series and is no image there", is_error=True)


def _numbered(walk: ZarrWalk, node: Node) -> list[str]:
    """Return the groups ``0``, ``1``, ... as far as they go."""
    keys: list[str] = []
    while read_node(walk.place, join(node.key, str(len(keys))), node.zarr_format) is not None:
        keys.append(join(node.key, str(len(keys))))
    return keys
