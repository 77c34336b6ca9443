"""Every source is believed in its order, and each says where it stands."""

from __future__ import annotations

import json

import pytest

from autodip_zarr.domain import ChannelMetadata, MetadataText
from autodip_zarr.errors import OptionError
from autodip_zarr.metadata import NamePattern, load_vocabulary, read_acquisition, read_ome_xml, read_patterns

from .values import annotated, channel, channels, document, header, only, text

VOCABULARY = load_vocabulary()


def original(*pairs: tuple[str, str]) -> str:
    notes = "".join(
        f"<XMLAnnotation><Value><OriginalMetadata><Key>{key}</Key><Value>{value}</Value></OriginalMetadata></Value>"
        "</XMLAnnotation>"
        for key, value in pairs
    )
    return f"<StructuredAnnotations>{notes}</StructuredAnnotations>"


def crate(*entities: dict[str, object]) -> MetadataText:
    return MetadataText("ro-crate-json", "ro-crate-metadata.json", json.dumps({"@graph": list(entities)}))


def first(texts: tuple[MetadataText, ...], label: str | None = None) -> ChannelMetadata:
    return read_acquisition(header(texts, labels=(label,)), VOCABULARY).channels[0]


def test_the_order_of_trust() -> None:
    """Attribute, ontology, annotation, optics, vendor's original, model: each loses to the one before."""
    said: list[tuple[str, MetadataText]] = [
        ("tirf", document(channels('AcquisitionMode="TIRF" IlluminationType="NonLinear"'))),
        ("spinning_disk", annotated("Imaging Method", "FBbi_00000253", "LSM 7 MP")),
        ("light_sheet", annotated("Imaging Method", "SPIM", "LSM 880")),
        ("twophoton", document(channels('IlluminationType="NonLinear"'), original(("Modality", "TIRF")))),
        ("tirf", document(channels(""), original(("Modality", "TIRF"), ("Microscope", "LSM 880")))),
    ]
    for expected, source in said:
        assert only(source).microscope == expected


def test_numbers_of_the_vendor_point_to_channels_and_images() -> None:
    notes = original(
        ("Information|Image|Channel|AcquisitionMode #1", "WideField"),
        ("Series 0 Information|Image|Channel|AcquisitionMode #2", "SpinningDiskConfocal"),
        ("Series 1 Information|Image|Channel|AcquisitionMode #1", "MultiPhotonMicroscopy"),
        ("Series 0 Information|Image|Channel|Fluor #1", "MitoTracker Red"),
    )
    source = document(channels("", ""), notes)
    found = read_acquisition(header((source,), labels=(None, None)), VOCABULARY).channels
    assert [one.microscope for one in found] == ["widefield", "spinning_disk"]
    assert [one.specimen for one in found] == ["mito", None]
    assert "AcquisitionMode" in found[0].evidence[0].source


def test_channels_of_the_vendor_may_be_named_in_the_key_or_not_at_all() -> None:
    notes = original(
        ("Channel 2 Modality", "TIRF"), ("Information|Image|Channel|Fluor #0", "MitoTracker Red")
    )
    source = document(channels("", ""), notes)
    found = read_acquisition(header((source,), labels=(None, None)), VOCABULARY).channels
    assert [one.microscope for one in found] == [None, "tirf"]
    assert [one.specimen for one in found] == [None, None], "of several channels, which is not known"
    (alone,) = read_ome_xml(document(channels(""), original(("Channel|Fluor #0", "MitoTracker"))), VOCABULARY)
    assert alone.channels[0].specimen == "mito"


@pytest.mark.parametrize(
    "kept",
    [
        "<Deep><Deeper><Modality>TIRF</Modality></Deeper></Deep>",
        '<Deep><Deeper Modality="TIRF"/></Deep>',
        '<Deep xmlns:v="urn:vendor"><Deeper v:Modality="TIRF"/></Deep>',
    ],
)
def test_what_vendors_keep_as_xml_of_their_own_is_understood(kept: str) -> None:
    note = f"<XMLAnnotation><Value>{kept}</Value></XMLAnnotation>"
    source = document(channels(""), f"<StructuredAnnotations>{note}</StructuredAnnotations>")
    assert only(source).microscope == "tirf"


