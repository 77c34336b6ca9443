"""Whatever tells about a channel reaches the result through real stores and files, as a user would see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from tests.stores.builders import ome_xml, pixels, write_group, write_image, write_json, write_pages

CORPUS = Path(__file__).resolve().parents[1] / "metadata" / "corpus"
OMERO = {"omero": {"channels": [{"label": "Hoechst 33342"}, {"label": "Phalloidin-AF568"}]}}
CRATE_OF_CHALLENGE = {
    "@context": "https://w3id.org/ro/crate/1.1/context",
    "@graph": [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        {"@id": "./", "@type": "Dataset", "resultOf": {"@id": "#acquisition"}},
        {
            "@id": "#acquisition",
            "@type": "image_acquisition",
            "specimen": {"@id": "#specimen"},
            "fbbi_id": {"@id": "obo:FBbi_00000251"},
        },
        {"@id": "#specimen", "@type": "specimen", "biosample": {"@id": "#biosample"}},
        {"@id": "#biosample", "@type": "biosample", "organism_id": {"@id": "obo:NCBITaxon_9606"}},
    ],
}


def inspect(source: Path) -> list[dict[str, Any]]:
    """Return the channels of the one image of a source."""
    result = CliRunner().invoke(main, ["inspect", str(source), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    (image,) = json.loads(result.stdout)["images"]
    assert image["warnings"] == []
    return list(image["channels"])


def terms(source: Path, *names: str) -> list[tuple[object, ...]]:
    """Return some terms of each channel."""
    return [tuple(channel[name] for name in names) for channel in inspect(source)]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_omero_labels(tmp_path: Path, zarr_format: int) -> None:
    store = write_image(tmp_path / "x.zarr", pixels((2, 8, 9)), "cyx", 3 if zarr_format == 3 else 2, OMERO)
    assert terms(store, "specimen", "contrast") == [("nucleus", "fluorescence"), ("actin", "fluorescence")]


def test_crate_beside_the_image(tmp_path: Path) -> None:
    store = write_image(tmp_path / "x.zarr", pixels((2, 8, 9)), "cyx", 3, OMERO)
    write_json(store / "ro-crate-metadata.json", CRATE_OF_CHALLENGE)
    assert terms(store, "microscope", "organism") == [("confocal", "Homo sapiens")] * 2


def test_crate_at_the_root_of_a_store_of_several_images(tmp_path: Path) -> None:
    store = tmp_path / "x.zarr"
    write_group(store, 2, {"bioformats2raw.layout": 3})
    write_image(store / "0", pixels((1, 8, 9)), "cyx", 2)
    write_json(store / "ro-crate-metadata.json", CRATE_OF_CHALLENGE)
    assert terms(store, "microscope") == [("confocal",)]


def test_attributes_of_the_image_and_of_the_root(tmp_path: Path) -> None:
    store = tmp_path / "x.zarr"
    write_json(store / "zarr.json", _root({"bioformats2raw.layout": 3}, {"Organism": "Mus musculus"}))
    image = write_image(store / "0", pixels((2, 8, 9)), "cyx", 3)
    document = json.loads((image / "zarr.json").read_text())
    document["attributes"]["annotations"] = {
        "Imaging Method": "spinning disk confocal microscopy",
        "Channels": "Hoechst:nuclei; MitoTracker:mitochondria",
    }
    write_json(image / "zarr.json", document)
    expected = [("spinning_disk", "nucleus", "Mus musculus"), ("spinning_disk", "mito", "Mus musculus")]
    assert terms(store, "microscope", "specimen", "organism") == expected


def _root(ome: dict[str, object], others: dict[str, object]) -> dict[str, object]:
    attributes = {"ome": {"version": "0.5", **ome}, **others}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def test_header_of_a_store(tmp_path: Path) -> None:
    store = tmp_path / "x.zarr"
    write_group(store, 2, {"bioformats2raw.layout": 3})
    write_image(store / "0", pixels((1, 3, 1, 8, 9)), "tczyx", 2)
    (store / "OME").mkdir()
    write_group(store / "OME", 2, {"series": ["0"]})
    (store / "OME" / "METADATA.ome.xml").write_text((CORPUS / "leica_sp8.ome.xml").read_text())
    expected = [("confocal", "nucleus"), ("confocal", None), ("confocal", "mito")]
    assert terms(store, "microscope", "specimen") == expected


def in_tiff(folder: Path, header: str, count: int) -> Path:
    """Write a header as the description of a TIFF of small planes."""
    return write_pages(folder / "x.ome.tif", pixels((count, 8, 9)), header)


def annotated(annotations: str, references: str) -> str:
    """Return a header of two channels that refer to some annotations."""
    header = ome_xml([(1, 2, 1, 8, 9)])
    header = header.replace("</Image>", f"{references}</Image>")
    return header.replace("</OME>", f"<StructuredAnnotations>{annotations}</StructuredAnnotations></OME>")


def test_map_annotation_of_a_tiff(tmp_path: Path) -> None:
    pairs = {
        "Imaging Method": "confocal microscopy",
        "Organism": "Drosophila melanogaster",
        "Channels": "ch0:tubulin;ch1:actin",
    }
    values = "".join(f'<M K="{key}">{value}</M>' for key, value in pairs.items())
    note = f'<MapAnnotation ID="Annotation:0"><Value>{values}</Value></MapAnnotation>'
    header = annotated(note, '<AnnotationRef ID="Annotation:0"/>')
    expected = [
        ("confocal", "tubulin", "Drosophila melanogaster"),
        ("confocal", "actin", "Drosophila melanogaster"),
    ]
    assert terms(in_tiff(tmp_path, header, 2), "microscope", "specimen", "organism") == expected


def test_originals_of_a_vendor_in_a_tiff(tmp_path: Path) -> None:
    key, value = "Experiment|AcquisitionBlock|MultiTrackSetup|Microscope System #1", "LSM 880"
    note = (
        '<XMLAnnotation ID="Annotation:0" Namespace="openmicroscopy.org/OriginalMetadata"><Value>'
        f"<OriginalMetadata><Key>{key}</Key><Value>{value}</Value></OriginalMetadata></Value></XMLAnnotation>"
    )
    header = annotated(note, '<AnnotationRef ID="Annotation:0"/>')
    assert terms(in_tiff(tmp_path, header, 2), "microscope") == [("confocal",), ("confocal",)]


def test_companion_file(tmp_path: Path) -> None:
    """The header of a TIFF may say no more than in which file the metadata lies."""
    header = ome_xml([(1, 1, 1, 8, 9)], data={0: '<TiffData><UUID FileName="a.ome.tif">u</UUID></TiffData>'})
    header = header.replace('Name="ch0"', 'Name="DAPI" AcquisitionMode="SPIM"', 1)
    (tmp_path / "set.companion.ome").write_text(header)
    stub = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<BinaryOnly MetadataFile="set.companion.ome" UUID="u"/></OME>'
    )
    write_pages(tmp_path / "a.ome.tif", pixels((1, 8, 9)), stub)
    assert terms(tmp_path / "a.ome.tif", "microscope", "specimen") == [("light_sheet", "nucleus")]


def test_a_shaky_header_of_a_tiff(tmp_path: Path) -> None:
    shaky = 'Name="ch0" PinholeSize="-1" EmissionWavelength="488600"'
    header = ome_xml([(1, 1, 1, 8, 9)]).replace('Name="ch0"', shaky, 1)
    (known,) = inspect(in_tiff(tmp_path, header, 1))
    assert (known["microscope"], known["contrast"]) == (None, "fluorescence")
    assert "-1" in [clue["raw"] for clue in known["evidence"] if clue["value"] is None]
