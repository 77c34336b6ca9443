"""Channels of one image together: methods of a study, contrasts of siblings, vendor lists, isotopes."""

from __future__ import annotations

import pytest

from autodip_zarr.domain import ChannelMetadata, MetadataText
from autodip_zarr.metadata import load_vocabulary, read_ome_xml

from .values import channels, document


def read(
    names: list[str], pairs: list[tuple[str, str]], image: str = "cells", attributes: tuple[str, ...] = ()
) -> tuple[ChannelMetadata, ...]:
    """Understand an image with the given names of channels and key-value pairs."""
    elements = channels(
        *(
            f'Name="{name}" {attributes[index] if attributes else ""}' if name else ""
            for index, name in enumerate(names)
        )
    )
    values = "".join(f'<M K="{key}">{value}</M>' for key, value in pairs)
    note = f'<MapAnnotation ID="Annotation:1"><Value>{values}</Value></MapAnnotation>'
    plain = document(elements, f"<StructuredAnnotations>{note}</StructuredAnnotations>").content
    linked = plain.replace("</Pixels>", '</Pixels><AnnotationRef ID="Annotation:1"/>')
    return understood(linked.replace('Name="cells"', f'Name="{image}"'))


def understood(content: str) -> tuple[ChannelMetadata, ...]:
    return read_ome_xml(MetadataText("ome-xml", "a.ome.xml", content), load_vocabulary())[0].channels


def modalities(found: tuple[ChannelMetadata, ...]) -> list[tuple[str | None, str | None]]:
    return [(one.microscope, one.contrast) for one in found]


PHASE = ("Imaging Method", "phase contrast microscopy")
EPI = ("Imaging Method", "wide-field epi-fluorescence microscopy")
CONFOCAL = ("Imaging Method", "confocal microscopy")
FLUORESCENCE = ("Imaging Method", "fluorescence microscopy")
BRIGHT = ("Imaging Method", "bright-field microscopy")


def test_each_channel_gets_the_methods_that_agree_with_its_contrast() -> None:
    for methods in ([PHASE, EPI], [EPI, PHASE]):
        found = read(["Phase", "GFP"], methods)
        assert modalities(found) == [("phase", "transmitted"), ("widefield", "fluorescence")]
        assert [one.conflicts for one in found] == [(), ()]


def test_a_list_in_one_value_is_dealt_out_too() -> None:
    found = read(["DAPI", "DIC"], [("Imaging Method", "DIC, spinning disk confocal microscopy")])
    assert modalities(found) == [("spinning_disk", "fluorescence"), ("dic", "transmitted")]


def test_a_transmitted_channel_of_a_confocal_stays_one() -> None:
    found = read(["DNA", "T PMT"], [CONFOCAL, FLUORESCENCE])
    assert modalities(found) == [("confocal", "fluorescence"), ("confocal", "transmitted")]


def test_fluorescence_channels_are_not_skipped_because_the_study_also_took_bright_field() -> None:
    found = read(["Nuclei", "CTT1", "STL1"], [BRIGHT, FLUORESCENCE])
    assert found[0].contrast == "fluorescence"
    assert {one.contrast for one in found[1:]} == {None}
    assert all("contrast: fluorescence and transmitted" in one.conflicts[0] for one in found[1:])


@pytest.mark.parametrize(
    ("pairs", "image", "expected"),
    [
        ([("Assay Name", "STED of condensins")], "cells", "sted"),
        ([], "DNA_STED_03", "sted"),
        ([], "cells", "confocal"),  # what a STED microscope is, whichever way it was used
    ],
)
def test_what_else_is_said_chooses_among_methods(
    pairs: list[tuple[str, str]], image: str, expected: str
) -> None:
    sted = ("Imaging Method", "stimulated emission depletion (STED)")
    assert read(["DNA"], [CONFOCAL, sted, *pairs], image)[0].microscope == expected


def test_what_stays_open_is_a_conflict_and_not_taken() -> None:
    light_sheet = ("Imaging Method", "SPIM")
    found = read(["DNA"], [CONFOCAL, light_sheet])[0]
    assert found.microscope is None
    assert found.conflicts[0].startswith("microscope: 'confocal microscopy' and 'SPIM'")
    assert read(["DNA"], [CONFOCAL])[0].microscope == "confocal"


def test_a_name_alone_tells_no_method() -> None:
    assert read(["DNA"], [], "DNA_STED_03")[0].microscope is None


def test_siblings_are_fluorescence_where_nothing_speaks_against_it() -> None:
    found = read(["DAPI", "SMC-like 7", "empty", "TRANS", "SHG"], [])
    assert [one.contrast for one in found] == ["fluorescence", "fluorescence", None, "transmitted", None]
    guessed = next(one for one in found[1].evidence if one.field == "contrast")
    assert (guessed.raw, guessed.trust) == ("channel 0 is fluorescence", 15)


@pytest.mark.parametrize("name", ["CK5-141Pr", "Nd142_CK5", "CK5 (Pr141)", "141Pr-CK5"])
def test_isotopes_are_no_fluorescence(name: str) -> None:
    found = read([name], [])[0]
    assert (found.contrast, found.specimen) == (None, "intermediate_filament")
    assert "mass cytometry" in found.conflicts[0]


def test_a_name_like_an_isotope_is_none() -> None:
    found = read(["CD31", "Cy3 150ms"], [])
    assert modalities(found) == [(None, "fluorescence")] * 2
    assert [one.conflicts for one in found] == [(), ()]


ORIGINALS = """<StructuredAnnotations>{}</StructuredAnnotations>"""
ORIGINAL = (
    '<XMLAnnotation ID="Annotation:{}"><Value><OriginalMetadata><Key>{}</Key><Value>{}</Value>'
    "</OriginalMetadata></Value></XMLAnnotation>"
)


def with_originals(*pairs: tuple[str, str]) -> tuple[ChannelMetadata, ...]:
    notes = "".join(ORIGINAL.format(number, *pair) for number, pair in enumerate(pairs))
    return understood(document(channels("", "", ""), ORIGINALS.format(notes)).content)


def test_a_list_of_the_vendor_holds_one_value_a_channel() -> None:
    found = with_originals(
        ("Information|Image|Channel|ContrastMethod", "[Fluorescence, Fluorescence, Brightfield]"),
        ("Information|Image|Channel|AcquisitionMode", "[Confocal, Confocal, Confocal]"),
        ("Experiment|Track|Channel|ContrastMethod|IlluminationType", "[Transmitted]"),
        ("DisplaySetting|Channel|IlluminationType", "Transmitted"),
        ("HardwareSetting|Device|AnalogOutLabel|Label", "[DAPI, GFP, Actin]"),
    )
    assert modalities(found) == [
        ("confocal", "fluorescence"),
        ("confocal", "fluorescence"),
        ("confocal", "transmitted"),
    ]
    assert [one.specimen for one in found] == [None] * 3
    assert [one.conflicts for one in found] == [()] * 3


def test_a_setting_of_another_track_is_nobodys() -> None:
    found = with_originals(("Experiment|Track|Channel|IlluminationType", "[Fluorescence, Transmitted]"))
    assert modalities(found) == [(None, None)] * 3
