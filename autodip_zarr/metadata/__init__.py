"""Metadata of microscopes: what headers say about each channel, with the evidence."""

from __future__ import annotations

from .acquisition import read_acquisition, read_ome_xml
from .patterns import NamePattern
from .tables import vocabulary_tables
from .vocabulary import Term, Vocabulary
from .vocabulary_file import load_vocabulary

__all__ = [
    "NamePattern",
    "Term",
    "Vocabulary",
    "load_vocabulary",
    "read_acquisition",
    "read_ome_xml",
    "vocabulary_tables",
]
