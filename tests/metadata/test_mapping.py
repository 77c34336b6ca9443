"""Tables of corrections: what they may say, which channels a row means, and what comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autodip_zarr.domain import ChannelMetadata, Evidence, FieldOfPlate
from autodip_zarr.errors import OptionError
from autodip_zarr.metadata import ChannelMapping, ImagePlace, Terms, load_vocabulary, overrule, read_mapping
from autodip_zarr.metadata.mapping import literal

from .values import channel, channels, document, only

TERMS = Terms(load_vocabulary(), frozenset({("specimen", "our own structure")}))
B3 = FieldOfPlate("B", "03", "1", 7)
NAMED = ChannelMetadata(1, "DAPI", "widefield", "fluorescence", "nucleus", None)


def table(*lines: str) -> ChannelMapping:
    return read_mapping("\n".join(lines), "--mapping folder/fix.csv", TERMS)


def place(*paths: str, series: int | None = None, plate: FieldOfPlate | None = None) -> ImagePlace:
    return ImagePlace(paths, series, plate)


def lines(mapping: ChannelMapping, where: ImagePlace) -> list[int]:
    return [row.line for row in mapping.of_image(where)]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("a/x.ome.tif", "a/x.ome.tif", True),
        ("a/x.ome.tif", "b/a/x.ome.tif", False),
        ("x.ome.tif", "a/x.ome.tif", False),
        ("*.tif", "x.tif", True),
        ("*.tif", "a/x.tif", False),
        ("**/*.tif", "a/b/x.tif", True),
        ("**/*.tif", "x.tif", True),
        ("**", "a/b/x.tif", True),
        ("a/**/x.tif", "a/x.tif", True),
        ("a/**/x.tif", "ab/x.tif", False),
        ("a?.tif", "ab.tif", True),
        ("a?.tif", "a/.tif", False),
        ("a[0-3].tif", "a2.tif", True),
        ("a[!0-3].tif", "a2.tif", False),
        ("a[!0-3].tif", "a7.tif", True),
        ("a[1.tif", "a[1.tif", True),
        ("plate.zarr", "plate.zarr/A/1/0", True),
        ("plate.zarr/", "plate.zarr/A/1/0", True),
        ("pl*.zarr", "plate.zarr/A/1/0", True),
        ("plate.zarr", "plate.zarr2", False),
        ("s3://b/k/*.zarr", "s3://b/k/x.zarr", True),
        ("a.b", "axb", False),
    ],
)
def test_patterns_of_paths(pattern: str, path: str, matches: bool) -> None:
    mapping = table("source,microscope", f"{pattern},confocal")
    assert lines(mapping, place(path)) == ([2] if matches else [])


PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), min_size=1)


@example("=x.tif")
@example("-[1].tif")
@given(PATHS.filter(lambda path: path.strip() == path and not path.endswith("/")))
def test_an_escaped_path_matches_itself_and_only_itself(path: str) -> None:
    quoted = literal(path).replace('"', '""')
    mapping = table("source,microscope", f'"{quoted}",confocal')
    assert lines(mapping, place(path)) == [2]
    assert lines(mapping, place(f"{path}x")) == []
    assert lines(mapping, place(f"x{path}")) == []
    assert quoted[0] not in "=+-@"


def test_any_path_of_an_image_will_do() -> None:
    mapping = table("source,microscope", "/data/a/x.tif,confocal", "a/x.tif,widefield", "b/x.tif,sim")
    assert lines(mapping, place("a/x.tif", "/data/a/x.tif")) == [2, 3]


def test_series_wells_and_fields_narrow_a_row() -> None:
    mapping = table(
        "source,series,well,field,specimen",
        "**,1,,,actin",
        "**,,B3,,actin",
        "**,,B*,0,actin",
        "**,,b03,1,actin",
        "**,*,C1,,actin",
    )
    assert lines(mapping, place("x", plate=B3)) == [3, 5]
    assert lines(mapping, place("x", series=1)) == [2]
    assert lines(mapping, place("x", series=0)) == []
    assert lines(table("source,series,specimen", "**,0,actin"), place("x")) == [2], "one image is the first"


@pytest.mark.parametrize(
    ("cell", "matches"),
    [("", True), ("*", True), ("1", True), ("0", False), ("dapi", True), (" DAPI ", True), ("GFP", False)],
)
def test_channels_by_index_and_name(cell: str, matches: bool) -> None:
    (row,) = table("source,channel,specimen", f"**,{cell},actin").rows
    assert row.is_about_channel(NAMED, 2) == matches


def test_a_number_is_an_index_before_it_is_a_name() -> None:
    (row,) = table("source,channel,specimen", "**,0,actin").rows
    assert not row.is_about_channel(replace(NAMED, name="0"), 2)
    (row,) = table("source,channel,specimen", "**,488,actin").rows
    assert row.is_about_channel(replace(NAMED, name="488"), 2)


def test_terms_are_understood_as_in_headers_and_kept_as_evidence() -> None:
    (row,) = table(
        "Source;Microscope;Specimen;Organism", "**;Spinning-Disc confocal;our own structure;mouse"
    ).rows
    assert row.values == (
        Evidence("microscope", "spinning_disk", "fix.csv line 2", "Spinning-Disc confocal", 99),
        Evidence("specimen", "our own structure", "fix.csv line 2", "our own structure", 99),
        Evidence("organism", "Mus musculus", "fix.csv line 2", "mouse", 99),
    )


def test_what_spreadsheets_make_of_a_table() -> None:
    mapping = table("\ufeffpath\tmicroscope\tname\ttier\r", '"a\nb"\tconfocal\t\t\r', "\t\t\t\r", "x\tsim\r")
    assert [(row.line, row.source) for row in mapping.rows] == [(2, "a\nb"), (5, "x")]


@pytest.mark.parametrize(
    ("content", "where", "found", "expected"),
    [
        ("", "fix.csv", "empty", "source"),
        ("source,colour\n", "fix.csv line 1", "'colour'", "microscope"),
        ("source,specimen,specimen\n", "fix.csv line 1", "twice", "once"),
        ("microscope\nconfocal\n", "fix.csv line 1", "microscope", "source"),
        ("source,channel\n**,1\n", "fix.csv line 1", "source, channel", "microscope"),
        ("source,microscope\n,confocal\n", "fix.csv line 2, source", "empty", "**"),
        ("source,microscope\n\n**,konfocal\n", "fix.csv line 3, microscope", "'konfocal'", "confocal"),
        ("source,contrast\n**,shiny\n", "fix.csv line 2, contrast", "'shiny'", "transmitted"),
        ("source,organism\n**,martian\n", "fix.csv line 2, organism", "'martian'", "Homo sapiens"),
        ("source,series,microscope\n**,-1,sim\n", "fix.csv line 2, series", "'-1'", "index"),
        ("source,microscope\n[z-a].tif,sim\n", "fix.csv line 2, source", "bad character range", "[a-z]"),
        ("source,microscope\na,b,sim\n", "fix.csv line 2, cells", "3 cells", "2"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(content: str, where: str, found: str, expected: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_mapping(content, "--mapping fix.csv", TERMS)
    assert caught.value.where == f"--mapping {where}"
    assert found in caught.value.found
    assert expected in caught.value.expected


def test_the_term_that_was_meant_is_suggested() -> None:
    with pytest.raises(OptionError, match="did you mean 'confocal'"):
        table("source,microscope", "**,confokal")


def test_what_is_said_decides_and_settles_contradictions() -> None:
    header = document(
        channels('Name="DAPI" AcquisitionMode="WideField" IlluminationType="NonLinear"'),
    )
    known = only(header)
    assert any(one.startswith("microscope:") for one in known.conflicts)
    said = Evidence("microscope", "twophoton", "fix.csv line 2", "2p", 99)
    corrected = overrule(known, [said], TERMS.vocabulary)
    assert corrected.microscope == "twophoton"
    assert corrected.specimen == "nucleus"
    assert corrected.evidence[0] == said
    assert set(known.evidence) <= set(corrected.evidence)
    assert not any(one.startswith("microscope:") for one in corrected.conflicts)


def test_every_header_is_believed_less_than_a_mapping() -> None:
    known = channel('AcquisitionMode="WideField" ContrastMethod="Fluorescence"')
    assert max(clue.trust for clue in known.evidence) < 99


def test_a_value_can_be_taken_back() -> None:
    known = channel('Name="DAPI"')
    (row,) = table("source,specimen", "**,-").rows
    corrected = overrule(known, row.values, TERMS.vocabulary)
    assert known.specimen == "nucleus"
    assert corrected.specimen is None
    assert corrected.contrast == "fluorescence"


def test_the_contrast_follows_a_corrected_microscope_only_where_nothing_else_tells_it() -> None:
    said = Evidence("microscope", "widefield", "fix.csv line 2", "wf", 99)
    implied = channel('AcquisitionMode="BrightField"')
    assert implied.contrast == "transmitted"
    assert overrule(implied, [said], TERMS.vocabulary).contrast is None
    stated = channel('AcquisitionMode="BrightField" ContrastMethod="Brightfield"')
    assert overrule(stated, [said], TERMS.vocabulary).contrast == "transmitted"
    bright = Evidence("microscope", "brightfield", "fix.csv line 2", "bf", 99)
    assert overrule(channel(""), [bright], TERMS.vocabulary).contrast == "transmitted"
    corrected = Evidence("contrast", "fluorescence", "fix.csv line 2", "fluorescence", 99)
    assert overrule(stated, [corrected], TERMS.vocabulary).contrast == "fluorescence"


def test_thousands_of_rows_are_found_by_their_path() -> None:
    mapping = table("source,specimen", *(f"[=]a/{n}[[]x].tif,actin" for n in range(20_000)))
    assert not mapping._patterns
    assert lines(mapping, place("=a/77[x].tif")) == [79]
