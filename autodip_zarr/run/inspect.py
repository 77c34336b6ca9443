"""Read the metadata of sources as they are understood, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autodip_zarr.domain import Acquisition, MetadataText, Skipped
from autodip_zarr.errors import AutodipError, HeaderError
from autodip_zarr.metadata import load_vocabulary, read_acquisition, read_ome_xml
from autodip_zarr.stores import read_header, walk


@dataclass(frozen=True)
class InspectedImage:
    """What the metadata of one image says."""

    source: str
    """Path or URI."""
    series: int | None
    """Index in a file that holds several images."""
    acquisition: Acquisition
    """What it says."""


@dataclass(frozen=True)
class Inspection:
    """What the metadata of a source says."""

    images: tuple[InspectedImage, ...]
    """One an image."""
    skipped: tuple[Skipped, ...]
    """What could not be read, with reasons."""


def inspect_source(source: str) -> Inspection:
    """Read the metadata of a file, folder, URI, or bare OME-XML file.

    Parameters
    ----------
    source : str
        Anything that can be denoised, or an ``.xml`` file.
    """
    if source.lower().endswith(".xml"):
        return _inspect_xml(source)
    vocabulary = load_vocabulary()
    images: list[InspectedImage] = []
    skipped: list[Skipped] = []
    for ref in walk([source]):
        if isinstance(ref, Skipped):
            skipped.append(ref)
            continue
        try:
            acquisition = read_acquisition(read_header(ref), vocabulary)
        except AutodipError as error:
            skipped.append(Skipped(ref.source, str(error), is_error=True))
        else:
            images.append(InspectedImage(ref.source, ref.series, acquisition))
    return Inspection(tuple(images), tuple(skipped))


def _inspect_xml(source: str) -> Inspection:
    try:
        text = MetadataText("ome-xml", source, Path(source).read_text(encoding="utf-8"))
        acquisitions = read_ome_xml(text, load_vocabulary())
    except (OSError, UnicodeDecodeError) as error:
        reason = str(HeaderError(source, str(error), "an OME-XML file"))
        return Inspection((), (Skipped(source, reason, is_error=True),))
    except AutodipError as error:
        return Inspection((), (Skipped(source, str(error), is_error=True),))
    several = len(acquisitions) > 1
    images = (
        InspectedImage(source, index if several else None, acquisition)
        for index, acquisition in enumerate(acquisitions)
    )
    return Inspection(tuple(images), ())
