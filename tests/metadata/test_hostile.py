"""Hostile and broken documents give a clear error, quickly."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.errors import HeaderError
from autodip_zarr.metadata import load_vocabulary, read_ome_xml
from autodip_zarr.metadata.documents import xml_tree

from .values import annotated, document, text

VOCABULARY = load_vocabulary()

BILLION_LAUGHS = """<!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><OME><Image Name="&c;"/></OME>"""
EXTERNAL = '<!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/passwd">]><OME><Image Name="a"/>&x;</OME>'
REMOTE_DTD = '<!DOCTYPE OME SYSTEM "http://localhost:1/evil.dtd"><OME/>'
PARAMETER = '<!DOCTYPE OME [<!ENTITY % p SYSTEM "http://localhost:1/p">%p;]><OME/>'


@pytest.mark.parametrize("content", [BILLION_LAUGHS, EXTERNAL, REMOTE_DTD, PARAMETER])
def test_entities_and_doctypes_are_refused(content: str) -> None:
    with pytest.raises(HeaderError, match="without DTD and entities"):
        read_ome_xml(text(content, "evil.ome.xml"), VOCABULARY)


@pytest.mark.parametrize(
    "content",
    ["", "   ", "{}", "no xml", "<OME", "<OME><Image></OME>", "<html/>", "<?xml", "<OME>\x00</OME>",
     "<OME>&undefined;</OME>", "\ud800"],
)  # fmt: skip
def test_what_is_no_ome_xml(content: str) -> None:
    with pytest.raises(HeaderError, match=r"a\.ome\.xml"):
        read_ome_xml(text(content), VOCABULARY)


def test_depth_size_and_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HeaderError, match="nested"):
        read_ome_xml(text("<OME>" + "<a>" * 200_000 + "</a>" * 200_000 + "</OME>"), VOCABULARY)
    monkeypatch.setattr(xml_tree, "MAX_CHARACTERS", 1000)
    with pytest.raises(HeaderError, match="characters"):
        read_ome_xml(text("<OME>" + " " * 1000 + "</OME>"), VOCABULARY)
    monkeypatch.setattr(xml_tree, "MAX_ELEMENTS", 10)
    with pytest.raises(HeaderError, match="elements"):
        read_ome_xml(text("<OME>" + "<a/>" * 20 + "</OME>"), VOCABULARY)


@pytest.mark.parametrize(
    "declaration", ["", '<?xml version="1.0"?>', '<?xml version="1.0" encoding="UTF-16"?>', "\ufeff", "\n\n"]
)
def test_declarations_marks_and_padding_do_not_matter(declaration: str) -> None:
    content = declaration + document('<Channel ID="Channel:0" Name="&#181;-DAPI"/>').content + "\n\x00"
    assert read_ome_xml(text(content), VOCABULARY)[0].channels[0].specimen == "nucleus"


NAMES = st.sampled_from(
    [
        "Image",
        "Pixels",
        "Channel",
        "Instrument",
        "Microscope",
        "AnnotationRef",
        "Plate",
        "Well",
        "M",
        "StructuredAnnotations",
        "MapAnnotation",
        "XMLAnnotation",
        "Value",
        "LightPath",
        "LightSourceSettings",
        "Laser",
        "Objective",
    ]
)
ATTRIBUTES = st.sampled_from(
    [
        "ID",
        "Name",
        "SizeC",
        "Color",
        "AcquisitionMode",
        "PinholeSize",
        "SamplesPerPixel",
        "K",
        "Model",
        "EmissionWavelength",
        "PhysicalSizeX",
        "PhysicalSizeXUnit",
        "Fluor",
        "Wavelength",
    ]
)
VALUES = st.one_of(
    st.sampled_from(["0", "-1", "3", "1e400", "nan", "999999999999", "Annotation:1", "\u00b5m", "DAPI"]),
    st.text(
        alphabet=st.characters(min_codepoint=32, exclude_characters='<>&"', exclude_categories=["Cs"]),
        max_size=9,
    ),
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 4) -> str:
    """Draw an element with names of the schema in no sensible order."""
    name = draw(NAMES)
    attributes = draw(st.dictionaries(ATTRIBUTES, VALUES, max_size=4))
    inner = "".join(draw(st.lists(elements(depth - 1), max_size=3))) if depth else draw(VALUES)
    written = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    return f"<{name} {written}>{inner}</{name}>"


@given(st.lists(elements(), max_size=3))
def test_whatever_is_well_formed_is_read(inner: list[str]) -> None:
    for image in read_ome_xml(text(f"<OME>{''.join(inner)}</OME>"), VOCABULARY):
        assert image.channels


LONG = ["a", "A", "aB", "7", " ", "#", ",", "-", ";", "(", "a b ", "488 ", "GFP", "DAPI,", "x:", "\u00e9"]


@pytest.mark.parametrize("unit", LONG)
def test_texts_of_any_length_are_searched_in_bounded_time(unit: str) -> None:
    """Hundreds of thousands of characters took minutes; what lies beyond the first thousands is no name."""
    long = unit * (200_000 // len(unit))
    began_s = time.process_time()
    for place in (
        document(f'<Channel ID="Channel:0" Name="{long}" Fluor="{long}"/><Channel ID="Channel:1"/>'),
        annotated(long, long),
        annotated("Channels", long, long),
    ):
        read_ome_xml(place, VOCABULARY)
    for section in ("microscope", "specimen", "organism", "contrast"):
        VOCABULARY.lookup(section, long)
        VOCABULARY.search(section, long)
    assert time.process_time() - began_s < 20
