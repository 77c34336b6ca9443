"""One image of a Zarr hierarchy: whether it is asked for, and what is said of it where it is broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autodip_zarr.domain import FieldOfPlate, ImageRef, Skipped
from autodip_zarr.errors import HeaderError, SourceError
from autodip_zarr.stores.access.place import Place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, safe_key
from autodip_zarr.stores.zarr.checksums import LAYOUT, manifest_key
from autodip_zarr.stores.zarr.nodes import Node, as_objects, join, read_node

_USUAL_NAME = "denoised"
"""What the group inside an image that holds its denoised version is called, unless somebody chose a name."""


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


def skipped(error: SourceError, source: str) -> Skipped:
    """Return the record of a source that cannot be read, given by its path or URI."""
    reason = str(error).removeprefix(f"{error.where}: ")
    return Skipped(source, reason, is_error=True, at="" if error.where == source else error.where)


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


def lost_if_looked_for(walk: ZarrWalk, key: str) -> Found:
    """Yield what was a result and does not say so any more, where results are looked for."""
    if walk.results and is_asked_for(walk, key):
        yield from lost_result(walk.place, key)


def is_on_the_way(walk: ZarrWalk, key: str) -> bool:
    """Return whether a key lies above or below what is asked for."""
    return walk.only == "" or is_asked_below(walk, key) or is_asked_for(walk, key)


def is_asked_for(walk: ZarrWalk, key: str) -> bool:
    """Return whether a key is, or lies below, what is asked for."""
    return walk.only == "" or f"{key}/".startswith(f"{walk.only}/")


def is_asked_below(walk: ZarrWalk, key: str) -> bool:
    """Return whether what is asked for is a key, or lies below it."""
    return f"{walk.only}/".startswith(f"{key}/")


def image_ref(walk: ZarrWalk, node: Node, index: int, plate: FieldOfPlate | None) -> ImageRef:
    """Return the reference to the image of a group."""
    return ImageRef("ome-zarr", walk.place.uri, node.key, None, index, walk.relative, plate)


def image_of_group(walk: ZarrWalk, node: Node, index: int, plate: FieldOfPlate | None = None) -> Found:
    """Yield an image group, or why it is none."""
    if walk.results:
        yield from _results_of_image(walk, node, index, plate)
        return
    if node.is_result or not is_asked_for(walk, node.key):
        return
    where = walk.place.where(node.key)
    try:
        if "image-label" in node.ome:
            yield Skipped(where, "a label image")
            return
        first = _first_dataset(node, where)
        if read_node(walk.place, join(node.key, first), node.zarr_format) is None:
            raise HeaderError(where, f"its array {first!r} is missing", "an array at every path it names")
    except SourceError as error:
        yield skipped(error, where)
        return
    yield image_ref(walk, node, index, plate)


def _results_of_image(walk: ZarrWalk, node: Node, index: int, plate: FieldOfPlate | None) -> Found:
    """Yield an image that is a result, or else those inside it, which may bear any names."""
    if node.is_result:
        if is_asked_for(walk, node.key):
            yield image_ref(walk, node, index, plate)
        return
    yield from lost_if_looked_for(walk, node.key)
    for key in _groups_inside(walk, node):
        inner = read_node(walk.place, key, node.zarr_format)
        if inner is not None and inner.is_array:
            continue
        if inner is None or not inner.is_result:
            yield from lost_if_looked_for(walk, key)
        elif is_asked_for(walk, key):
            yield image_ref(walk, inner, index, plate)


def _groups_inside(walk: ZarrWalk, node: Node) -> list[str]:
    """Return what may be a result inside an image: its folders beside the arrays and labels."""
    if not walk.place.listable:  # an archive that cannot be listed may hold results by the usual name
        return [join(node.key, _USUAL_NAME)]
    try:
        known = {"labels", _first_dataset(node, "").split("/", 1)[0]}
    except SourceError:  # of a source, which is nothing to complain of where results are looked for
        known = {"labels"}
    names = [name for name, is_folder in walk.place.entries(node.key) if is_folder and name not in known]
    return [join(node.key, name) for name in names]


def _first_dataset(node: Node, where: str) -> str:
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
    within = f"{where}: multiscales[0].datasets"
    paths = [safe_key(item.get("path"), f"{within}[{i}].path") for i, item in enumerate(datasets)]
    return paths[0]


def listed_series(walk: ZarrWalk, node: Node) -> list[str] | None:
    """Return the paths in ``OME``, which are in the order of the images in the OME-XML."""
    ome = read_node(walk.place, join(node.key, "OME"), node.zarr_format)
    series = None if ome is None else ome.ome.get("series")
    if series is None:
        return None
    where = f"{walk.place.where(join(node.key, 'OME'))}: series"
    if not isinstance(series, list):
        raise HeaderError(where, f"found {series!r:.100}", "a list of paths")
    return [safe_key(path, f"{where}[{i}]") for i, path in enumerate(series)]
