"""Texts that list channels: which item speaks about which channel."""

from __future__ import annotations

import pytest

from autodip_zarr.metadata.documents.lists import ChannelNames, bracketed, item_of


def items(value: str, *names: str) -> list[str | None]:
    channels = tuple((name,) if name else () for name in names)
    return [item_of(value, ChannelNames(index, channels)) for index in range(len(channels))]


@pytest.mark.parametrize(
    ("value", "names", "found"),
    [
        ("GFP:tubulin;DAPI:nuclei", ["DAPI", "GFP"], ["DAPI:nuclei", "GFP:tubulin"]),
        ("tubulin = GFP, nuclei = DAPI", ["DAPI", "GFP"], ["nuclei = DAPI", "tubulin = GFP"]),
        ("DAPI -> DNA | Cy5 -> actin", ["Cy5", "DAPI"], ["Cy5 -> actin", "DAPI -> DNA"]),
        (
            "Hoechst 33342 (DNA), Phalloidin (actin, filamentous)",
            ["Phalloidin", "Hoechst"],
            ["Phalloidin (actin, filamentous)", "Hoechst 33342 (DNA)"],
        ),
        ("AF488: tubulin; AF568: actin", ["Alexa 568", "Alexa 488"], ["AF568: actin", "AF488: tubulin"]),
        (
            "TRANS: cells; CY5: probes that bind to CTT1 mRNA; TMR: probes that bind to STL1 mRNA",
            ["STL1 filter", "CTT1 filter", "Nuclei"],
            ["TMR: probes that bind to STL1 mRNA", "CY5: probes that bind to CTT1 mRNA", None],
        ),
        ("GFP, GFP-raw", ["GFP-raw", "GFP"], ["GFP-raw", "GFP"]),
    ],
)
def test_names_come_first(value: str, names: list[str], found: list[str | None]) -> None:
    assert items(value, *names) == found


@pytest.mark.parametrize(
    ("value", "names", "found"),
    [
        (
            "Channel 1 = phase contrast, Channel 2 = 405, DAPI stain",
            ["", ""],
            ["Channel 1 = phase contrast", "Channel 2 = 405, DAPI stain"],
        ),
        ("Ch2: actin; Ch1: DNA", ["", ""], ["Ch1: DNA", "Ch2: actin"]),
        ("Channel 0: DNA; Channel 1: actin", ["", ""], ["Channel 0: DNA", "Channel 1: actin"]),
        (
            "Channel 1 (Cy5): actin; Channel 5 (DAPI): DNA",
            ["DAPI", "Cy5"],
            ["Channel 5 (DAPI): DNA", "Channel 1 (Cy5): actin"],
        ),
        ("Channel 2: DNA; Channel 5: actin", ["", ""], ["Channel 2: DNA", "Channel 5: actin"]),
        ("Channel 1: DNA", ["", ""], ["Channel 1: DNA", None]),
        (
            "Two channels: channel 1 CMDiI staining. Channel 2 nuclei",
            ["", ""],
            ["channel 1 CMDiI staining.", "Channel 2 nuclei"],
        ),
    ],
)
def test_numbers_count_as_written(value: str, names: list[str], found: list[str | None]) -> None:
    assert items(value, *names) == found


def test_positions_count_only_where_no_item_names_a_channel() -> None:
    assert items("DNA; actin", "", "") == ["DNA", "actin"]
    assert items("DNA; actin", "A", "B") == ["DNA", "actin"]
    assert items("GFP: actin; DAPI: DNA", "DAPI", "X") == ["DAPI: DNA", None]
    assert items("DNA; actin", "", "", "") == [None, None, None]


def test_the_text_of_an_only_channel_is_whole() -> None:
    assert items("tdTomato labels oligodendrocytes, and their progeny", "") == [
        "tdTomato labels oligodendrocytes, and their progeny"
    ]
    assert items("DAPI: DNA; GFP: actin", "GFP") == ["GFP: actin"]


def test_lists_of_converters_stand_in_brackets() -> None:
    assert bracketed(" [Fluorescence, Brightfield] ") == ("Fluorescence", "Brightfield")
    assert bracketed("[one]") == ("one",)
    assert bracketed("none [of them]") is None
