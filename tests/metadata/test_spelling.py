"""Typos, families of proteins and isotopes, as words of the vocabulary."""

from __future__ import annotations

import pytest

from autodip_zarr.metadata import load_vocabulary
from autodip_zarr.metadata.vocabulary.isotopes import isotope, without_isotope
from autodip_zarr.metadata.vocabulary.spelling import nearest, spellings

VOCABULARY = load_vocabulary()


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("nucleai", ("nuclei",)),  # one too many
        ("nucli", ()),  # too short
        ("nuclie", ("nuclei",)),  # exchanged
        ("nucleu", ()),  # another letter in a short word
        ("mitochondrio", ("mitochondria",)),  # another letter in a long one
        ("itochondria", ()),  # the first letter is right
    ],
)
def test_one_letter_away(word: str, near: tuple[str, ...]) -> None:
    index = spellings(["nuclei", "mitochondria", "h2b"])
    assert nearest(word, index) == near


@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("cell nucleai", "nucleus"),
        ("Hoecsht", "nucleus"),
        ("tubulinn", "tubulin"),
        ("nectin", "junction"),  # and not nestin
        ("Nup153", "nuclear_envelope"),
        ("NUP98-GFP", "nuclear_envelope"),
        ("CENP-A", "kinetochore"),
        ("Krt14", "intermediate_filament"),
        ("COL4A1", "extracellular_matrix"),
        ("SLC25A17", "peroxisome"),  # listed; its family is of mitochondria
        ("SLC25A4", "mito"),
        ("anti-TOMM40-AF647", "mito"),
        ("CD8-PE", "membrane"),
        ("CD31", "vessel"),
        ("CD20_LaminAC", "nuclear_envelope"),
    ],
)
def test_names_of_structures(name: str, term: str) -> None:
    assert VOCABULARY.search("specimen", name) == (term,)


@pytest.mark.parametrize("name", ["Ch1", "Cy5", "488", "A488", "C1", "T1", "Image 12", "FITC-A", "Hg202"])
def test_no_structure(name: str) -> None:
    assert VOCABULARY.search("specimen", name) == ()


@pytest.mark.parametrize(
    ("name", "tag", "rest"),
    [
        ("CK5-141Pr", "141Pr", "CK5"),
        ("Nd142_x", "Nd142", "x"),
        ("DNA1-191Ir", "191Ir", "DNA1"),
        ("Yb173Di_CD45", "Yb173Di", "CD45"),
        ("Hg202-202Hg", "Hg202", ""),
        ("In 113", None, "In 113"),
        ("CD31", None, "CD31"),
        ("Cd31", None, "Cd31"),  # cadmium has no such isotope
        ("Y5", None, "Y5"),
    ],
)
def test_isotopes(name: str, tag: str | None, rest: str) -> None:
    assert isotope(name) == tag
    assert without_isotope(name) == rest