def test_detectors_speak_against() -> None:
    settings = '<Channel ID="Channel:0" {}><DetectorSettings ID="Detector:0"/></Channel>'
    camera = '<Instrument ID="Instrument:0"><Detector ID="Detector:0" Type="{}"/></Instrument>'
    scanner = only(document(settings.format('PinholeSize="50"'), camera.format("EMCCD")))
    assert scanner.microscope == "confocal"
    assert "'EMCCD'" in scanner.conflicts[0]
    stated = only(document(settings.format('AcquisitionMode="WideField"'), camera.format("PMT")))
    assert stated.microscope == "widefield"
    assert "'PMT'" in stated.conflicts[0]
    right = only(document(settings.format('AcquisitionMode="WideField"'), camera.format("EMCCD")))
    assert right.conflicts == ()


def test_a_wide_field_channel_with_a_pinhole_is_believed_unless_a_sibling_is_confocal() -> None:
    alone = channel('AcquisitionMode="WideField" PinholeSize="38.3"')
    assert alone.microscope == "widefield"
    assert "38.3" in alone.conflicts[0]
    siblings = document(
        channels(
            'AcquisitionMode="WideField" PinholeSize="38.3"',
            'AcquisitionMode="LaserScanningConfocalMicroscopy" PinholeSize="38.3"',
        )
    )
    assert only(siblings).microscope == "confocal"
    assert "WideField" in only(siblings).conflicts[0]


def test_lasers_and_wavelengths() -> None:
    lit = '<Channel ID="Channel:0"><LightSourceSettings ID="LightSource:0"/></Channel>'
    laser = '<Instrument ID="Instrument:0"><Laser ID="LightSource:0" LaserMedium="TiSapphire"/></Instrument>'
    assert only(document(lit, laser)).microscope == "twophoton"
    assert channel("", laser).microscope is None
    assert channel('ExcitationWavelength="800" EmissionWavelength="460"').microscope == "twophoton"
    assert channel('ExcitationWavelength="785" EmissionWavelength="845"').microscope is None
    assert channel('ExcitationWavelength="488" EmissionWavelength="525"').microscope is None
    assert channel('ExcitationWavelength="640" EmissionWavelength="520"').microscope is None
    emitting = lit.replace("/>", "{}/>").replace('0">', '0" EmissionWavelength="460">', 1)
    tuned = '<Instrument ID="Instrument:0"><Laser ID="LightSource:0" Wavelength="800"/></Instrument>'
    assert only(document(emitting.format(""), tuned)).microscope == "twophoton"
    assert only(document(emitting.format(' Wavelength="405"'), tuned)).microscope is None
    assert only(document(emitting.format(' Wavelength="800"'))).microscope == "twophoton"


def test_reagents_count_where_they_name_the_dye() -> None:
    plate = (
        '<Plate><Well><WellSample><ImageRef ID="Image:0"/></WellSample><ReagentRef ID="Reagent:0"/></Well>'
        '</Plate><Screen><Reagent ID="Reagent:0" Name="{}"/></Screen>'
    )
    dye = document(channels('Name="AF488"'), plate.format("phalloidin AF488"))
    treatment = document(channels('Name="AF488"'), plate.format("siRNA ACTB"))
    assert only(dye).specimen == "actin"
    assert only(treatment).specimen is None
    unclear = document(channels('Name="AF488"'), plate.format("AF488 mix"))
    assert {one.raw for one in only(unclear).evidence} == {"AF488"}
    for name, specimen in (("Cy5", "actin"), ("A4", None)):  # two letters may stand for anything
        reagent = document(channels(f'Name="{name}"'), plate.format(f"phalloidin {name}"))
        assert only(reagent).specimen == specimen


def test_the_name_of_a_channel_is_believed_before_its_fluorophore() -> None:
    found = channel('Name="LifeAct" Fluor="DAPI"')
    assert found.specimen == "actin"
    assert "'DAPI'" in found.conflicts[0]


def test_annotations_tell_the_contrast_and_prose_without_a_modality_tells_nothing() -> None:
    assert only(annotated("Contrast Method", "phase contrast")).contrast == "transmitted"
    described = document(channels(""), image="<Description>cells on a rainy day</Description>")
    assert only(described).evidence == ()
    parts = '<Instrument ID="Instrument:0"><Objective Model="Plan 20x"/><Detector Model="Eye"/></Instrument>'
    assert only(document(channels(""), parts)).evidence == ()


