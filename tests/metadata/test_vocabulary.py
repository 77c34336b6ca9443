"""Spellings, prefixes and misspellings of headers become terms; what says nothing stays nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.errors import TableError
from autodip_zarr.metadata import load_vocabulary

VOCABULARY = load_vocabulary()

OME_MODES = {
    "WideField": "widefield",
    "LaserScanningConfocalMicroscopy": "confocal",
    "SpinningDiskConfocal": "spinning_disk",
    "SlitScanConfocal": "slit_scan",
    "SweptFieldConfocal": "slit_scan",
    "MultiPhotonMicroscopy": "twophoton",
    "StructuredIllumination": "sim",
    "SingleMoleculeImaging": "smlm",
    "TotalInternalReflection": "tirf",
    "TIRF": "tirf",
    "FluorescenceLifetime": "flim",
    "SpectralImaging": "spectral",
    "FluorescenceCorrelationSpectroscopy": "fcs",
    "NearFieldScanningOpticalMicroscopy": "nsom",
    "SecondHarmonicGenerationImaging": "shg",
    "PALM": "palm",
    "STORM": "storm",
    "STED": "sted",
    "FSM": "fsm",
    "SPIM": "light_sheet",
    "BrightField": "brightfield",
    "Other": None,
    "Wide-field": "widefield",  # the spellings of the schemas before 2010
    "Laser scanning microscopy": "confocal",
    "Laser scanning confocal": "confocal",
    "Spinning disk confocal": "spinning_disk",
    "Slit scan confocal": "slit_scan",
    "Multi-photon microscopy": "twophoton",
}


@pytest.mark.parametrize(("written", "term"), OME_MODES.items())
def test_acquisition_modes_of_all_schemas(written: str, term: str | None) -> None:
    assert VOCABULARY.lookup("microscope", written) == term


@pytest.mark.parametrize(
    "written",
    ["obo:FBbi_00000253", "FBbi:00000253", "http://purl.obolibrary.org/obo/FBbi_00000253", "00000253", "253",
     "fbbi_00000253", "FBbi 00000253", " FBBI:253 ", "FBbi-00000253"],
)  # fmt: skip
def test_fbbi_ids_in_any_spelling(written: str) -> None:
    assert VOCABULARY.lookup("microscope", written) == "spinning_disk"


@pytest.mark.parametrize(
    ("number", "microscope", "contrast"),
    [
        ("00000243", "brightfield", "transmitted"),
        ("00000245", "dic", "transmitted"),
        ("00000246", None, "fluorescence"),
        ("00000247", "phase", "transmitted"),
        ("00000251", "confocal", "fluorescence"),
        ("00000252", "confocal", "fluorescence"),
        ("00000254", "twophoton", "fluorescence"),
        ("00000255", "twophoton", "fluorescence"),
        ("00000256", "electron", "electron"),
        ("00000332", "sim", "fluorescence"),
        ("00000334", "sted", "fluorescence"),
        ("00000369", "light_sheet", "fluorescence"),
        ("00000392", "slit_scan", "fluorescence"),
        ("00000617", "tirf", "fluorescence"),
        ("00050000", "electron", "electron"),
        ("00999999", None, None),
    ],
)
def test_fbbi_terms(number: str, microscope: str | None, contrast: str | None) -> None:
    assert VOCABULARY.lookup("microscope", f"obo:FBbi_{number}") == microscope
    assert VOCABULARY.lookup("contrast", f"obo:FBbi_{number}") == contrast


@pytest.mark.parametrize(
    ("written", "structure"),
    [
        ("DAPI", "nucleus"),
        ("dapi (405)", "nucleus"),
        ("Hoechst 33342", "nucleus"),
        ("Hoescht", "nucleus"),
        ("H2B-mCherry", "nucleus"),
        ("H2BmCherry", "nucleus"),
        ("EGFPH2B", "nucleus"),
        ("SiR-DNA", "nucleus"),
        ("Alexa Fluor 488 phalloidin", "actin"),
        ("AF568-Phalloidin", "actin"),
        ("LifeActGFP", "actin"),
        ("F-actin", "actin"),
        ("MitoTracker Red CMXRos", "mito"),
        ("MitoTrackerDeepRed", "mito"),
        ("anti-TOM20 Alexa 647", "mito"),
        ("TOMM20_AF647", "mito"),
        ("\u03b1-tubulin", "tubulin"),
        ("SPY555-tubulin", "tubulin"),
        ("\u03b3-tubulin", "centrosome"),
        ("Lamin B1", "nuclear_envelope"),
        ("nuclear envelope", "nuclear_envelope"),
        ("ER", "er"),
        ("ConA:ER", "er"),
        ("WGA 594", "membrane"),
        ("GM130", "golgi"),
        ("LAMP1-GFP", "lysosome"),
        ("GCaMP6s", "calcium"),
        ("H\u00f6chst", "nucleus"),
    ],
)
def test_structures(written: str, structure: str) -> None:
    assert VOCABULARY.search("specimen", written) == (structure,)


@pytest.mark.parametrize(
    "written",
    ["Alexa Fluor 488", "GFP", "FITC", "Cy5", "TRITC", "mCherry", "Channel 1", "488 nm", "C=0",
     "Texas Red", "DNA-PAINT", "PIxel", "transmitted", "TL", "SPIM", "filter 3", "camera",
     "actinic", "Mitutoyo", "pmmcherry", "nuclease-free", "A647", "Ch1-T1", "EGFP", "CF", "secondary only",
     "", "  ", "\u4e2d\u6587"],
)  # fmt: skip
def test_what_tells_no_structure(written: str) -> None:
    assert VOCABULARY.search("specimen", written) == ()


@pytest.mark.parametrize(
    "written", ["GFP", "Alexa 488", "AF647", "a-tubulin CF568", "FITC-dextran", "mScarlet-I"]
)
def test_fluorophores_are_known(written: str) -> None:
    assert VOCABULARY.has_fluorophore(written)


@pytest.mark.parametrize("written", ["Channel 488", "z 500", "T-PMT", "camera 2", "A1"])
def test_numbers_alone_are_no_fluorophores(written: str) -> None:
    assert not VOCABULARY.has_fluorophore(written)


@pytest.mark.parametrize(
    "written", ["BF", "Brightfield", "TL Phase", "DIC", "T-PMT", "ESID", "Phase contrast", "ChD"]
)
def test_transmitted_channels_by_name(written: str) -> None:
    assert VOCABULARY.search("contrast", written) == ("transmitted",)


@pytest.mark.parametrize(
    ("written", "organism"),
    [
        ("Homo sapiens", "Homo sapiens"),
        ("human", "Homo sapiens"),
        ("NCBI:txid9606", "Homo sapiens"),
        ("NCBITaxon_9606", "Homo sapiens"),
        ("http://purl.obolibrary.org/obo/NCBITaxon_10090", "Mus musculus"),
        ("7227", "Drosophila melanogaster"),
        ("C. elegans", "Caenorhabditis elegans"),
        ("Mus musculus (mouse)", "Mus musculus"),
        ("Danaus plexippus", "Danaus plexippus"),
        ("a control", None),
        ("cells of a human donor", "Homo sapiens"),
        ("human cells in a mouse", None),
        ("NCBI:txid99999999", None),
    ],
)
def test_organisms(written: str, organism: str | None) -> None:
    assert VOCABULARY.lookup("organism", written) == organism


def test_relations_are_stated_and_lead_to_known_terms() -> None:
    relations = VOCABULARY.relations()
    assert relations["spinning_disk"] == ("confocal",)
    known = {term.term for term in VOCABULARY.terms if term.field == "microscope"}
    for term, related in relations.items():
        assert term in known
        assert set(related) <= known - {term}


def test_every_spelling_is_found_as_its_own_term() -> None:
    for term in VOCABULARY.terms:
        if term.field in {"microscope", "contrast", "organism"}:
            for spelling in term.spellings():
                assert VOCABULARY.lookup(term.field, spelling) == term.term, spelling
        if term.field == "specimen":
            for spelling in term.synonyms:
                assert VOCABULARY.search("specimen", spelling) == (term.term,), spelling


@given(st.text(max_size=200))
def test_no_text_is_too_odd(written: str) -> None:
    for field in ("microscope", "contrast", "specimen", "organism"):
        assert VOCABULARY.lookup(field, written) is None or isinstance(VOCABULARY.lookup(field, written), str)
        assert isinstance(VOCABULARY.search(field, written), tuple)


SEPARATORS = st.sampled_from([" ", "-", "_", "", "  "])


@given(
    words=st.sampled_from(
        ["spinning disk confocal", "laser scanning confocal microscopy", "light sheet", "two photon"]
    ),
    separator=SEPARATORS,
    upper=st.booleans(),
)
def test_case_and_separators_do_not_matter(words: str, separator: str, upper: bool) -> None:
    written = separator.join(words.split())
    expected = VOCABULARY.lookup("microscope", words)
    assert expected is not None
    assert VOCABULARY.lookup("microscope", written.upper() if upper else written) == expected


def test_a_users_own_words_are_added(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[specimen]]\nterm = "nucleus"\nsynonyms = ["Laser 1 dye"]\n'
        '[[specimen]]\nterm = "spine"\nname = "dendritic spines"\nsynonyms = ["spines"]\n'
        '[keys]\nstructure = ["Was gefaerbt"]\n'
    )
    vocabulary = load_vocabulary(own)
    assert vocabulary.search("specimen", "laser-1 dye") == ("nucleus",)
    assert vocabulary.search("specimen", "DAPI") == ("nucleus",)
    assert vocabulary.search("specimen", "spines") == ("spine",)
    assert vocabulary.key_field("was gefaerbt") == "structure"
    assert VOCABULARY.search("specimen", "laser-1 dye") == ()


def test_a_term_of_three_letters_is_found_inside_of_a_text_and_one_of_two_is_not(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[specimen]]\nterm = "xyq"\n[[specimen]]\nterm = "qz"\n')
    vocabulary = load_vocabulary(own)
    assert vocabulary.search("specimen", "stained xyq in cells") == ("xyq",)
    assert vocabulary.search("specimen", "stained qz in cells") == ()
    assert vocabulary.search("specimen", "qz") == ("qz",)


def test_a_word_of_the_user_means_what_the_user_says(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[[specimen]]\nterm = 'x'\nsynonyms = ['DAPI']\n")
    assert load_vocabulary(own).search("specimen", "DAPI") == ("x",)
    assert load_vocabulary(own).search("specimen", "Hoechst") == ("nucleus",)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[[specimen]]\nname = 'x'\n", "term"),
        ("[[specimen]]\nterm = 'x'\ncolour = 'red'\n", "colour"),
        ("[[specimen]]\nterm = 'x'\nsynonyms = 'y'\n", "y"),
        ("[[specimen]]\nterm = 'x'\nsynonyms = ['q9']\n[[specimen]]\nterm = 'y'\nexact = ['Q9']\n", "q9"),
        ("[[stand]]\nterm = 'x'\n", "stand"),
        ("[keys]\nstand = ['x']\n", "stand"),
        ("specimen = 3\n", "specimen"),
        ("[[", "TOML"),
    ],
)
def test_a_vocabulary_that_is_not_valid(tmp_path: Path, content: str, found: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(content)
    with pytest.raises(TableError, match=found):
        load_vocabulary(own)


def test_a_vocabulary_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nowhere\.toml"):
        load_vocabulary(tmp_path / "nowhere.toml")
