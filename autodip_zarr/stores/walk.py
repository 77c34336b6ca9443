"""Find images: any mix of files, folders and URIs becomes image references, in a fixed order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autodip_zarr.domain import ImageRef, Skipped
from autodip_zarr.errors import SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.credentials import conceal
from autodip_zarr.stores.access.local.local_place import LocalPlace
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, is_zip, join_uri, split_uri
from autodip_zarr.stores.other_formats import is_picture_name, vendor_ending
from autodip_zarr.stores.tiff.export import exported_digest
from autodip_zarr.stores.tiff.files import (
    MissingHeaderError,
    describes_plain_tiff,
    is_document_name,
    is_nameless,
    is_tiff_content,
    is_tiff_name,
    lies_beside_tiff,
    read_tiff_source,
)
from autodip_zarr.stores.zarr.images.found_images import Found, ZarrWalk, lost_result, skipped
from autodip_zarr.stores.zarr.images.walk import walk_zarr
from autodip_zarr.stores.zarr.nodes import Node, group_above, join, read_node

_NAMED = 3
"""Files that a line names."""

_NO_IMAGE = "an OME-Zarr image, plate or collection, an OME-TIFF file, or a folder of these"


@dataclass(frozen=True)
class _Walk:
    """What one call remembers from source to source."""

    results: bool
    """Look for results of this program instead of images."""
    members: set[str] = field(default_factory=set)
    """TIFF files that belong to a set already counted."""
    folders: set[tuple[int, int]] = field(default_factory=set)
    """Folders already seen, so that links do not lead in a circle."""
    headerless: dict[str, list[str]] = field(default_factory=dict)
    """TIFF files in the source at hand whose header stands in a file that is missing, by that file."""
    passed: Counter[str] = field(default_factory=Counter)
    """Files of other formats in the source at hand, by the end of their names."""


def walk(sources: Sequence[str]) -> Iterator[ImageRef | Skipped]:
    """Yield every image in some files, folders and URIs, and what cannot be read.

    Parameters
    ----------
    sources : sequence of str
        Paths and URIs: OME-TIFF files, OME-Zarr groups, zipped stores, and folders or buckets of these.

    Yields
    ------
    ImageRef or Skipped
        In the order of the sources, sorted by name within each. An image is yielded once even if
        several sources lead to it. Label images and earlier results of this program are left out.
    """
    yield from _walk(sources, _Walk(results=False))


def walk_results(sources: Sequence[str]) -> Iterator[ImageRef | Skipped]:
    """Yield every result of this program in some folders and URIs, also those written back into sources."""
    yield from _walk(sources, _Walk(results=True))


def _walk(sources: Sequence[str], state: _Walk) -> Found:
    seen: set[tuple[str, str, int | None]] = set()
    for source in map(conceal, sources):
        state.folders.clear()
        state.passed.clear()
        state.headerless.clear()
        empty = True
        for item in _source(source, state):
            empty = False
            if isinstance(item, ImageRef):
                identity = (item.uri, item.group, item.series)
                if identity in seen:
                    continue
                seen.add(identity)
            yield item
        for where, files in state.headerless.items():
            empty = False
            yield Skipped(where, _missing_header(files), is_error=True)
        if state.passed:
            yield Skipped(public_uri(source), _passed_over(state.passed))
        if empty:
            yield from _nothing(source, state)


def _missing_header(files: Sequence[str]) -> str:
    """Say whose header is missing, in one line for all files of a set."""
    names = ", ".join(split_uri(one)[1] for one in files[:_NAMED])
    rest = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    count = "a TIFF file" if len(files) == 1 else f"{len(files)} TIFF files"
    return f"is missing; expected the file with the header of {count}: {names}{rest}"


def _passed_over(passed: Counter[str]) -> str:
    """Say which files of other formats were met, and what can be done with them."""
    pictures = {end: count for end, count in passed.items() if is_picture_name(end)}
    vendors = {end: count for end, count in passed.items() if end not in pictures}
    parts = []
    if vendors:
        parts.append(f"{_counted(vendors)} (convert them with bioformats2raw)")
    if pictures:
        parts.append(f"{_counted(pictures)} (name the files to denoise them)")
    return f"passed over: {'; '.join(parts)}"


def _counted(passed: Mapping[str, int]) -> str:
    return ", ".join(
        f"{count} {end}" for end, count in sorted(passed.items(), key=lambda one: (-one[1], one[0]))
    )


def _nothing(source: str, state: _Walk) -> Found:
    """Say why a source holds no image."""
    if not state.results:
        again = _Walk(results=True)
        if any(isinstance(item, ImageRef) for item in _source(source, again)):
            yield Skipped(public_uri(source), "holds only results of this program")
            return
        if is_tiff_name(source) or is_document_name(source):  # its set was counted with another file
            return
    what = "holds no result of this program" if state.results else f"holds no image; expected {_NO_IMAGE}"
    yield Skipped(public_uri(source), what, is_error=True)


def _source(source: str, state: _Walk) -> Found:
    try:
        place = open_place(source)
        if isinstance(place, LocalPlace):
            yield from _local(place, state)
        else:
            yield from _remote(place, state)
    except SourceError as error:
        yield skipped(error, public_uri(source))


def _local(place: LocalPlace, state: _Walk) -> Found:
    path = Path(place.uri)
    if path.is_file():
        if is_tiff_name(path.name) or is_tiff_content(place.uri) or is_document_name(path.name):
            yield from _tiff(place.uri, path.name, state)
        elif is_picture_name(path.name) and not state.results:
            yield ImageRef("picture", place.uri, "", None, 0, path.name)
        else:
            hint = "; convert it with bioformats2raw" if vendor_ending(path.name) else ""
            yield Skipped(place.uri, f"is no image; expected {_NO_IMAGE}{hint}", is_error=True)
    elif path.is_dir():
        yield from _folder(place, state)
    else:
        yield Skipped(place.uri, "is missing; check the path", is_error=True)


def _remote(place: Place, state: _Walk) -> Found:
    name = split_uri(public_uri(place.uri))[1]
    if is_tiff_name(name) or is_document_name(name):
        yield from _tiff(place.uri, name, state)
    elif place.is_archive:
        yield from _below(place, "", ZarrWalk(place, name, results=state.results), state)
    else:
        yield from _folder(place, state)


def _folder(place: Place, state: _Walk) -> Found:
    """Walk a folder that may be, or lie inside, a Zarr store."""
    node = read_node(place, "")
    if node is None:
        if not place.listable:
            hint = "over http the address must be that of an image, a plate or a bioformats2raw root"
            yield Skipped(place.where(""), f"holds no Zarr metadata; {hint}", is_error=True)
        else:
            yield from _below(place, "", None, state)
        return
    if node.is_array:
        reason = "is a Zarr array; name the OME-Zarr image that it belongs to"
        yield Skipped(place.where(""), reason, is_error=True)
        return
    root, only = _climb(place)
    yield from walk_zarr(ZarrWalk(root, split_uri(public_uri(root.uri))[1], only, state.results), "")


def _climb(place: Place) -> tuple[Place, str]:
    """Return the root of the hierarchy that a group lies in, and the group's key there.

    The header of the whole acquisition, plate and consolidated metadata are found at the root.
    """
    root, only = place, ""
    try:
        while (above := group_above(root)) is not None:
            root, name = above
            only = join(name, only)
    except SourceError:  # what lies above the named group need not be readable
        return root, only
    return root, only


def _below(place: Place, start: str, archive: ZarrWalk | None, state: _Walk) -> Found:
    """Walk a folder of files, stores and folders, depth first in the order of their names."""
    remaining: list[tuple[str, bool]] = [(start, True)]
    while remaining:
        key, is_folder = remaining.pop()
        try:
            if not is_folder:
                yield from _file(place, key, state)
                continue
            if _seen(place, key, state):
                continue
            node = read_node(place, key)
            if node is not None:
                yield from _store(place, key, node, archive, state)
                continue
            entries = place.entries(key)
            if state.results and (RESULT_ATTRIBUTE, True) in entries:
                yield from lost_result(place, key)
        except SourceError as error:
            yield skipped(error, place.where(key))
            continue
        visible = [(name, kind) for name, kind in entries if not name.startswith(".")]
        visible.sort(
            key=lambda entry: entry[1] or not is_document_name(entry[0])
        )  # before the files that they describe
        remaining.extend((join(key, name), kind) for name, kind in reversed(visible))


def _seen(place: Place, key: str, state: _Walk) -> bool:
    if not isinstance(place, LocalPlace):
        return False
    path = place.where(key)
    try:
        status = Path(path).stat()
    except OSError as error:  # it was deleted since its folder was listed
        raise SourceError(path, f"cannot be listed: {error_message(error)}") from error
    identity = (status.st_dev, status.st_ino)
    known = identity in state.folders
    state.folders.add(identity)
    return known


def _store(place: Place, key: str, node: Node, archive: ZarrWalk | None, state: _Walk) -> Found:
    if node.is_array:
        return
    if archive is not None:
        yield from walk_zarr(archive, key)
    else:
        root = place.child(key) if key else place
        yield from walk_zarr(ZarrWalk(root, key, results=state.results), "")


def _file(place: Place, key: str, state: _Walk) -> Found:
    if place.is_archive:
        return
    ending = vendor_ending(key)
    if ending is not None and not state.results:
        state.passed[ending] += 1
    elif is_picture_name(key) and not state.results:
        state.passed[f".{key.rpartition('.')[2].lower()}"] += 1
    elif is_document_name(key):
        yield from _document(join_uri(place.uri, key), key, state)
    elif is_tiff_name(key) or (not state.results and _is_nameless_tiff(place, key)):
        yield from _tiff(join_uri(place.uri, key), key, state)
    elif is_zip(key):
        try:
            archive = open_place(join_uri(place.uri, key))
        except SourceError:
            if key.lower().endswith(".zip") and ".zarr" not in key.lower():
                return  # an archive of something else
            raise
        yield from _below(archive, "", ZarrWalk(archive, key, results=state.results), state)


def _is_nameless_tiff(place: Place, key: str) -> bool:
    """Return whether a file whose name tells nothing is TIFF: four bytes of it, which cost nothing here."""
    return isinstance(place, LocalPlace) and is_nameless(key) and is_tiff_content(join_uri(place.uri, key))


def _document(uri: str, relative: str, state: _Walk) -> Found:
    """Yield the images of TIFF files without headers which an OME-XML document beside them describes."""
    try:
        is_header = not state.results and describes_plain_tiff(uri)
    except SourceError as error:
        if not lies_beside_tiff(uri):
            return
        yield Skipped(
            public_uri(uri), f"{error.found}; TIFF files beside it are read without it", at=error.where
        )
        return
    if is_header:
        yield from _tiff(uri, relative, state)


def _tiff(uri: str, relative: str, state: _Walk) -> Found:
    """Yield the images of a TIFF file, unless its set was counted with another file."""
    if state.results or uri in state.members:
        return
    try:
        source = read_tiff_source(uri)
    except MissingHeaderError as error:
        state.headerless.setdefault(error.where, []).append(uri)
        return
    except SourceError as error:
        yield skipped(error, public_uri(uri))
        return
    if uri in state.members or not source.members.isdisjoint(state.members):
        return
    state.members.update(source.members, {uri})
    if source.text is not None and exported_digest(source.text) is not None:
        yield Skipped(public_uri(uri), "is a result of this program, exported")
        return
    if source.refusal is not None:
        yield Skipped(public_uri(uri), f"is {source.refusal}")
    elif not source.images:
        yield Skipped(public_uri(uri), "its header describes no image", is_error=True)
    several = len(source.images) > 1
    for index in range(len(source.images)):
        yield ImageRef("ome-tiff", uri, "", index if several else None, index, relative)
