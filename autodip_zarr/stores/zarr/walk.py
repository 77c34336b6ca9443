"""Images in one Zarr hierarchy, found by following its metadata and never listing chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from autodip_zarr.domain import FieldOfPlate, ImageRef, Skipped
from autodip_zarr.errors import HeaderError, SourceError
from autodip_zarr.stores.access.place import Place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, safe_key
from autodip_zarr.stores.zarr.checksums import LAYOUT, manifest_key
from autodip_zarr.stores.zarr.nodes import (
    Node,
    ZarrFormat,
    as_object,
    as_objects,
    join,
    read_node,
    read_nodes,
)

NESTED_RESULT = "denoised"
"""Name of the group inside an image that holds its denoised version."""

_DEPTH = 32
_BATCH = 64


@dataclass(frozen=True)
class ZarrWalk:
    """What is looked for, and where."""

    place: Place
    """Root of the store."""
    relative: str
    """Path of the store below the named source."""
    only: str = ""
    """Part of the hierarchy that is asked for; ``""`` for all of it."""
    results: bool = False
    """Look for results of this program instead of images."""


Found = Iterator[ImageRef | Skipped]


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
            yield skipped(error)


def skipped(error: SourceError) -> Skipped:
    """Return the record of a source that cannot be read."""
    reason = str(error).removeprefix(f"{error.where}: ")
    return Skipped(error.where, reason, is_error=True)


def lost_result(place: Place, key: str) -> Found:
    """Yield what was a result, as its record or its checksums tell, though its own document does not.

    Raises
    ------
    SourceError
        It cannot be found out.
    """
    record = read_node(place, join(key, RESULT_ATTRIBUTE, "record"))
    if record is not None or place.read(join(key, manifest_key(LAYOUT))) is not None:
        found = "is a result whose metadata document is missing or damaged"
        hint = "the command that made it, with --repair, puts back what its checksums keep"
        yield Skipped(place.where(key), f"{found}; {hint}", is_error=True)


def _lost(walk: ZarrWalk, key: str) -> Found:
    """Yield what was a result and does not say so any more, where results are looked for."""
    if walk.results and _asked_for(walk, key):
        yield from lost_result(walk.place, key)


def _is_plain(node: Node) -> bool:
    """Return whether a group is only there to hold others."""
    marks = ("plate", "well", "multiscales", "bioformats2raw.layout", "image-label", "labels")
    return not node.is_result and not any(mark in node.ome for mark in marks)


def _children(walk: ZarrWalk, node: Node) -> list[str]:
    names = [name for name, is_folder in walk.place.entries(node.key) if is_folder]
    keys = [join(node.key, name) for name in names if name != "labels" and not name.startswith(".")]
    return [key for key in keys if _on_the_way(walk, key)]


def _on_the_way(walk: ZarrWalk, key: str) -> bool:
    """Return whether a key lies above or below what is asked for."""
    return walk.only == "" or _asked_below(walk, key) or _asked_for(walk, key)


def _asked_for(walk: ZarrWalk, key: str) -> bool:
    return walk.only == "" or f"{key}/".startswith(f"{walk.only}/")


def _visit(walk: ZarrWalk, node: Node) -> Found:
    if "plate" in node.ome and node.key and not walk.place.is_archive:
        yield from _visit(*_own_store(walk, node))
    elif node.is_result:
        yield from _result(walk, node)
    elif "plate" in node.ome:
        yield from _plate(walk, node)
    elif "bioformats2raw.layout" in node.ome:
        yield from _series(walk, node)
    elif "well" in node.ome:
        yield from _wells(walk, [(node, None)], {})
    elif "multiscales" in node.ome:
        yield from _image(walk, node, 0)


def _own_store(walk: ZarrWalk, node: Node) -> tuple[ZarrWalk, Node]:
    """Take a plate inside a larger hierarchy for a store of its own: its metadata is all in it."""
    only = walk.only.removeprefix(node.key).removeprefix("/") if _asked_below(walk, node.key) else ""
    inner = replace(walk, place=walk.place.child(node.key), relative=join(walk.relative, node.key), only=only)
    document_key = node.document_key.removeprefix(f"{node.key}/")
    return inner, replace(node, key="", document_key=document_key)


def _asked_below(walk: ZarrWalk, key: str) -> bool:
    return f"{walk.only}/".startswith(f"{key}/")


def _result(walk: ZarrWalk, node: Node) -> Found:
    """Yield a result, or those in a layout that this program wrote, where they are looked for."""
    if not walk.results:
        return
    if "plate" in node.ome:
        yield from _plate(walk, node)
    elif "bioformats2raw.layout" in node.ome:
        yield from _series(walk, node)
    elif "multiscales" in node.ome and _asked_for(walk, node.key):
        yield _ref(walk, node, 0, None)


def _ref(walk: ZarrWalk, node: Node, index: int, plate: FieldOfPlate | None) -> ImageRef:
    return ImageRef("ome-zarr", walk.place.uri, node.key, None, index, walk.relative, plate)


def _image(walk: ZarrWalk, node: Node, index: int, plate: FieldOfPlate | None = None) -> Found:
    """Yield an image group, or why it is none."""
    if walk.results:
        yield from _nested_result(walk, node, index, plate)
        return
    if node.is_result or not _asked_for(walk, node.key):
        return
    where = walk.place.where(node.key)
    try:
        if "image-label" in node.ome:
            yield Skipped(where, "a label image")
            return
        first = first_dataset(node, where)
        if read_node(walk.place, join(node.key, first), node.zarr_format) is None:
            raise HeaderError(where, f"its array {first!r} is missing", "an array at every path it names")
    except SourceError as error:
        yield skipped(error)
        return
    yield _ref(walk, node, index, plate)


def _nested_result(walk: ZarrWalk, node: Node, index: int, plate: FieldOfPlate | None) -> Found:
    inner = node if node.is_result else read_node(walk.place, join(node.key, NESTED_RESULT), node.zarr_format)
    if inner is None or not inner.is_result:
        yield from _lost(walk, node.key)
        yield from _lost(walk, join(node.key, NESTED_RESULT))
    elif _asked_for(walk, inner.key):
        yield _ref(walk, inner, index, plate)


def first_dataset(node: Node, where: str) -> str:
    """Return the path of the full-resolution array of an image group.

    Raises
    ------
    HeaderError
        The ``multiscales`` are broken, or one of their paths leaves the store.
    """
    multiscales = as_objects(node.ome.get("multiscales"), f"{where}: multiscales")
    if not multiscales:
        raise HeaderError(f"{where}: multiscales", "is empty", "one image")
    datasets = as_objects(multiscales[0].get("datasets"), f"{where}: multiscales[0].datasets")
    if not datasets:
        raise HeaderError(f"{where}: multiscales[0].datasets", "is empty", "one array or more")
    place = f"{where}: multiscales[0].datasets[{{}}].path"
    paths = [safe_key(item.get("path"), place.format(i)) for i, item in enumerate(datasets)]
    return paths[0]


def _series(walk: ZarrWalk, node: Node) -> Found:
    """Yield the images of a bioformats2raw layout."""
    listed = _listed_series(walk, node)
    keys = [join(node.key, path) for path in listed] if listed is not None else _numbered(walk, node)
    for index, key in enumerate(keys):
        if not _on_the_way(walk, key):
            continue
        try:
            image = read_node(walk.place, key, node.zarr_format)
        except SourceError as error:
            yield skipped(error)
            continue
        if image is not None and "multiscales" in image.ome:
            yield from _image(walk, image, index)
        elif walk.results:
            yield from _lost(walk, key)
        elif not node.is_result:
            yield Skipped(walk.place.where(key), "is listed as a series and is no image there", is_error=True)


def _listed_series(walk: ZarrWalk, node: Node) -> list[str] | None:
    """Return the paths in ``OME``, which are in the order of the images in the OME-XML."""
    ome = read_node(walk.place, join(node.key, "OME"), node.zarr_format)
    series = None if ome is None else ome.ome.get("series")
    if series is None:
        return None
    where = f"{walk.place.where(join(node.key, 'OME'))}: series"
    if not isinstance(series, list):
        raise HeaderError(where, f"found {series!r:.100}", "a list of paths")
    return [safe_key(path, f"{where}[{i}]") for i, path in enumerate(series)]


def _numbered(walk: ZarrWalk, node: Node) -> list[str]:
    """Return the groups ``0``, ``1``, ... as far as they go."""
    keys: list[str] = []
    while read_node(walk.place, join(node.key, str(len(keys))), node.zarr_format) is not None:
        keys.append(join(node.key, str(len(keys))))
    return keys


def _plate(walk: ZarrWalk, node: Node) -> Found:
    """Yield the fields of all wells of a plate, in the plate's order."""
    where = f"{walk.place.where(node.key)}: plate.wells"
    plate = as_object(node.ome.get("plate"), f"{walk.place.where(node.key)}: plate")
    paths: list[str] = []
    for index, entry in enumerate(as_objects(plate.get("wells"), where)):
        try:
            paths.append(safe_key(entry.get("path"), f"{where}[{index}].path"))
        except HeaderError as error:
            yield skipped(error)
    try:
        series = _listed_series(walk, node)
    except SourceError as error:
        yield skipped(error)
        series = None
    numbers = {join(node.key, path): index for index, path in enumerate(series or [])}
    if series is not None:  # otherwise the fields before the ones asked for must be counted
        paths = [path for path in paths if _on_the_way(walk, join(node.key, path))]
    wells = iter(paths)
    while batch := list(islice(wells, _BATCH)):
        keys = [join(node.key, path) for path in batch]
        found: list[tuple[Node, str | None]] = []
        for path, well in zip(batch, read_nodes(walk.place, keys, node.zarr_format), strict=True):
            if isinstance(well, Node) and "well" in well.ome:
                found.append((well, path))
            elif isinstance(well, SourceError):
                yield skipped(well)
            elif not (walk.results or node.is_result) and _on_the_way(walk, join(node.key, path)):
                gone = walk.place.where(join(node.key, path))
                yield Skipped(gone, "is listed in the plate and is no well there", is_error=True)
        yield from _wells(walk, found, numbers)


