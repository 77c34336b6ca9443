"""Metadata of microscopes: what headers say about each channel, with the evidence."""

from __future__ import annotations

from autodip_zarr.metadata.acquisition import read_acquisition, read_ome_xml
from autodip_zarr.metadata.clues import FIELDS, Trust, overrule
from autodip_zarr.metadata.mapping import ChannelMapping, ImagePlace, Terms, read_mapping
from autodip_zarr.metadata.patterns import NamePattern, read_patterns
from autodip_zarr.metadata.plates import is_field, is_well, well_name
from autodip_zarr.metadata.vocabulary.files import load_vocabulary
from autodip_zarr.metadata.vocabulary.tables import vocabulary_tables
from autodip_zarr.metadata.vocabulary.terms import Term, Vocabulary

__all__ = [
    "FIELDS",
    "ChannelMapping",
    "ImagePlace",
    "NamePattern",
    "Term",
    "Terms",
    "Trust",
    "Vocabulary",
    "is_field",
    "is_well",
    "load_vocabulary",
    "overrule",
    "read_acquisition",
    "read_mapping",
    "read_ome_xml",
    "read_patterns",
    "vocabulary_tables",
    "well_name",
]
