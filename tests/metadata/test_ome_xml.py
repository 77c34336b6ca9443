"""Headers of all kinds are read channel by channel, and nothing well-formed is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autodip_zarr.domain import Acquisition, PixelSize
from autodip_zarr.metadata import load_vocabulary, read_acquisition, read_ome_xml

from .values import NAMESPACE, annotated, channel, channels, document, header, only, text

VOCABULARY = load_vocabulary()

LIT = "fluorescence"  # two photons excite it, and the other channels are siblings
CORPUS = {
    "OverViewScan": [("DAPI", "widefield", "fluorescence", "nucleus")],
    "ROI": [(None, "confocal", LIT, None), (None, "confocal", LIT, None), (None, "twophoton", LIT, None)],
    "MMStack": [
        ("Cy5", None, "fluorescence", None),
        ("DAPI", None, "fluorescence", "nucleus"),
        ("FITC", None, "fluorescence", None),
    ],
    "bad": [("Channel 1", None, None, None), (None, None, None, None), (None, None, None, None)],
    "hcs": [
        ("CH1", "confocal", "fluorescence", None),
        ("CH3", "confocal", "fluorescence", None),
        ("TD1", "confocal", "transmitted", None),
    ],
    "fake-plate-rows-2": [("Name", "flim", "transmitted", None)],
    "seq0000xy01c1": [("Mono", "widefield", "fluorescence", None)],
    "small": [
        ("Channel 0", None, None, None),
        ("Channel 1", None, None, None),
        ("Channel 2", None, None, None),
    ],
    "transformations-upgrade": [
        (None, "confocal", LIT, None),
        (None, "confocal", LIT, None),
        (None, "twophoton", LIT, None),
    ],
    "transfer": [(None, None, None, None)],
    "mapannotation": [(None, None, None, None)],
}


def read(folder: Path, name: str) -> tuple[Acquisition, ...]:
    path = folder / "data" / "ome-xml" / f"{name}.ome.xml"
    return read_ome_xml(text(path.read_text(encoding="utf-8"), path.name), VOCABULARY)


@pytest.mark.shared
def test_the_whole_corpus_is_read(shared: Path) -> None:
    paths = sorted((shared / "data" / "ome-xml").glob("*.xml")) + sorted(
        (shared / "data").rglob("METADATA.ome.xml")
    )
    assert len(paths) >= 40
    for path in paths:
        for image in read_ome_xml(text(path.read_text(encoding="utf-8"), path.name), VOCABULARY):
            assert image.channels
            for one in image.channels:
                assert all(evidence.source.startswith(f"{path.name}#/OME/") for evidence in one.evidence)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "expected"), CORPUS.items())
def test_channels_of_real_headers(
    shared: Path, name: str, expected: list[tuple[str | None, str | None, str | None, str | None]]
) -> None:
    found = read(shared, name)[0].channels
    assert [(one.name, one.microscope, one.contrast, one.specimen) for one in found] == expected


@pytest.mark.shared
def test_sizes_and_colours_of_real_headers(shared: Path) -> None:
    assert read(shared, "multi-channel-z-series")[0].pixel_size == PixelSize(None, None, None, None)
    assert read(shared, "ROI")[0].colors == ("800000", "800000", "800000")
    assert read(shared, "hcs")[0].pixel_size == PixelSize(0.207, 0.207, None, 120.1302)
    assert read(shared, "seq0000xy01c1")[0].pixel_size.x_um == pytest.approx(0.644888)


def test_the_stand_is_not_the_modality() -> None:
    instrument = '<Instrument ID="Instrument:0"><Microscope Type="Inverted" Model="Eclipse Ti"/></Instrument>'
    found = channel('Name="GFP"', instrument)
    assert found.microscope is None
    assert [one.raw for one in found.evidence if one.field == "microscope"] == ["Eclipse Ti"]


def test_one_image_can_mix_modalities() -> None:
    source = document(channels('AcquisitionMode="WideField"', 'AcquisitionMode="TIRF"'))
    (image,) = read_ome_xml(source, VOCABULARY)
    assert [one.microscope for one in image.channels] == ["widefield", "tirf"]


@pytest.mark.parametrize("mode", ["Other", "WideField"])
def test_contrast_is_a_field_apart(mode: str) -> None:
    found = channel(f'AcquisitionMode="{mode}" IlluminationType="Transmitted"')
    assert found.contrast == "transmitted"
    assert found.microscope == (None if mode == "Other" else "widefield")
    spinning = channel('AcquisitionMode="SpinningDiskConfocal" ContrastMethod="Brightfield"')
    assert (spinning.microscope, spinning.contrast) == ("spinning_disk", "transmitted")
    assert spinning.conflicts == ()


def test_non_linear_illumination_is_two_photon() -> None:
    assert channel('IlluminationType="NonLinear" PinholeSize="50"').microscope == "twophoton"
    assert channel('PinholeSize="50" PinholeSizeUnit="&#181;m"').microscope == "confocal"
    assert channel('PinholeSize="-1"').microscope is None


def test_what_was_tried_in_vain_is_kept() -> None:
    found = channel('Name="Alexa Fluor 488" AcquisitionMode="Other"')
    vain = {(one.field, one.raw) for one in found.evidence if one.value is None}
    assert vain == {("specimen", "Alexa Fluor 488"), ("microscope", "Other")}
    assert found.specimen is None
    assert found.contrast == "fluorescence"


def test_evidence_falls_in_trust_and_names_its_place() -> None:
    model = '<Instrument ID="Instrument:0"><Microscope Model="CSU-W1"/></Instrument>'
    found = channel('AcquisitionMode="WideField" Name="DAPI"', model)
    stated, scanner = (one for one in found.evidence if one.field == "microscope")
    assert (stated.value, scanner.value) == ("widefield", "spinning_disk")
    assert stated.trust > scanner.trust
    assert stated.source == "a.ome.xml#/OME/Image[1]/Pixels[1]/Channel[1]/@AcquisitionMode"
    assert found.microscope == "widefield"
    assert len(found.conflicts) == 1
    assert "CSU-W1" in found.conflicts[0]


def test_spinning_disk_id_beside_two_photon_evidence_warns() -> None:
    plain = only(annotated("Imaging Method", "FBbi_00000253"))
    assert (plain.microscope, plain.conflicts) == ("spinning_disk", ())
    (image,) = read_ome_xml(annotated("Imaging Method", "FBbi_00000253", "LSM 7 MP"), VOCABULARY)
    assert image.channels[0].microscope == "spinning_disk"
    assert any("FBbi_00000254" in warning for warning in image.warnings)


def test_a_generic_method_is_made_precise_by_a_compatible_one() -> None:
    found = only(annotated("Imaging Method", "confocal microscopy", "CSU-X1"))
    assert (found.microscope, found.conflicts) == ("spinning_disk", ())
    contradicted = only(annotated("Imaging Method", "spinning disk confocal", "LSM 7 MP"))
    assert contradicted.microscope == "spinning_disk"
    assert "twophoton" in contradicted.conflicts[0]


def test_what_the_schema_does_not_allow_is_read_with_a_warning() -> None:
    source = document('<Channel ID="c0" AcquisitionMode="Spinning Disk" Mood="good"/>')
    (image,) = read_ome_xml(source, VOCABULARY)
    assert image.channels[0].microscope == "spinning_disk"
    assert any("does not follow the OME schema" in warning for warning in image.warnings)
    (valid,) = read_ome_xml(document('<Channel ID="Channel:0" AcquisitionMode="WideField"/>'), VOCABULARY)
    assert valid.warnings == ()


def test_older_schemas_name_things_differently() -> None:
    old = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2008-09"><Image ID="Image:0" Name="old">'
        '<LogicalChannel ID="LogicalChannel:0" Name="DAPI" Mode="Laser scanning confocal" EmWave="460" '
        'ContrastMethod="Fluorescence"><ChannelComponent Index="0"/></LogicalChannel>'
        '<Pixels ID="Pixels:0" SizeC="1" PhysicalSizeX="0.1"/></Image></OME>'
    )
    (image,) = read_ome_xml(text(old), VOCABULARY)
    (found,) = image.channels
    assert (found.name, found.microscope, found.contrast, found.specimen) == (
        "DAPI",
        "confocal",
        "fluorescence",
        "nucleus",
    )
    assert image.pixel_size.x_um == 0.1


@pytest.mark.parametrize(
    "prefix", ["2003-FC", "2007-06", "2009-09", "2010-04", "2012-06", "2013-06", "2015-01"]
)
def test_namespaces_do_not_matter(prefix: str) -> None:
    source = document('<Channel ID="Channel:0" AcquisitionMode="WideField" Name="GFP"/>').content
    old = source.replace(NAMESPACE, f"http://www.openmicroscopy.org/Schemas/OME/{prefix}")
    assert only(text(old)).microscope == "widefield"
    qualified = old.replace("<", "<ome:").replace("<ome:/", "</ome:").replace("xmlns=", "xmlns:ome=")
    assert only(text(qualified)).microscope == "widefield"


def test_a_missing_channel_element_is_a_channel_all_the_same() -> None:
    (image,) = read_ome_xml(document('<Channel ID="Channel:0" Name="DAPI"/>', count=3), VOCABULARY)
    assert [one.name for one in image.channels] == ["DAPI", None, None]
    assert any("describes 1 channels, the image has 3" in warning for warning in image.warnings)
    (colour,) = read_ome_xml(
        document('<Channel ID="Channel:0" Name="H&amp;E" SamplesPerPixel="3"/>', count=3), VOCABULARY
    )
    assert [one.contrast for one in colour.channels] == ["transmitted"] * 3
    assert colour.warnings == ()


@pytest.mark.parametrize(
    ("elements", "count"), [(channels("", "", ""), 3), (channels('SamplesPerPixel="3"'), 3), ("", 1)]
)
def test_a_header_without_a_number_of_channels_has_those_that_it_lists(elements: str, count: int) -> None:
    content = document(elements, count=7).content.replace('SizeC="7"', "")
    (image,) = read_ome_xml(text(content), VOCABULARY)
    assert len(image.channels) == count


def test_the_image_of_the_header_is_picked() -> None:
    one = document('<Channel ID="Channel:0" Name="DAPI"/>').content
    image = one[one.index("<Image") : one.index("</OME>")]
    both = text(one.replace("</OME>", image.replace("DAPI", "LifeAct").replace("cells", "more") + "</OME>"))
    first = read_acquisition(header((both,)), VOCABULARY)
    second = read_acquisition(header((both,), image_index=1), VOCABULARY)
    absent = read_acquisition(header((both,), labels=("mito",), image_index=2), VOCABULARY)
    assert (first.name, first.channels[0].specimen) == ("cells", "nucleus")
    assert (second.name, second.channels[0].specimen) == ("more", "actin")
    assert (absent.name, absent.channels[0].specimen) == ("a", "mito")
    assert "has no image 2" in absent.warnings[0]


def test_labels_of_the_display_are_a_weaker_source() -> None:
    source = document('<Channel ID="Channel:0" Name="LifeAct-GFP"/>')
    found = read_acquisition(header((source,), labels=("DAPI",)), VOCABULARY).channels[0]
    assert found.specimen == "actin"
    assert any("DAPI" in conflict for conflict in found.conflicts)
    alone = read_acquisition(header((), labels=("DAPI", "GFP")), VOCABULARY)
    assert [one.specimen for one in alone.channels] == ["nucleus", None]
    assert [one.contrast for one in alone.channels] == ["fluorescence", "fluorescence"]
    assert alone.channels[0].evidence[0].source == "a.zarr/0#channels[0].label"


def test_colours_are_unpacked() -> None:
    source = document(channels('Color="16711935"', "", 'Color="-1"'))
    assert read_ome_xml(source, VOCABULARY)[0].colors == ("00FF00", None, "FFFFFF")


def test_reading_needs_no_torch_and_imports_ome_types_late() -> None:
    code = (
        "import sys, autodip_zarr.metadata as m\n"
        "m.load_vocabulary(); print({'torch', 'ome_types'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
