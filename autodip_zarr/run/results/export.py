"""Results as OME-TIFF files: for OMERO, BIOMERO, QuPath, Fiji and whatever reads no Zarr."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodip_zarr.domain import Header, ImageRef, Skipped
from autodip_zarr.errors import AutodipError, OptionError, TargetError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores import (
    DIGEST_PLACE,
    export_pyramid,
    exported_digest,
    exported_header,
    exported_identity,
    pixels_digest,
    read_attributes,
    read_header,
    read_ome_xml_text,
    walk,
    walk_results,
)
from autodip_zarr.stores.access.uris import is_remote

__all__ = ["ExportSettings", "Exported", "check_exported", "export_images", "export_results"]

_PARTIAL = ".part"
_STORE_ENDINGS = (".ome.zarr", ".zarr", ".ome.zip", ".zip")


@dataclass(frozen=True)
class Exported:
    """What became of one result."""

    target: str
    """Path or URI of the result."""
    path: str
    """The file."""
    status: str
    """``written``, ``kept`` (it is there and whole), or ``failed``."""
    reason: str | None = None
    """Why it failed."""


def export_results(
    target: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    tile_px: int = 512,
    overwrite: bool = False,
    remote_sources: bool = False,
) -> Iterator[Exported | Skipped]:
    """Write each result below a folder as an OME-TIFF file with its pyramid.

    A file that is there already is kept if it was made from this very result, and the checksum in its header
    is that of its pixels, so that the same call again goes on where it stopped. A file that this program did
    not export is never replaced.

    Parameters
    ----------
    target : str or path
        Result, or folder of results.
    output : str or path
        Folder for the files, which mirrors the tree of the results; each is named after its result.
    tile_px : int
        Side of a tile, a multiple of 16.
    overwrite : bool
        Write files again that were exported already.
    remote_sources : bool
        Whether the header of a source on a server may be read; the results name it.

    Yields
    ------
    Exported or Skipped
        One a result; what is incomplete is skipped.

    Raises
    ------
    OptionError
        The side of a tile makes no sense.
    """
    settings = ExportSettings(tile_px, overwrite, remote_sources)
    yield from export_images(walk_results([os.fspath(target)]), Path(output), settings)


@dataclass(frozen=True)
class ExportSettings:
    """How results are exported."""

    tile_px: int = 512
    """Side of a tile, a multiple of 16."""
    overwrite: bool = False
    """Whether files are written again that were exported already."""
    remote_sources: bool = False
    """Whether the header of a source on a server may be read."""


def export_images(
    results: Iterable[ImageRef | Skipped], folder: Path, settings: ExportSettings
) -> Iterator[Exported | Skipped]:
    """Write some results as OME-TIFF files; see :func:`export_results`."""
    if settings.tile_px < 16 or settings.tile_px % 16:
        raise OptionError("--tile", f"{settings.tile_px}", "a multiple of 16")
    taken: dict[Path, str] = {}
    for item in results:
        if isinstance(item, Skipped):
            yield item
            continue
        attributes = read_attributes(item.source) or {}
        if attributes.get("status") != "complete":
            reason = f"its status is {attributes.get('status')!r}, not complete; it is not exported"
            yield Skipped(item.source, reason, is_error=True)
            continue
        path = folder / _file_path(item)
        if path in taken:
            reason = f"{taken[path]} is exported under this name; rename one of the two"
            yield Exported(public_uri(item.source), str(path), "failed", reason)
            continue
        taken[path] = public_uri(item.source)
        yield _export(item, path, attributes, settings)


def _export(item: ImageRef, path: Path, attributes: dict[str, Any], settings: ExportSettings) -> Exported:
    target = public_uri(item.source)
    identity = _identity(attributes)
    partial = path.with_name(path.name + _PARTIAL)
    try:
        if path.exists() and not settings.overwrite and _is_export_of(path, identity):
            return Exported(target, str(path), "kept")
        _check_free(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        result = read_header(item)
        source = _source_xml(attributes, result, remote=settings.remote_sources)
        header = exported_header(result, source, 0, {**_done(attributes), "result": identity})
        export_pyramid(str(partial), result, header, settings.tile_px)
        partial.replace(path)
    except (AutodipError, OSError) as error:
        partial.unlink(missing_ok=True)
        return Exported(target, str(path), "failed", str(error))
    return Exported(target, str(path), "written")


def _identity(attributes: dict[str, Any]) -> str:
    """Return what tells a result from every other one, and from itself after it was made again."""
    text = json.dumps(attributes, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _is_export_of(path: Path, identity: str) -> bool:
    """Return whether a file was made from this result, and is whole."""
    try:
        text = read_ome_xml_text(str(path)) or ""
    except AutodipError:
        return False
    return exported_identity(text) == identity and not check_exported(str(path))


def _check_free(path: Path) -> None:
    """Refuse to replace what may be somebody's only copy: a file that this program did not export."""
    if not path.exists():
        return
    try:
        is_ours = exported_digest(read_ome_xml_text(str(path)) or "") is not None
    except AutodipError:
        is_ours = False
    if not is_ours:
        found = "is there, and is not a file that this program exported"
        raise TargetError(str(path), found, hint="remove it, or choose another folder")