def _wells(walk: ZarrWalk, wells: Sequence[tuple[Node, str | None]], numbers: dict[str, int]) -> Found:
    """Yield the fields of some wells; `numbers` grows by those that it does not know."""
    fields: list[tuple[str, FieldOfPlate | None]] = []
    for well, path in wells:
        try:
            fields.extend(_fields(walk, well, path))
        except SourceError as error:
            yield skipped(error)
    formats: set[ZarrFormat] = {well.zarr_format for well, _ in wells}
    keys = [key for key, _ in fields]
    nodes = read_nodes(walk.place, keys, formats.pop()) if fields else []
    for (key, plate), node in zip(fields, nodes, strict=True):
        if lost := _lost_field(walk, key, node):
            yield from lost if walk.results and _asked_for(walk, key) else ()
        elif isinstance(node, SourceError):
            yield skipped(node)
        elif node is None or "multiscales" not in node.ome:
            if not walk.results and _on_the_way(walk, key):
                gone = walk.place.where(key)
                yield Skipped(gone, "is listed in the well and is no image there", is_error=True)
        elif node.is_result and not walk.results:
            continue
        else:
            index = numbers.setdefault(key, len(numbers))
            yield from _image(walk, node, index, plate)


def _lost_field(walk: ZarrWalk, key: str, node: Node | SourceError | None) -> list[Skipped]:
    """Return a field that was a result and does not say so any more; it is no image, either."""
    if isinstance(node, Node) and (node.is_result or not key.endswith(NESTED_RESULT)):
        return []
    return [one for one in lost_result(walk.place, key) if isinstance(one, Skipped)]


def _fields(walk: ZarrWalk, well: Node, path: str | None) -> Iterator[tuple[str, FieldOfPlate | None]]:
    where = f"{walk.place.where(well.key)}: well.images"
    content = as_object(well.ome.get("well"), where.removesuffix(".images"))
    for index, image in enumerate(as_objects(content.get("images"), where)):
        name = safe_key(image.get("path"), f"{where}[{index}].path")
        acquisition = image.get("acquisition")
        row, _, column = (path or "").rpartition("/")
        number = acquisition if isinstance(acquisition, int) else None
        yield join(well.key, name), FieldOfPlate(row, column, name, number) if path else None
