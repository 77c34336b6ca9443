"""TIFF files and multi-file sets: opened without following file names, and read as far as the headers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

from autodip_zarr.domain import Fingerprint
from autodip_zarr.errors import AutodipError, HeaderError, SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.regular_files import open_regular
from autodip_zarr.stores.access.errors import METADATA_LIMIT
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.remote.filesystems import open_remote_file
from autodip_zarr.stores.access.uris import is_remote, local_path, split_uri
from autodip_zarr.stores.tiff.chain import refuse_circle
from autodip_zarr.stores.tiff.images import OmeFile, PageRun, TiffSource
from autodip_zarr.stores.tiff.ome_xml import is_ome_xml, parse_ome
from autodip_zarr.stores.tiff.plain.source import plain_source
from autodip_zarr.stores.zarr.images.texts import read_text

_TIFF_SUFFIXES = (".tif", ".tiff", ".ome.tf2", ".ome.tf8", ".ome.btf", ".lsm", ".stk")
"""Names of TIFF files that may be images end so."""

_DOCUMENT_SUFFIXES = (".ome.xml", ".companion.ome", ".ome")
"""Names of OME-XML documents beside TIFF files end so."""

_LOOKED_AT = 3
"""Members of a set that are looked for, to see whether it is there."""

_SILENT = logging.NullHandler()

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BLOCK_BYTES = 1024 * 1024

_PLAIN_ONLY: dict[str, Any] = {"is_ome": False, "is_mmstack": False, "is_ndtiff": False, "_multifile": False}
"""Keeps tifffile from following file names found in the header: they are resolved, and confined, here."""


def is_tiff_name(name: str) -> bool:
    """Return whether a file is named like a TIFF that may be an image."""
    return name.lower().endswith(_TIFF_SUFFIXES)


def is_document_name(name: str) -> bool:
    """Return whether a file is named like an OME-XML document that may be the header of TIFF files."""
    return name.lower().endswith(_DOCUMENT_SUFFIXES)


class MissingHeaderError(HeaderError):
    """The file that a TIFF names for its header is not there."""


def is_nameless(name: str) -> bool:
    """Return whether the end of the name of a file tells no format: there is none, or no letter in it."""
    base = name.rpartition("/")[2]
    return not any(letter.isalpha() for letter in base.rpartition(".")[2]) if "." in base else True


def is_tiff_content(path: str) -> bool:
    """Return whether a local file begins as TIFF files do, whatever its name."""
    try:
        with open_regular(path) as file:
            return file.read(4) in _MAGIC
    except OSError:
        return False


@contextmanager
def open_tiff(uri: str, fingerprint: Fingerprint | None = None) -> Iterator[Any]:
    """Open one TIFF file, local or remote, without following what its header names.

    Parameters
    ----------
    uri : str
        Path or URI.
    fingerprint : Fingerprint, optional
        Its state, where that is known: a server is not asked for its size again.

    Raises
    ------
    SourceError
        It is missing, cannot be read or is no TIFF file.
    """
    import tifffile  # noqa: PLC0415

    # its remarks about odd files are for who asks for them by a handler, not for standard error
    logging.getLogger("tifffile").addHandler(_SILENT)
    try:
        if is_remote(uri):
            # small blocks: pages are read here and there, not from end to end
            with (
                open_remote_file(
                    uri, _BLOCK_BYTES, None if fingerprint is None else fingerprint.size_bytes
                ) as file,
                tifffile.TiffFile(file, **_PLAIN_ONLY) as tif,
            ):
                yield tif
        else:
            with open_regular(local_path(uri)) as file, tifffile.TiffFile(file, **_PLAIN_ONLY) as tif:
                yield tif
    except AutodipError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # tifffile meets broken files with errors of every kind
        raise SourceError(public_uri(uri), f"cannot be read as TIFF: {error_message(error)}") from error


def member_uri(uri: str, name: str) -> str:
    """Return the path or URI of a file beside another."""
    return f"{split_uri(uri)[0]}/{name}"


def tiff_place(uri: str) -> tuple[Place, str]:
    """Return the folder of a file and its name there."""
    parent, name = split_uri(uri)
    return open_place(parent or "/"), name


def read_tiff_source(uri: str, fingerprint: Fingerprint | None = None) -> TiffSource:
    """Return the images of a TIFF file or of the set it belongs to, without reading a pixel.

    Parameters
    ----------
    uri : str
        Path or URI.
    fingerprint : Fingerprint, optional
        State of the file, where that is known.

    Raises
    ------
    HeaderError
        The header is broken or hostile.
    SourceError
        The file is missing, cannot be read or is no TIFF file.
    """
    if is_document_name(uri):
        return _of_document(uri)
    first = _first_page(uri, fingerprint or tiff_fingerprint(uri))
    return first if isinstance(first, TiffSource) else _from_header(uri, first)


def read_ome_xml_text(uri: str) -> str | None:
    """Return the OME-XML of a TIFF file, ``None`` where it has none.

    Raises
    ------
    SourceError
        The file is missing, cannot be read or is no TIFF file.
    """
    if is_document_name(uri):
        return read_tiff_source(uri).text
    first = _first_page(uri, tiff_fingerprint(uri))
    return first if isinstance(first, str) else None


def tiff_fingerprint(uri: str) -> Fingerprint | None:
    """Return the state of a file, ``None`` where there is none."""
    place, name = tiff_place(uri)
    return place.stat(name)


@lru_cache(maxsize=16)
def _first_page(uri: str, fingerprint: Fingerprint | None) -> TiffSource | str:
    """Return the OME-XML of a file, or the images of a file that has none; unchanged files are read once."""
    with open_tiff(uri, fingerprint) as tif:
        if not tif.pages:
            raise HeaderError(public_uri(uri), "has no page", "an image")
        text = _description(tif.pages[0], uri)
        if is_ome_xml(text):
            return text
        refuse_circle(tif, public_uri(uri))
        return plain_source(tif, uri)


def _description(page: Any, uri: str) -> str:  # noqa: ANN401
    tag = page.tags.get(270)
    if tag is not None and tag.count > METADATA_LIMIT:
        raise HeaderError(f"{public_uri(uri)}: ImageDescription", f"is larger than {METADATA_LIMIT:,} bytes")
    value = tag.value if tag is not None else ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip("\x00 \r\n\t\ufeff")


def _from_header(uri: str, text: str) -> TiffSource:
    place, own_name = tiff_place(uri)
    source = public_uri(uri)
    header = _parsed(text, f"{source}: ImageDescription", own_name)
    if header.metadata_file is not None:
        folder = header.metadata_file.rpartition("/")[0]
        text, source = _companion(uri, header.metadata_file)
        header = _seen_from(text, source, own_name, folder)
        if folder and None not in {run.file for run in header.runs}:  # it names files as if they lay with it
            header = _seen_from(text, source, own_name, "")
    elif _is_renamed(header, place):
        header = _own_file_only(text, source, own_name)
    elif original := _copied_from(header, uri):
        refusal = f"a copy: its header says that its planes lie in {original!r}, which is read itself"
        return TiffSource((), text, source, frozenset(), refusal)
    if header.unnamed:
        header = _named(header, uri, source)
    members = frozenset(member_uri(uri, name) for name in header.members)
    return TiffSource(header.images, text, source, members)


def _of_document(uri: str) -> TiffSource:
    """Return the images that an OME-XML document describes, which lie in the TIFF files beside it."""
    place, own_name = tiff_place(uri)
    where = public_uri(uri)
    text = (read_text(place, own_name) or "").strip("\x00 \r\n\t\ufeff")
    if not is_ome_xml(text):
        raise HeaderError(where, "holds no OME-XML", "the header of TIFF files beside it")
    header = _parsed(text, where, own_name)
    if header.metadata_file is not None:
        raise HeaderError(where, "is BinaryOnly itself", "the header of TIFF files beside it")
    if header.unnamed:
        header = _named(header, uri, where)
    if any(run.file is None for run in header.runs):
        name = _of_same_name(place, own_name, where)
        header = _map_runs(header, lambda run: replace(run, file=name) if run.file is None else run)
        _check_pages(header, member_uri(uri, name), where)
    members = frozenset(member_uri(uri, name) for name in header.members)
    return TiffSource(header.images, text, where, members)


def _of_same_name(place: Place, own_name: str, where: str) -> str:
    """Return the TIFF file beside a document that names none, known by its name."""
    stem = next(own_name[: -len(end)] for end in _DOCUMENT_SUFFIXES if own_name.lower().endswith(end))
    for end in (".tif", ".tiff", ".ome.tif", ".ome.tiff"):
        if place.stat(stem + end) is not None:
            return stem + end
    raise HeaderError(where, "names no TIFF file for its planes", f"a FileName, or {stem}.tif beside it")


def _check_pages(header: OmeFile, uri: str, where: str) -> None:
    """Refuse a document that names no file where the one of its name has another number of pages."""
    sizes = [(image.sizes, image.samples) for image in header.images]
    planes = sum(size["t"] * size["z"] * size["c"] // samples for size, samples in sizes)
    with open_tiff(uri) as tif:
        refuse_circle(tif, public_uri(uri))
        pages = len(tif.pages)
    if pages != planes:
        raise HeaderError(where, f"describes {planes} planes", f"the {pages} pages of {public_uri(uri)}")


def describes_plain_tiff(uri: str) -> bool:
    """Return whether an OME-XML document describes TIFF files beside it which have no header of their own.

    Raises
    ------
    SourceError
        It is broken, or does not fit the files.
    """
    place, own_name = tiff_place(uri)
    text = (read_text(place, own_name) or "").strip("\x00 \r\n\t\ufeff")
    if not is_ome_xml(text):
        return False
    header = _parsed(text, public_uri(uri), own_name)
    names = sorted(header.members)[:_LOOKED_AT]
    if not names and not header.unnamed and header.metadata_file is None:
        try:
            names = [_of_same_name(place, own_name, public_uri(uri))]
        except HeaderError:
            return False
    there = next((name for name in names if place.stat(name) is not None), None)
    if there is None or is_document_name(there):
        return False
    is_plain = isinstance(_first_page(member_uri(uri, there), place.stat(there)), TiffSource)
    return is_plain and len(_of_document(uri).images) > 0


def lies_beside_tiff(uri: str) -> bool:
    """Return whether there is a TIFF file in the folder of a file."""
    return any(is_tiff_name(name) for name, is_folder in tiff_place(uri)[0].entries("") if not is_folder)


def _companion(uri: str, name: str) -> tuple[str, str]:
    """Return the real header of a ``BinaryOnly`` file and where it stands."""
    place, _ = tiff_place(uri)
    where = place.where(name)
    fingerprint = place.stat(name)
    if fingerprint is None:
        raise MissingHeaderError(where, "is missing", f"the file with the header of {public_uri(uri)}")
    if not is_tiff_name(name):
        return (read_text(place, name) or "").strip("\x00 \r\n\t"), where
    first = _first_page(member_uri(uri, name), fingerprint)
    if isinstance(first, TiffSource):
        raise HeaderError(where, "has no OME-XML", f"the header of {public_uri(uri)}")
    return first, where


@lru_cache(maxsize=8)
def _parsed(text: str, where: str, own_name: str) -> OmeFile:
    return parse_ome(text, where, own_name)


@lru_cache(maxsize=8)
def _seen_from(text: str, where: str, own_name: str, folder: str) -> OmeFile:
    """Return a header that stands in another file, with the files named as `own_name` sees them."""
    header_name = split_uri(where)[1]
    header = parse_ome(text, where, header_name, folder)
    if header.metadata_file is not None:
        raise HeaderError(where, "is BinaryOnly itself", "the header that BinaryOnly points to")
    in_tiff = is_tiff_name(header_name)

    def seen(run: PageRun) -> PageRun:
        if run.uuid is not None:
            return run
        file = (header_name if in_tiff else None) if run.file is None else run.file
        return replace(run, file=None if file == own_name else file)

    return _map_runs(header, seen)


def _is_renamed(header: OmeFile, place: Place) -> bool:
    """Return whether all planes are said to lie in one other file that is missing: the old name."""
    files = {(run.file, run.uuid) for run in header.runs}
    if len(files) != 1:
        return False
    file, uuid = next(iter(files))
    if file is not None:
        return place.stat(file) is None
    return uuid is not None and header.uuid is None  # the only file that the header can mean


def _copied_from(header: OmeFile, uri: str) -> str | None:
    """Return the file that a header says all planes lie in, where that file says so of itself."""
    files = {run.file for run in header.runs}
    name = next(iter(files), None)
    if len(files) != 1 or name is None or header.unnamed or not is_tiff_name(name):
        return None
    place, _ = tiff_place(uri)
    text = _first_page(member_uri(uri, name), place.stat(name))
    if isinstance(text, TiffSource):
        return None
    original = _parsed(text, f"{place.where(name)}: ImageDescription", name)
    names_itself = any(run.file is None and run.uuid is None for run in original.runs)
    return name if names_itself and original.metadata_file is None else None


def _named(header: OmeFile, uri: str, where: str) -> OmeFile:
    """Return a header in which files that are known by their identifier alone have their names.

    Raises
    ------
    HeaderError
        No file of the folder has the identifier, or the folder cannot be listed.
    """
    names = _names_by_uuid(uri, header.unnamed)
    missing = sorted(header.unnamed - names.keys())
    if missing:
        found = f"names the file with the identifier {missing[0]!r:.100} and not its name"
        raise HeaderError(where, found, "a FileName, or a TIFF file beside it that has this identifier")

    def named(run: PageRun) -> PageRun:
        return run if run.uuid is None else replace(run, file=names[run.uuid], uuid=None)

    return _map_runs(header, named)


def _names_by_uuid(uri: str, wanted: frozenset[str]) -> dict[str, str]:
    """Look for identifiers in the headers of the TIFF files beside a file, where they can be listed."""
    place, _ = tiff_place(uri)
    found: dict[str, str] = {}
    for name, is_folder in place.entries("") if place.listable else ():
        if is_folder or not is_tiff_name(name) or len(found) == len(wanted):
            continue
        try:
            text = _first_page(member_uri(uri, name), place.stat(name))
            uuid = None if isinstance(text, TiffSource) else _parsed(text, place.where(name), name).uuid
        except SourceError:  # broken, and not a member as far as anyone can tell
            continue
        if uuid in wanted:
            found[uuid] = name
    return found


@lru_cache(maxsize=8)
def _own_file_only(text: str, where: str, own_name: str) -> OmeFile:
    header = parse_ome(text, where, own_name)
    return _map_runs(header, lambda run: replace(run, file=None, uuid=None))


def _map_runs(header: OmeFile, change: Callable[[PageRun], PageRun]) -> OmeFile:
    images = tuple(replace(image, runs=tuple(change(run) for run in image.runs)) for image in header.images)
    return OmeFile(header.uuid, None, images)
