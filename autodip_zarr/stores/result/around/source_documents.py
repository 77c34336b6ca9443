"""Entries of a result in the documents of its source store: in its well, and in consolidated metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, safe_key, split_uri
from autodip_zarr.stores.zarr.nodes import Json, join

_CONSOLIDATED = "consolidated_metadata"


def enter_in_well(attributes: object, entry: Json) -> None:
    """List an image in the attributes of a well, unless it is listed there."""
    images = _well_images(attributes)
    if images is not None and all(_path(image) != entry["path"] for image in images):
        images.append(dict(entry))


def enter_in_consolidated(
    document: Json, below: str, members: Mapping[str, Json], entry: Json | None
) -> None:
    """Enter a result in a document, where that is consolidated metadata.

    Parameters
    ----------
    document : dict
        The document, which is changed.
    below : str
        Key of the result below the group of the document.
    members : mapping
        Documents of the result's own groups and arrays, by key below the result.
    entry : dict or None
        What the well of the result lists; ``None`` outside plates.
    """
    entries = _consolidated_entries(document)
    if entries is None:
        return
    known = entries | {join(below, key): content for key, content in members.items()}
    entries.clear()
    # zarr-python reads consolidated metadata only where the members of a group follow one another
    entries.update((key, known[key]) for key in sorted(known, key=lambda key: key.split("/")))
    if entry is not None:
        enter_in_well(_well_attributes(entries, below), entry)


def take_out(document: Json, below: str) -> None:
    """Remove whatever names a result from a document."""
    name = split_uri(below)[1]
    lists = []
    if name == below:
        lists += [_well_images(document), _well_images(document.get("attributes"))]
    entries = _consolidated_entries(document)
    if entries is not None:
        for key in [key for key in entries if f"{key}/".startswith(f"{below}/")]:
            del entries[key]
        lists.append(_well_images(_well_attributes(entries, below)))
    for images in lists:
        if images is not None:
            images[:] = [image for image in images if _path(image) != name]


def other_results(document: Json, below: str) -> Iterator[str]:
    """Yield the keys of other results that a document names."""
    images = _well_images(document) or _well_images(document.get("attributes")) or []
    for image in images:
        path = _path(image)
        if isinstance(path, str) and path != below and "/" not in path and path not in ("", ".", ".."):
            yield path
    for key, entry in (_consolidated_entries(document) or {}).items():
        attributes = entry.get("attributes", entry) if isinstance(entry, dict) else {}
        path = key.removesuffix("/.zattrs")
        if path != below and isinstance(attributes, dict) and RESULT_ATTRIBUTE in attributes:
            yield safe_key(path, key)


def _consolidated_entries(document: Json) -> Json | None:
    """Return the entries of consolidated metadata of either format, ``None`` where there is none."""
    inner = document.get(_CONSOLIDATED)
    entries = inner.get("metadata") if isinstance(inner, dict) else None
    if entries is None and "zarr_consolidated_format" in document:
        entries = document.get("metadata")
    return entries if isinstance(entries, dict) else None


def _well_attributes(entries: Json, below: str) -> object:
    """Return the attributes of the well above a result, as consolidated metadata repeats them."""
    well = split_uri(below)[0]
    if join(well, ".zattrs") in entries:
        return entries[join(well, ".zattrs")]
    node = entries.get(well)
    return node.get("attributes") if isinstance(node, dict) else None


def _well_images(attributes: object) -> list[object] | None:
    """Return the list of images in the attributes of a well."""
    if not isinstance(attributes, dict):
        return None
    inner = attributes.get("ome")
    well = (inner if isinstance(inner, dict) else attributes).get("well")
    images = well.get("images") if isinstance(well, dict) else None
    return images if isinstance(images, list) else None


def _path(image: object) -> object:
    return image.get("path") if isinstance(image, dict) else None
