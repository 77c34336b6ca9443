"""Metadata of microscopes: what headers say about each channel, with the evidence."""

from __future__ import annotations

from .acquisition import read_acquisition, read_ome_xml
from .clues import FIELDS, Trust, overrule
from .mapping import ChannelMapping, ImagePlace, Terms, read_mapping
from .patterns import NamePattern, read_patterns
from .plates import is_field, is_well, well_name
from .tables import vocabulary_tables
from .vocabulary import Term, Vocabulary
from .vocabulary_file import load_vocabulary

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