def test_curated_channels_are_found_by_name_and_by_position() -> None:
    def specimens(value: str, *names: str) -> list[str | None]:
        note = f'<MapAnnotation ID="A:1"><Value><M K="Channels">{value}</M></Value></MapAnnotation>'
        rest = f"<StructuredAnnotations>{note}</StructuredAnnotations>"
        source = document(channels(*names), rest).content
        linked = text(source.replace("</Pixels>", '</Pixels><AnnotationRef ID="A:1"/>'))
        count = tuple(None for _ in names)
        return [
            one.specimen for one in read_acquisition(header((linked,), labels=count), VOCABULARY).channels
        ]

    assert specimens("GFP:tubulin;DAPI:nuclei", 'Name="DAPI"', 'Name="GFP"') == ["nucleus", "tubulin"]
    assert specimens("Hoechst: DNA; FITC: actin", "", "") == ["nucleus", "actin"]
    assert specimens("Hoechst: DNA; FITC: actin", "", "", "") == [None, None, None]


def test_a_reference_to_a_companion_file_is_said() -> None:
    stub = text('<OME><BinaryOnly MetadataFile="plate.companion.ome" UUID="urn:uuid:1"/></OME>')
    acquisition = read_acquisition(header((stub,), labels=("DAPI",)), VOCABULARY)
    assert acquisition.channels[0].specimen == "nucleus"
    assert "'plate.companion.ome'" in acquisition.warnings[0]


def test_pairs_may_lie_in_a_map_of_their_own() -> None:
    nested = annotated("Imaging Method", "TIRF").content.replace("<Value>", "<Value><Map>")
    assert only(text(nested.replace("</Value>", "</Map></Value>"))).microscope == "tirf"


def test_what_is_said_of_a_plate_holds_for_its_images() -> None:
    plate = (
        '<Plate><AnnotationRef ID="A:1"/><Well><WellSample><ImageRef ID="Image:0"/></WellSample></Well>'
        '</Plate><StructuredAnnotations><MapAnnotation ID="A:1"><Value><M K="Species">mouse</M></Value>'
        "</MapAnnotation></StructuredAnnotations>"
    )
    assert only(document(channels(""), plate)).organism == "Mus musculus"


@pytest.mark.parametrize("name", ["Ex:488 Em:525", "Ex/Em 488/525", "Em", "EM", "CT", "MP", "LS"])
def test_abbreviations_in_channel_names_are_no_modality(name: str) -> None:
    assert channel(f'Name="{name}"').microscope is None


def test_crates_are_understood_in_any_spelling() -> None:
    full = crate(
        {"@id": "#a", "@type": "image_acquisition", "fbbi_id": {"@id": "obo:FBbi_00000254"}},
        {"@id": "#b", "@type": "biosample", "organism_classification": {"@id": "NCBI:txid10090"}},
    )
    found = first((full,))
    assert (found.microscope, found.contrast, found.organism) == ("twophoton", "fluorescence", "Mus musculus")
    assert found.evidence[0].source == "ro-crate-metadata.json#/@graph[0]/fbbi_id"
    minimal = crate(
        {"@id": "./", "acquisiton_method": ["_:b0"]}, {"@id": "_:b0", "@type": ["obo:FBbi_00000251"]}
    )
    assert first((minimal,)).microscope == "confocal"
    by_name = crate({"@id": "./", "acquisition_method": {"@id": "#m"}}, {"@id": "#m", "name": "light sheet"})
    assert first((by_name,)).microscope == "light_sheet"


def test_a_transmitted_channel_stays_transmitted_beside_a_fluorescence_crate() -> None:
    found = first((crate({"@id": "#a", "fbbi_id": "FBbi:00000246"}),), "DIC")
    assert (found.microscope, found.contrast) == ("dic", "transmitted")
    confocal = first((crate({"@id": "#a", "fbbi_id": "FBbi:00000251"}),), "T-PMT")
    assert (confocal.microscope, confocal.contrast, confocal.conflicts) == ("confocal", "transmitted", ())


@pytest.mark.parametrize(
    "content", ["", "[]", "null", "{", '{"@graph": 3}', '{"@graph": [3, null, "x"]}', "[" * 99_999]
)
def test_side_documents_are_never_an_error(content: str) -> None:
    for kind in ("ro-crate-json", "zarr-attributes-json", "omero-json"):
        side = MetadataText(kind, "side.json", content)
        assert first((side,), "DAPI").specimen == "nucleus"


