"""Images in the wells of a plate, read many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from autodip_zarr.domain import FieldOfPlate, Skipped
from autodip_zarr.errors import HeaderError, SourceError
from autodip_zarr.stores.access.uris import safe_key
from autodip_zarr.stores.zarr.images.found_images import (
    Found,
    ZarrWalk,
    image_of_group,
    is_asked_for,
    is_on_the_way,
    listed_series,
    lost_result,
    skipped,
)
from autodip_zarr.stores.zarr.nodes import Node, ZarrFormat, as_object, as_objects, join, read_nodes

_BATCH = 64


def fields_of_plate(walk: ZarrWalk, node: Node) -> Found:
    """Yield the fields of all wells of a plate, in the plate's order."""
    where = f"{walk.place.where(node.key)}: plate.wells"
    plate = as_object(node.ome.get("plate"), f"{walk.place.where(node.key)}: plate")
    paths: list[str] = []
    for index, entry in enumerate(as_objects(plate.get("wells"), where)):
        try:
            paths.append(safe_key(entry.get("path"), f"{where}[{index}].path"))
        except HeaderError as error:
            yield skipped(error, walk.place.where(node.key))
    try:
        series = listed_series(walk, node)
    except SourceError as error:
        yield skipped(error, walk.place.where(node.key))
        series = None
    numbers = {join(node.key, path): index for index, path in enumerate(series or [])}
    if series is not None:  # otherwise the fields before the ones asked for must be counted
        paths = [path for path in paths if is_on_the_way(walk, join(node.key, path))]
    wells = iter(paths)
    while batch := list(islice(wells, _BATCH)):
        keys = [join(node.key, path) for path in batch]
        found: list[tuple[Node, str | None]] = []
        for path, well in zip(batch, read_nodes(walk.place, keys, node.zarr_format), strict=True):
            if isinstance(well, Node) and "well" in well.ome:
                found.append((well, path))
            elif isinstance(well, SourceError):
                yield skipped(well, walk.place.where(join(node.key, path)))
            elif not (walk.results or node.is_result) and is_on_the_way(walk, join(node.key, path)):
                gone = walk.place.where(join(node.key, path))
                yield Skipped(gone, "is listed in the plate and is no well there", is_error=True)
        yield from fields_of_wells(walk, found, numbers)


def fields_of_wells(
    walk: ZarrWalk, wells: Sequence[tuple[Node, str | None]], numbers: dict[str, int]
) -> Found:
    """Yield the fields of some wells; `numbers` grows by those that it does not know."""
    fields: list[tuple[str, FieldOfPlate | None]] = []
    for well, path in wells:
        try:
            fields.extend(_fields(walk, well, path))
        except SourceError as error:
            yield skipped(error, walk.place.where(well.key))
    formats: set[ZarrFormat] = {well.zarr_format for well, _ in wells}
    keys = [key for key, _ in fields]
    nodes = read_nodes(walk.place, keys, formats.pop()) if fields else []
    for (key, plate), node in zip(fields, nodes, strict=True):
        if lost := _lost_field(walk, key, node):
            yield from lost if walk.results and is_asked_for(walk, key) else ()
        elif isinstance(node, SourceError):
            yield skipped(node, walk.place.where(key))
        elif node is None or "multiscales" not in node.ome:
            if not walk.results and is_on_the_way(walk, key):
                gone = walk.place.where(key)
                yield Skipped(gone, "is listed in the well and is no image there", is_error=True)
        elif node.is_result and not walk.results:
            continue
        else:
            index = numbers.setdefault(key, len(numbers))
            yield from image_of_group(walk, node, index, plate)


def _lost_field(walk: ZarrWalk, key: str, node: Node | SourceError | None) -> list[Skipped]:
    """Return a field that was a result and does not say so any more; it is no image, either."""
    is_image = isinstance(node, Node) and "multiscales" in node.ome
    if isinstance(node, Node) and (node.is_result or (is_image and key.rsplit("/", 1)[-1].isdecimal())):
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
