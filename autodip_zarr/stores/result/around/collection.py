"""Write what lies around several results in one store: bioformats2raw layouts and plates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autodip_zarr.errors import SourceError, TargetError
from autodip_zarr.stores.access.errors import target_read_errors
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE, join_uri, safe_key
from autodip_zarr.stores.tiff.ome_subset import count_images, subset_ome_xml
from autodip_zarr.stores.zarr.checksums import CHECKSUMS, CONTAINER, checksum, manifest
from autodip_zarr.stores.zarr.documents import group_documents, with_ome, write_documents
from autodip_zarr.stores.zarr.images.texts import OME_XML, read_text
from autodip_zarr.stores.zarr.nodes import Json, Node, ZarrFormat, as_object, as_objects, join, read_node

_LAYOUT: Json = {"bioformats2raw.layout": 3}


@dataclass(frozen=True)
class PlateLayout:
    """What the metadata of a plate says, apart from its images."""

    prefix: str
    """Path of the plate below the root of the store; ``""`` for the root."""
    plate: Mapping[str, object]
    """Attribute ``plate``."""
    wells: Mapping[str, Mapping[str, object]]
    """Attribute ``well`` by path of the well."""
    series: tuple[str, ...]
    """Paths of the fields in the order of the images of the OME-XML."""
    ome_xml: str | None
    """OME-XML of the whole plate."""


def read_plate(uri: str) -> PlateLayout:
    """Return the metadata of a plate, with which `write_plate_layout` mirrors it.

    Parameters
    ----------
    uri : str
        Root of the store.

    Raises
    ------
    HeaderError
        The metadata is broken.
    SourceError
        There is no plate.
    """
    place = open_place(uri)
    node = _plate_node(place)
    plate = as_object(node.ome.get("plate"), f"{place.where(node.key)}: plate")
    where = f"{place.where(node.key)}: plate.wells"
    wells: dict[str, Mapping[str, object]] = {}
    series: list[str] = []
    for index, entry in enumerate(as_objects(plate.get("wells"), where)):
        path = safe_key(entry.get("path"), f"{where}[{index}].path")
        well = read_node(place, join(node.key, path), node.zarr_format)
        if well is None or "well" not in well.ome:
            continue
        wells[path] = as_object(well.ome["well"], f"{place.where(well.key)}: well")
        images = as_objects(wells[path].get("images"), f"{place.where(well.key)}: well.images")
        series.extend(f"{path}/{image.get('path')}" for image in images)
    ome = read_node(place, join(node.key, "OME"), node.zarr_format)
    listed = ome.ome.get("series") if ome is not None else None
    if isinstance(listed, list):
        series = [str(path) for path in listed]
    text = read_text(place, join(node.key, "OME", OME_XML))
    return PlateLayout(node.key, plate, wells, tuple(series), text)


def _plate_node(place: Place) -> Node:
    """Return the group of the plate: the root, or the only top folder of an archive."""
    names = [""]
    if place.is_archive:
        names += [name for name, is_folder in place.entries("") if is_folder]
    for name in names:
        node = read_node(place, name)
        if node is not None and "plate" in node.ome:
            return node
    raise SourceError(place.where(""), "is no plate", "a Zarr group with the attribute plate")


def write_plate_layout(
    root_uri: str, zarr_format: ZarrFormat, layout: PlateLayout, fields: Sequence[str]
) -> None:
    """Write the groups of a plate around some of its fields.

    Rows, columns and acquisitions stay; wells and images are those of `fields`, together with those that an
    earlier run put there. Labels are not mirrored.

    Parameters
    ----------
    root_uri : str
        Root of the store that mirrors the source store.
    zarr_format : {2, 3}
        2 writes OME-Zarr 0.4, 3 writes 0.5.
    layout : PlateLayout
        The plate of the source.
    fields : sequence of str
        Paths of the fields below the root, for example ``A/1/0``.

    Raises
    ------
    TargetError
        Something else is there, or it cannot be written.
    """
    place = open_place(join_uri(root_uri, layout.prefix))
    _refuse_foreign(place)
    wanted = {field.removeprefix(f"{layout.prefix}/") if layout.prefix else field for field in fields}
    wanted |= set(_present(place, layout.series))
    chosen = {path: _images(path, well, wanted) for path, well in layout.wells.items()}
    chosen = {path: images for path, images in chosen.items() if images}
    version = "0.5" if zarr_format == 3 else "0.4"
    documents: dict[str, bytes] = {}
    for path, images in chosen.items():
        well = {**layout.wells[path], "version": version, "images": images}
        documents |= group_documents(path.split("/", 1)[0], zarr_format, {})
        documents |= group_documents(path, zarr_format, with_ome(zarr_format, {"well": well}))
    ome: Json = {"plate": {**_plate(layout, chosen), "version": version}}
    if layout.ome_xml is not None:
        ome |= _LAYOUT
        order = [path for path in layout.series if path in wanted]
        text = _matching(layout.ome_xml, layout.series, order)
        documents |= _ome_documents(zarr_format, order, text)
    _write(place, zarr_format, documents, {**with_ome(zarr_format, ome), **_marker("plate")})


def write_bf2raw_layout(
    root_uri: str, zarr_format: ZarrFormat, series: Sequence[str], ome_xml: str | None
) -> None:
    """Write the groups around several images of one file: a bioformats2raw layout.

    Parameters
    ----------
    root_uri : str
        Root of the store.
    zarr_format : {2, 3}
        2 writes OME-Zarr 0.4, 3 writes 0.5.
    series : sequence of str
        Paths of the image groups below the root. Those that an earlier run put there are kept.
    ome_xml : str or None
        OME-XML of the source. Where the result has fewer images, and their paths are the numbers of those
        of the source, the others are cut out of it; where they cannot be told apart it is not written.

    Raises
    ------
    TargetError
        Something else is there, or it cannot be written.
    """
    place = open_place(root_uri)
    _refuse_foreign(place)
    paths = list(dict.fromkeys([*_listed(place), *series]))
    if all(path.isdecimal() for path in paths):
        paths.sort(key=int)
    documents: dict[str, bytes] = {}
    for path in paths:
        for depth in range(1, len(path.split("/"))):
            documents |= group_documents("/".join(path.split("/")[:depth]), zarr_format, {})
    text = None
    if ome_xml is not None:
        count = count_images(ome_xml)
        known = [str(index) for index in range(count)]
        text = ome_xml if len(paths) == count else _matching(ome_xml, known, paths)
    documents |= _ome_documents(zarr_format, paths, text)
    _write(place, zarr_format, documents, {**with_ome(zarr_format, _LAYOUT), **_marker("bioformats2raw")})


def _marker(layout: str) -> Json:
    return {RESULT_ATTRIBUTE: {"layout": layout, "checksums": "sha256"}}


def _write(
    place: Place, zarr_format: ZarrFormat, documents: Mapping[str, bytes], attributes: Mapping[str, object]
) -> None:
    """Write documents around results, the root last, and their checksums before them."""
    around = {**group_documents(RESULT_ATTRIBUTE, zarr_format, {}), **documents}
    around |= group_documents(CHECKSUMS, zarr_format, {})
    around |= group_documents("", zarr_format, attributes)
    objects = {key: checksum(one, keep=not key.endswith(OME_XML)) for key, one in around.items()}
    write_documents(place, {**manifest(CONTAINER, objects), **around})


def _matching(ome_xml: str, series: Sequence[str], order: Sequence[str]) -> str | None:
    """Return the OME-XML of some images of a series, ``None`` where they cannot be told apart."""
    number = {path: index for index, path in enumerate(series)}
    if len(series) != count_images(ome_xml) or any(path not in number for path in order):
        return None
    return subset_ome_xml(ome_xml, [number[path] for path in order])


def _ome_documents(zarr_format: ZarrFormat, series: Sequence[str], ome_xml: str | None) -> dict[str, bytes]:
    documents = group_documents("OME", zarr_format, with_ome(zarr_format, {"series": list(series)}))
    if ome_xml is not None:
        documents[join("OME", OME_XML)] = ome_xml.encode()
    return documents


def _listed(place: Place) -> list[str]:
    """Return the images that an earlier run listed and that are still there."""
    with target_read_errors():
        ome = read_node(place, "OME")
    series = ome.ome.get("series") if ome is not None else None
    return _present(place, [str(path) for path in series]) if isinstance(series, list) else []


def _present(place: Place, paths: Sequence[str]) -> list[str]:
    found: list[str] = []
    for path in paths:
        try:
            node = read_node(place, safe_key(path, place.where("")))
        except SourceError:  # a broken result is not listed again, nor a path that leaves the store
            continue
        if node is not None and node.is_result:
            found.append(path)
    return found


def _refuse_foreign(place: Place) -> None:
    with target_read_errors():
        node = read_node(place, "")
    if node is not None and not node.is_result:
        hint = "choose another target; only what this program wrote is ever replaced"
        raise TargetError(place.where(""), "holds something else already", "nothing there", hint)


def _images(path: str, well: Mapping[str, object], wanted: set[str]) -> list[Json]:
    images = well.get("images")
    entries = [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    return [image for image in entries if f"{path}/{image.get('path')}" in wanted]


def _plate(layout: PlateLayout, chosen: Mapping[str, Sequence[Json]]) -> Json:
    """Return the attribute ``plate`` with the chosen wells alone."""
    entries = layout.plate.get("wells")
    wells = [dict(well) for well in entries if isinstance(well, dict)] if isinstance(entries, list) else []
    kept = [well for well in wells if str(well.get("path")).rstrip("/") in chosen]
    for well in kept:
        row, _, column = str(well["path"]).rstrip("/").partition("/")
        for key, names, name in (("rowIndex", "rows", row), ("columnIndex", "columns", column)):
            known = _names(layout.plate.get(names))
            if key not in well and name in known:  # before version 0.4 the path alone told
                well[key] = known.index(name)
    most = max((len(images) for images in chosen.values()), default=0)
    plate = {"name": "plate", **layout.plate, "wells": kept, "field_count": max(most, 1)}
    acquisitions = plate.get("acquisitions")
    if isinstance(acquisitions, list):  # what the strict schema wants besides the id
        plate["acquisitions"] = [
            {"name": str(one.get("id")), "maximumfieldcount": max(most, 1), **one}
            if isinstance(one, dict)
            else one
            for one in acquisitions
        ]
    return plate


def _names(entries: object) -> list[object]:
    return (
        [entry.get("name") for entry in entries if isinstance(entry, dict)]
        if isinstance(entries, list)
        else []
    )
