"""Everything that reads what others wrote, each with the errors that it documents."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from hypothesis import strategies as st

from autodip_zarr.domain import Acquisition, Header, ImageRef, MetadataText
from autodip_zarr.errors import HeaderError, OptionError, SourceError, TableError, TargetError
from autodip_zarr.metadata import load_vocabulary
from autodip_zarr.metadata.acquisition import read_acquisition, read_ome_xml
from autodip_zarr.metadata.documents.json_texts import read_json_text
from autodip_zarr.run.results.verify import verify_target
from autodip_zarr.run.scheduling.cluster_file import read_cluster
from autodip_zarr.stores import (
    read_attributes,
    read_failures,
    read_header,
    read_planes,
    read_plate,
    read_record,
    remove_target,
    walk,
    walk_results,
)
from autodip_zarr.stores.tiff.files import read_tiff_source
from autodip_zarr.stores.tiff.ome_subset import count_images, subset_ome_xml
from autodip_zarr.stores.tiff.ome_xml import parse_ome

from ..metadata.values import header as header_with
from ..stores.builders import copy_image, ome_xml, only, pixels, write_image, write_plate, write_series
from .mutations import damaged_bytes, documents, headers, texts, trees
from .typed import (
    CLUSTERS,
    LOCK,
    MAPPINGS,
    PATTERNS,
    RECIPE,
    VOCABULARIES,
    VOCABULARY,
    compare_recipes,
    parse_a_crop,
    parse_a_file,
    parse_a_lock,
    parse_a_mapping,
    parse_a_selection,
    parse_a_table,
    parse_an_address,
    parse_patterns,
    tables,
)

HERE = Path(__file__).resolve().parent
XML_CORPUS = sorted((HERE.parent / "metadata" / "corpus").glob("*.ome.xml"))
PLANE_LIMIT = 10**6


@dataclass(frozen=True)
class Parser:
    """One reader of foreign input."""

    name: str
    """Name, also of its folder in the corpus."""
    inputs: Callable[[], st.SearchStrategy[Any]]
    """Damaged inputs: texts, bytes, or JSON values."""
    read: Callable[[Any], object]
    """Reads one."""
    errors: tuple[type[Exception], ...]
    """What it may raise."""
    share: int
    """Inputs of each hundred thousand."""


def _corpus() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in XML_CORPUS if path.stat().st_size < 8000]


# ---------------------------------------------------------------------------------------- headers


def _ome(content: str) -> None:
    acquisitions = read_ome_xml(MetadataText("ome-xml", "a.ome.xml", content), VOCABULARY)
    for one in acquisitions:
        assert isinstance(one, Acquisition)


def _tiff_header(content: str) -> None:
    found = parse_ome(content, "a.ome.tif", "a.ome.tif")
    for image in found.images:
        for t, c, z in ((0, 0, 0), (image.sizes["t"] - 1, image.sizes["c"] - 1, image.sizes["z"] - 1)):
            try:
                image.locate(t, c, z)
            except SourceError:
                continue


def _subset(content: str) -> None:
    count = count_images(content)
    count_images(subset_ome_xml(content, range(0, count, 2)))


def _ome_texts() -> list[str]:
    data = '<TiffData IFD="0" PlaneCount="2"><UUID FileName="b.ome.tif">urn:uuid:1</UUID></TiffData>'
    plain = [ome_xml([(2, 3, 4, 8, 9)]), ome_xml([(1, 2, 1, 8, 9), (1, 1, 2, 8, 9)], data={0: data})]
    return [*plain, '<OME xmlns="x"><BinaryOnly MetadataFile="b.ome.xml" UUID="urn:uuid:2"/></OME>']


def _beside(kind: Any) -> Callable[[str], None]:
    def read(content: str) -> None:
        text = MetadataText(kind, "a.json", content)
        read_json_text(text, VOCABULARY)
        read_acquisition(header_with((text,), ("DAPI", None)), VOCABULARY)

    return read


def _json_files(pattern: str) -> list[Any]:
    found = []
    for path in sorted((HERE.parent / "metadata" / "corpus").glob(pattern)):
        try:
            found.append(json.loads(path.read_text(encoding="utf-8")))
        except ValueError:
            continue
    return found


ATTRIBUTES = {
    "microscope": {"imaging method": "confocal", "channels": [{"structure": "actin"}, {"dye": "DAPI"}]},
    "ome": {"version": "0.5", "organism": ["human", {"@id": "NCBITaxon_9606"}]},
    "Imaging Method": "two-photon",
}

# ---------------------------------------------------------------------------------------- stores

SHARDED = {
    "zarr_format": 3, "node_type": "array", "shape": [1, 2, 8, 9], "data_type": "uint16", "fill_value": 0,
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 2, 8, 9]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "codecs": [{"name": "sharding_indexed", "configuration": {
        "chunk_shape": [1, 1, 8, 9], "index_location": "end",
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}},
                   {"name": "zstd", "configuration": {"level": 3, "checksum": False}}],
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]}}],
    "attributes": {}, "dimension_names": ["c", "z", "y", "x"], "storage_transformers": [],
}  # fmt: skip


@cache
def _stores() -> list[dict[str, Any]]:
    """Return the documents of some small stores by file name; chunks are left out, and so are empty."""
    folder = Path(tempfile.mkdtemp())
    write_image(
        folder / "a.zarr", pixels((1, 2, 8, 9)), "czyx", 3, {"omero": {"channels": [{"label": "DAPI"}]}}
    )
    write_image(
        folder / "b.zarr", pixels((2, 1, 2, 8, 9)), "tczyx", 2, {"omero": {"channels": [{"color": "FF0000"}]}}
    )
    write_plate(folder / "c.zarr", 3, wells=("A/1",), fields=1)
    write_plate(folder / "d.zarr", 2, wells=("A/1", "B/2"), fields=1)
    write_series(folder / "e.zarr", 3)
    found = [_documents(path) for path in sorted(folder.iterdir())]
    found.append({**found[0], "0/zarr.json": SHARDED})
    shutil.rmtree(folder)
    return found


def _documents(folder: Path) -> dict[str, Any]:
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.name in ("zarr.json", ".zattrs", ".zgroup", ".zarray")
    ]
    return {str(path.relative_to(folder)): json.loads(path.read_text()) for path in files}


def _write(tree: Any, folder: Path) -> None:
    """Write documents; those whose names leave the folder or are no names are left out."""
    if not isinstance(tree, dict):
        (folder / "zarr.json").write_text(json.dumps(tree))
        return
    for name, document in tree.items():
        path = folder / name
        if (
            name in ("", ".")
            or ".." in name
            or name.startswith("/")
            or not name.isprintable()
            or len(name) > 200
        ):
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document))
        except (OSError, ValueError):
            continue


def _store(tree: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "x.zarr"
        folder.mkdir()
        _write(tree, folder)
        errors = []
        for item in walk([str(folder)]):
            if not isinstance(item, ImageRef):
                continue
            try:
                _read_image(item)
            except SourceError as error:
                errors.append(error)
        try:
            read_plate(str(folder))
        except SourceError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _read_image(ref: ImageRef) -> None:
    header = read_header(ref)
    assert ".." not in header.levels[0].path
    read_acquisition(header, VOCABULARY)
    _read_a_plane(header)


def _read_a_plane(header: Header) -> None:
    if (
        header.size("y") * header.size("x") <= PLANE_LIMIT
        and np.prod(header.chunk, dtype=float) <= PLANE_LIMIT
    ):
        read_planes(header, 0, [(0, 0)])


@cache
def _results() -> list[dict[str, Any]]:
    """Return the documents of a result, some of whose planes failed, and of one that was written back."""
    folder = Path(tempfile.mkdtemp())
    source = write_image(folder / "x.zarr", pixels((1, 2, 8, 9)), "czyx", 3)
    copy_image(read_header(only(source)), str(folder / "out"), 3)
    copy_image(read_header(only(source)), str(source / "denoised"), 3)
    result, whole = _documents(folder / "out"), _documents(source)
    shutil.rmtree(folder)
    recipe = {
        "source": {"uri": "x", "plate": None},
        "channels": [{"index": 0, "treatment": "denoised"}],
        "seed": 0,
    }
    run = {"started": "2026-01-01", "layout": {"block": [1, 2], "chunk": [1, 1, 8, 9], "shard": [1, 2, 8, 9]}}
    autodip = {"schema": 1, "status": "partial", "recipe": recipe, "run": run}
    result["zarr.json"]["attributes"]["autodip"] = autodip
    result["autodip/failures/0-0-0.json"] = {"c": 0, "t": [0, 1], "z": [0, 2], "reason": "why"}
    whole["denoised/autodip/pristine/zarr.json"] = {
        "zarr_format": 3, "node_type": "group", "attributes": {"files": {"../zarr.json": "eJyrrgUAAXUA+Q=="}},
    }  # fmt: skip
    return [result, whole]


def _result(tree: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        beside = Path(name) / "beside"
        beside.mkdir()
        (beside / "kept").write_text("kept")
        folder = Path(name) / "x.zarr"
        folder.mkdir()
        _write(tree, folder)
        verify_target(str(folder))
        errors = []
        found = [item.source for item in walk_results([str(folder)]) if isinstance(item, ImageRef)]
        for target in found or [str(folder)]:
            for read in (read_attributes, read_record, read_failures, remove_target):
                try:
                    read(target)
                except TargetError as error:
                    errors.append(error)
        assert (beside / "kept").read_text() == "kept"
        assert len(list(Path(name).iterdir())) <= 2
    if errors:
        raise errors[0]


@cache
def _tiffs() -> list[bytes]:
    folder = Path(tempfile.mkdtemp())
    text = ome_xml([(1, 1, 3, 8, 9)]).encode()
    plain: dict[str, Any] = {"photometric": "minisblack", "metadata": None, "ome": False}
    tifffile.imwrite(folder / "a.tif", pixels((3, 8, 9)), description=text, **plain)
    tifffile.imwrite(folder / "b.tif", pixels((2, 32, 32)), tile=(16, 16), compression="zlib", **plain)
    tifffile.imwrite(folder / "c.tif", pixels((2, 3, 8, 9)), imagej=True, metadata={"axes": "TZYX"})
    tifffile.imwrite(folder / "d.tif", pixels((3, 8, 9)), bigtiff=True, description=text, **plain)
    found = [path.read_bytes() for path in sorted(folder.iterdir())]
    shutil.rmtree(folder)
    return found


def _tiff(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.tif"
        path.write_bytes(content)
        for index in range(min(len(read_tiff_source(str(path)).images), 4)):
            header = read_header(ImageRef("ome-tiff", str(path), "", index, index, "x.tif"))
            _read_a_plane(header)


ONLY_HEADERS = (HeaderError,)


PARSERS = (
    Parser("ome_xml", lambda: headers(_corpus()), _ome, ONLY_HEADERS, 9000),
    Parser("tiff_ome_xml", lambda: headers([*_ome_texts(), *_corpus()[:8]]), _tiff_header,
           ONLY_HEADERS, 10000),
    Parser("ome_xml_subset", lambda: headers(_ome_texts()), _subset, ONLY_HEADERS, 6000),
    Parser("ro_crate", lambda: documents(_json_files("*.ro-crate.json")), _beside("ro-crate-json"), (), 6000),
    Parser("attributes", lambda: documents([ATTRIBUTES, *_json_files("*.zattrs.json")]),
           _beside("zarr-attributes-json"), (), 6000),
    Parser("omero", lambda: documents([{"channels": [{"label": "DAPI", "color": "FF0000"}], "name": "x"}]),
           _beside("omero-json"), (), 4000),
    Parser("zarr_store", lambda: trees(_stores()), _store, (SourceError,), 9000),
    Parser("result", lambda: trees(_results()), _result, (TargetError,), 4000),
    Parser("tiff", lambda: damaged_bytes(_tiffs()), _tiff, (SourceError, MemoryError), 9000),
    Parser("mapping", lambda: texts(MAPPINGS), parse_a_mapping, (OptionError,), 8000),
    Parser("patterns", lambda: texts(PATTERNS), parse_patterns, (OptionError,), 6000),
    Parser("vocabulary", lambda: texts(VOCABULARIES), parse_a_file(lambda path: load_vocabulary(Path(path))),
           (TableError,), 3000),
    Parser("table", lambda: documents(tables()), parse_a_table, (TableError,), 6000),
    Parser("cluster", lambda: texts(CLUSTERS), parse_a_file(read_cluster), (OptionError,), 5000),
    Parser("selection", lambda: texts(["0,3:7,-1", "A01,B*", "DAPI,2", "0:3,fov*"]), parse_a_selection,
           (OptionError,), 4000),
    Parser("crop", lambda: texts(["0,0,20,30"]), parse_a_crop, (OptionError,), 2000),
    Parser("address", lambda: texts(["s3://b/x.zarr", "https://me:pw@h/x?token=1", "/a b.tif", "file:///a%20b"]),
           parse_an_address, ONLY_HEADERS, 5000),
    Parser("lock", lambda: documents([LOCK]), parse_a_lock, (), 2000),
    Parser("recipe", lambda: trees([[RECIPE, RECIPE]]), compare_recipes, (), 3000),
)  # fmt: skip