def test_attributes_of_a_group_speak_by_known_keys() -> None:
    attributes = {
        "multiscales": [{"type": "gaussian"}],
        "acq": {"Imaging Method": "TIRF", "species": "human"},
    }
    found = first((MetadataText("zarr-attributes-json", "a.zarr/.zattrs", json.dumps(attributes)),))
    assert (found.microscope, found.organism) == ("tirf", "Homo sapiens")
    assert found.evidence[0].source == "a.zarr/.zattrs#/acq/Imaging Method"
    for number, organism in ((9606, "Homo sapiens"), (True, None)):
        side = MetadataText("zarr-attributes-json", "a.zarr/.zattrs", json.dumps({"species": number}))
        assert first((side,)).organism == organism


def test_file_names_are_a_guess_by_the_users_own_patterns() -> None:
    pattern = NamePattern(r"(?P<microscope>TwoPhoton|WideField)_\w+_(?P<specimen>DAPI|Mito)")
    second = NamePattern("(?P<specimen>LifeAct)", channel=1)
    one = header((), labels=(None, None))
    named = type(one)(
        **{**vars(one), "ref": type(one.ref)(**{**vars(one.ref), "uri": "x/TwoPhoton_BPAE_DAPI_LifeAct"})}
    )
    found = read_acquisition(named, VOCABULARY, (pattern, second)).channels
    assert [one.microscope for one in found] == ["twophoton", "twophoton"]
    assert found[0].specimen == "nucleus"
    assert {one.trust for one in found[0].evidence if one.field == "specimen"} == {10}
    assert "pattern" in found[0].evidence[0].source
    assert read_acquisition(named, VOCABULARY).channels[0].microscope is None
    labelled = header((), labels=("LifeAct",))
    assert (
        read_acquisition(labelled, VOCABULARY, (NamePattern("(?P<specimen>a)"),)).channels[0].specimen
        == "actin"
    )


@pytest.mark.parametrize("expression", ["(", "plain", "(?P<stand>x)"])
def test_patterns_that_make_no_sense(expression: str) -> None:
    with pytest.raises(OptionError, match="pattern"):
        NamePattern(expression)


def test_patterns_of_a_file_speak_about_all_channels_or_one() -> None:
    expression = "expression = '(?P<specimen>x)'"
    content = f"[[pattern]]\n{expression}\n[[pattern]]\n{expression}\nchannel = 0\n"
    assert [one.channel for one in read_patterns(content, "p.toml")] == [None, 0]


@pytest.mark.parametrize(
    ("content", "where", "found"),
    [
        ("", "p.toml", "no table"),
        ('[[pattern]]\nexpression = "\\d"', "p.toml", "no TOML"),
        ("colour = 3\n[[pattern]]\nexpression = 'x'", "p.toml", "the keys colour"),
        ("pattern = [3]", "p.toml: pattern 1", "3"),
        ("[[pattern]]\nchannel = 1", "p.toml: pattern 1", "the keys channel"),
        ("[[pattern]]\nexpression = '(?P<specimen>x)'\nchanel = 1", "p.toml: pattern 1", "chanel"),
        ("[[pattern]]\nexpression = '(?P<specimen>x)'\nchannel = -1", "p.toml: pattern 1, channel", "-1"),
        ("[[pattern]]\nexpression = '(?P<specimen>x)'\nchannel = true", "p.toml: pattern 1, channel", "True"),
        ("[[pattern]]\nexpression = 3", "p.toml: pattern 1, expression", "3"),
        ("[[pattern]]\nexpression = '(?P<stand>x)'", "p.toml: pattern 1", "stand"),
    ],
)
def test_patterns_of_a_file_that_make_no_sense_are_named(content: str, where: str, found: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_patterns(content, "p.toml")
    assert caught.value.where == where
    assert found in caught.value.found


@pytest.mark.parametrize("name", ["DAPI, phalloidin", "phalloidin + mitotracker + DAPI"])
def test_a_channel_of_several_labels_is_of_none_and_says_so(name: str) -> None:
    found = channel(f'Name="{name}"')
    assert (found.specimen, found.contrast) == (None, "fluorescence")
    (conflict,) = found.conflicts
    assert repr(name) in conflict
    assert "none is taken" in conflict