def check_exported(path: str) -> list[str]:
    """Return what is wrong with an exported file: nothing where its pixels have the checksum in its header.

    Parameters
    ----------
    path : str
        The file.
    """
    try:
        text = read_ome_xml_text(path)
        told = exported_digest(text or "")
        if told is None:
            return ["is no OME-TIFF that this program exported"]
        found = pixels_digest(path)
    except AutodipError as error:
        return [str(error)]
    return [] if found == told else [f"its pixels have the checksum {found}, the header says {told}"]


def _file_path(item: ImageRef) -> str:
    """Return the path of the file of a result: that of its store, and its place in it."""
    name = item.relative
    for ending in _STORE_ENDINGS:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    inner = [part for part in item.group.split("/") if part]
    return "_".join((name, *inner)) + ".ome.tif"


def _source_xml(attributes: dict[str, Any], result: Header, *, remote: bool) -> str | None:
    """Return the OME-XML of the source, cut down to its image, where it can be read."""
    source = (attributes.get("recipe") or {}).get("source") or {}
    uri, series = source.get("uri"), source.get("series")
    if not isinstance(uri, str) or (is_remote(uri) and not remote):
        return None
    for item in walk([uri]):
        if isinstance(item, ImageRef) and item.series == series and item.source == uri:
            return _text_of(item, result)
    return None


def _text_of(item: ImageRef, result: Header) -> str | None:
    from autodip_zarr.stores.tiff.ome_subset import count_images, subset_ome_xml  # noqa: PLC0415

    try:
        header = read_header(item)
        if any(header.size(axis) != result.size(axis) for axis in "tczyx"):
            return None
        text = next((one.content for one in header.texts if one.kind == "ome-xml"), None)
        if text is None or item.image_index >= count_images(text):
            return None
        return subset_ome_xml(text, [item.image_index])
    except AutodipError:
        return None


def _done(attributes: dict[str, Any]) -> dict[str, str]:
    """Return what was done, in words, for the annotation of a file."""
    recipe = attributes.get("recipe") or {}
    software = recipe.get("software") or {}
    told = {
        "program": "autodip-zarr, Deep Image Prior with parameters transferred by metadata (AUTO-DIP)",
        "version": str(software.get("autodip_zarr", software.get("autodip-zarr", ""))),
        "preset": str(recipe.get("preset", "")),
        "seed": str(recipe.get("seed", "")),
        "source": str((recipe.get("source") or {}).get("uri", "")),
        "pixels": DIGEST_PLACE,
    }
    for channel in recipe.get("channels") or []:
        config, match = channel.get("config"), channel.get("match") or {}
        name = f"channel {channel.get('index')} {channel.get('name') or ''}".strip()
        if config is None:
            told[name] = f"copied: {channel.get('reason', '')}"
            continue
        shape = "/".join(str(config.get(key)) for key in ("depth", "width", "skip", "iterations"))
        group = "+".join(map(str, (match.get("group") or {}).values())) or "global"
        told[name] = f"denoised with {shape}, matched to {group} by {match.get('tier')}"
    return {key: value for key, value in told.items() if value}
