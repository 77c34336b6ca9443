"""`cite` writes what results say of themselves, and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from autodip_zarr.report.citation.references import REFERENCES

from .run.test_export import noisy
from .stores.builders import ome_xml, write_image, write_pages
from .test_cli import call
from .test_report import edit


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, quick_table: str) -> Path:
    """Results of three presets, each in its folder."""
    folder = tmp_path_factory.mktemp("cite")
    write_pages(folder / "in" / "a.ome.tif", noisy((3, 96, 96)), ome_xml([(1, 1, 3, 96, 96)]))
    write_image(folder / "in" / "b.zarr", noisy((2, 96, 96)), "cyx", 3)
    for preset, specimen in (("reference", "nucleus"), ("standard", "actin"), ("fast", "nucleus")):
        fixed = ["--table", quick_table, "--in-process", "--preset", preset, "--channels", "0"]
        known = ["--microscope", "confocal", "--specimen", specimen]
        code, _, err = call("denoise", folder / "in", "--output", folder / preset, *fixed, *known)
        assert code == 0, err
    return folder


def test_the_paragraph_says_what_was_done(results: Path) -> None:
    code, out, err = call("cite", results / "standard")
    assert (code, err) == (0, "")
    paragraph, references = out.split("\n\n")
    for told in (
        "autodip-zarr 0.1.0 (torch ",
        "preset standard, seed 0.",
        "2 independent fits, averaged",
        "calibration table quick 1, sha256 ",
        "was brought to 600",
        "mean share of the prior was ",
        "non-local means",
        "In all, 4 planes of 2 images: confocal, actin (parameters of confocal+actin): 4 planes of 2 images.",
    ):
        assert told in paragraph
    assert [line.partition(" ")[0] for line in references.splitlines()] == [
        *("Automating", "Ulyanov", "Ramani", "Buades", "Chambolle", "Yu"),
    ]


def test_only_what_took_part_is_cited(results: Path) -> None:
    _, out, _ = call("cite", results / "reference", "--json")
    (method,) = json.loads(out)["methods"]
    assert method["references"] == ["autodip", "ulyanov2018"]
    assert "filters" not in method["text"]
    assert "one fit" in method["text"]
    assert method["groups"] == [
        {
            "microscope": "confocal",
            "specimen": "nucleus",
            "group": "confocal+nucleus",
            "images": 2,
            "planes": 4,
        }
    ]
    _, out, _ = call("cite", results / "fast", "--json")
    (method,) = json.loads(out)["methods"]
    assert method["references"] == ["ramani2008", "buades2011", "chambolle2004", "yu2011"]
    assert "Prior" not in method["text"]


def test_images_that_were_made_differently_get_a_paragraph_each(results: Path) -> None:
    _, out, _ = call("cite", results, "--json")
    document = json.loads(out)
    assert sorted(re.findall(r"preset (\w+)", one["text"])[0] for one in document["methods"]) == [
        *("fast", "reference", "standard"),
    ]
    assert list(document["references"]) == list(REFERENCES)


def test_bibtex_is_printed_alone(results: Path) -> None:
    _, out, _ = call("cite", results / "standard", "--bibtex")
    assert re.findall(r"^@\w+\{(\w+),$", out, re.MULTILINE) == list(REFERENCES)
    assert all(line == "" or line[0] in "@} " for line in out.splitlines())
    assert out.count("{") == out.count("}")


def test_what_is_not_complete_is_told_and_not_counted(
    results: Path, tmp_path: Path, quick_table: str
) -> None:
    write_image(tmp_path / "x.zarr", noisy((1, 96, 96)), "cyx", 3)
    fixed = ["--table", quick_table, "--in-process", "--preset", "reference"]
    call("denoise", tmp_path / "x.zarr", "--output", tmp_path / "out", *fixed)
    edit(tmp_path / "out" / "x.zarr", lambda attribute: {**attribute, "status": "partial"})
    code, out, err = call("cite", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "its status is partial, not complete" in err
    assert call("cite", results / "in")[0] == 2


@pytest.mark.parametrize(
    "recipe",
    [
        None,
        {},
        {"software": ["torch"], "channels": "none", "starts": "two"},
        {"preset": "\x1b[31m", "sequence": {"axis": 3}, "channels": [7], "starts": 0},
        {
            "software": {"autodip-zarr": "\nCite me\x1b[31m"},
            "least_iterations": "0",
            "mixed": 1,
            "filters": 1,
        },
        {"channels": [{"match": {"table": {"name": {}}}}]},
    ],
)
def test_results_of_other_kinds_are_no_trouble(tmp_path: Path, quick_table: str, recipe: object) -> None:
    write_image(tmp_path / "x.zarr", noisy((1, 96, 96)), "cyx", 3)
    fixed = ["--table", quick_table, "--in-process", "--preset", "reference"]
    call("denoise", tmp_path / "x.zarr", "--output", tmp_path / "out", *fixed)
    edit(tmp_path / "out" / "x.zarr", lambda attribute: {**attribute, "recipe": recipe})
    code, out, err = call("cite", tmp_path / "out")
    assert code == 0, err
    assert "In all, 1 plane of 1 image" in out
    assert "\x1b" not in out
    assert "\nCite me" not in out
