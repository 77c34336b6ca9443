"""Metadata corrected at scale: the table of `inspect` edited, given back, and seen in plan and record."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from autodip_zarr.cli import main
from autodip_zarr.stores import read_attributes
from autodip_zarr.stores.sample import Sample, SampleChannel, write_sample_tiff
from tests.samples import make_sample, write_archive
from tests.stores.builders import ome_xml, pixels, write_image, write_json, write_pages, write_plate

from .results import Run

Row = dict[str, str]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def plan(*arguments: object) -> dict[str, Any]:
    result = call("plan", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def write_table(path: Path, *sources: object) -> list[Row]:
    """Write the table of some sources, and return its rows."""
    result = call("inspect", *sources, "--table", path)
    assert result.exit_code == 0, result.stderr
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def edit(path: Path, change: Callable[[Row], None]) -> None:
    """Change the rows of a table, as a spreadsheet does."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        change(row)
    with path.open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def channels(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [channel for image in document["images"] for channel in image["channels"]]


def test_table_of_an_archive(tmp_path: Path) -> None:
    archive, table = write_archive(tmp_path / "archive"), tmp_path / "t.csv"
    stack, dapi, mito, lapse = write_table(table, archive)
    assert [row["source"] for row in (stack, dapi, mito, lapse)] == [
        "a/stack.ome.tif",
        "a/two.zarr",
        "a/two.zarr",
        "b/lapse.ome.zarr",
    ]
    assert (mito["channel"], mito["name"]) == ("1", "MitoTracker Red")
    assert (mito["microscope"], mito["contrast"], mito["specimen"]) == ("confocal", "fluorescence", "mito")
    assert (mito["tier"], mito["group"]) == ("microscope+specimen", "confocal+mito")
    assert "'LaserScanningConfocalMicroscopy' says confocal" in mito["microscope_from"]
    assert "@AcquisitionMode" in mito["microscope_from"]
    assert mito["organism"] == mito["organism_from"] == mito["well"] == ""


def test_a_table_given_back_unchanged_changes_nothing(tmp_path: Path) -> None:
    archive, table = write_archive(tmp_path / "archive"), tmp_path / "t.csv"
    before = write_table(table, archive)
    known = call("inspect", archive, "--json").stdout
    planned = plan(archive)
    assert call("inspect", archive, "--mapping", table, "--json").stdout == known
    assert plan(archive, "--mapping", table) == planned
    assert write_table(tmp_path / "again.csv", archive, "--mapping", table) == before


def test_a_plate_corrected_by_its_table(tmp_path: Path) -> None:
    store, table = write_plate(tmp_path / "plate.zarr", 2), tmp_path / "t.csv"
    rows = write_table(table, store)
    assert [(row["source"], row["well"], row["field"]) for row in rows] == [
        ("plate.zarr/A/1/0", "A1", "0"),
        ("plate.zarr/A/1/1", "A1", "1"),
        ("plate.zarr/B/2/0", "B2", "0"),
        ("plate.zarr/B/2/1", "B2", "1"),
    ]

    def change(row: Row) -> None:
        row["microscope"] = "widefield"
        if row["well"] == "B2":
            row["specimen"] = "actin"

    edit(table, change)
    found = plan(store, "--mapping", table)
    assert [channel["group"] for channel in channels(found)] == ["widefield"] * 2 + ["widefield+actin"] * 2
    assert write_table(tmp_path / "again.csv", store, "--mapping", table)[2]["specimen_from"] == (
        "trust 99 'actin' says actin (t.csv line 4)"
    )


def test_a_plate_map_of_wells(tmp_path: Path) -> None:
    write_plate(tmp_path / "plate.zarr", 3)
    mapping = tmp_path / "map.csv"
    mapping.write_text(
        "source,well,microscope,specimen\n**,,confocal,\nplate.zarr,a01,,nucleus\n**,B*,,mito\n"
    )
    found = channels(plan(tmp_path, "--mapping", mapping))
    assert [channel["group"] for channel in found] == ["confocal+nucleus"] * 2 + ["confocal+mito"] * 2


def test_five_hundred_images_corrected_by_their_table(tmp_path: Path) -> None:
    archive, table = tmp_path / "archive", tmp_path / "t.csv"
    images = 500
    template = write_image(tmp_path / "template", pixels((2, 4, 4)), "cyx", 2, _labels("ch0", "DAPI"))
    names = [f"{number % 7}/image {number}, [x].zarr" for number in range(images)]
    for name in names:
        _copy(template, archive / name)
    rows = write_table(table, archive)
    assert len(rows) == 2 * images
    assert [row["specimen"] for row in rows[:2]] == ["", "nucleus"]

    def change(row: Row) -> None:
        number = int(row["source"].split("image ")[1].split(",")[0])
        if row["channel"] == "0":
            row["microscope"] = ("confocal", "widefield")[number % 2]
            row["specimen"] = ("actin", "mito", "")[number % 3]

    edit(table, change)
    found = plan(archive, "--mapping", table)
    assert "warnings" not in found
    groups = {image["source"]: [c["group"] for c in image["channels"]] for image in found["images"]}
    assert len(groups) == images
    for number, name in enumerate(names):
        microscope, specimen = ("confocal", "widefield")[number % 2], ("actin", "mito", "")[number % 3]
        first = f"{microscope}+{specimen}" if specimen else microscope
        assert groups[str(archive / name)] == [first, "global"]


def _labels(*names: str) -> dict[str, object]:
    return {"omero": {"channels": [{"label": name} for name in names]}}


def _copy(template: Path, target: Path) -> None:
    """Copy an image without its pixels, which nobody reads here."""
    for name in (".zgroup", ".zattrs", "0/.zarray"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes((template / name).read_bytes())


def test_the_same_path_in_two_sources(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_sample_tiff(tmp_path / folder / "x.ome.tif", make_sample("x"))
    table = tmp_path / "t.csv"
    rows = write_table(table, tmp_path / "one", tmp_path / "two")
    assert [row["source"] for row in rows] == [str(tmp_path / f / "x.ome.tif") for f in ("one", "two")]
    edit(table, lambda row: row.update(specimen="actin" if "one" in row["source"] else "mito"))
    found = channels(plan(tmp_path / "one", tmp_path / "two", "--mapping", table))
    assert [channel["specimen"] for channel in found] == ["actin", "mito"]


def test_paths_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "archive")
    monkeypatch.chdir(tmp_path)
    Path("fix.csv").write_text("source,specimen\narchive/a/*.tif,actin\n")
    (stack,) = channels(plan("archive/a/stack.ome.tif", "--mapping", "fix.csv"))
    assert stack["specimen"] == "actin"


def test_hostile_names_stay_in_their_cells(tmp_path: Path) -> None:
    name = '=HYPERLINK("http://x"),\n"a"'
    table = tmp_path / "t.csv"
    store = write_image(tmp_path / "+x.zarr", pixels((1, 8, 9)), "cyx", 3, _labels(name))
    (row,) = write_table(table, store)
    assert row["name"] == '\'=HYPERLINK("http://x"), "a"'
    assert row["source"] == "[+]x.zarr"
    edit(table, lambda row: row.update(specimen="actin"))
    assert channels(plan(store, "--mapping", table))[0]["specimen"] == "actin"


def test_what_a_mapping_says_stands_between_header_and_command_line(tmp_path: Path) -> None:
    source, mapping = tmp_path / "x.ome.tif", tmp_path / "fix.csv"
    write_sample_tiff(source, make_sample("x"))
    mapping.write_text("source,microscope,specimen,organism\n**,confocal,actin,yeast\n")
    result = call("inspect", source, "--mapping", mapping, "--specimen", "mito", "--json")
    (known,) = json.loads(result.stdout)["images"][0]["channels"]
    assert (known["microscope"], known["specimen"]) == ("confocal", "mito")
    assert known["organism"] == "Saccharomyces cerevisiae"
    best: dict[str, tuple[str, int]] = {}
    for clue in known["evidence"]:
        best.setdefault(clue["field"], (clue["source"], clue["trust"]))
    assert best["microscope"] == ("fix.csv line 2", 99)
    assert best["specimen"] == ("--specimen", 100)


def test_rows_that_match_nothing_are_told(tmp_path: Path) -> None:
    source, mapping = tmp_path / "x.ome.tif", tmp_path / "fix.csv"
    write_sample_tiff(source, make_sample("x"))
    mapping.write_text("source,channel,specimen\nx.ome.tif,0,actin\ny.ome.tif,,actin\nx.ome.tif,7,mito\n")
    result = call("plan", source, "--mapping", mapping)
    expected = (
        "warning: --mapping: 2 of 3 rows match no channel of these images: "
        "line 3 (y.ome.tif, channel *), line 4 (x.ome.tif, channel 7)"
    )
    assert expected in result.stdout
    result = call("inspect", source, "--mapping", mapping, "--json")
    assert expected in result.stderr
    assert json.loads(result.stdout)["warnings"] == [expected.removeprefix("warning: ")]


@pytest.mark.parametrize("command", ["plan", "inspect", "denoise", "preview"])
@pytest.mark.parametrize("option", ["--mapping", "--patterns", "--vocabulary"])
def test_files_that_are_wrong_are_named(command: str, option: str, tmp_path: Path) -> None:
    source, wrong = tmp_path / "x.ome.tif", tmp_path / "wrong"
    write_sample_tiff(source, make_sample("x"))
    more = ["--output", tmp_path / "o"] if command == "denoise" else []
    for content in (None, b"\xff\xfe\x00", b"[[nothing]]\nuseful,1"):
        if content is not None:
            wrong.write_bytes(content)
        result = call(command, source, option, wrong, *more)
        assert result.exit_code == 2, result.output
        assert str(wrong) in result.stderr


def test_patterns_are_a_guess(tmp_path: Path) -> None:
    for name in ("Confocal_42_Mito.ome.tif", "nothing.ome.tif"):
        silent = Sample(name, make_sample("x").pixels, 0.25, (SampleChannel("ch0", None),))
        write_sample_tiff(tmp_path / name, silent)
    patterns = tmp_path / "names.toml"
    patterns.write_text(
        "[[pattern]]\nexpression = '(?P<microscope>Confocal|WideField)_.*_(?P<specimen>DAPI|Mito)'\n"
    )
    guessed, unknown = channels(plan(tmp_path, "--patterns", patterns))
    assert (guessed["group"], unknown["group"]) == ("confocal+mito", "global")
    result = call("inspect", tmp_path / "Confocal_42_Mito.ome.tif", "--patterns", patterns, "--json")
    (known,) = json.loads(result.stdout)["images"][0]["channels"]
    assert {clue["trust"] for clue in known["evidence"] if clue["value"] == "mito"} == {10}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "pattern = 3",
        "[[pattern]]",
        "[[pattern]]\nexpression = 3",
        "[[pattern]]\nexpression = '(?P<microscope>'",
        "[[pattern]]\nexpression = '(?P<colour>x)'",
        "[[pattern]]\nexpression = '(?P<specimen>x)'\nchannel = -1",
        "[[pattern]]\nexpression = '(?P<specimen>x)'\nchanel = 1",
        "[[patern]]\nexpression = '(?P<specimen>x)'",
    ],
)
def test_patterns_that_are_wrong_are_named(content: str, tmp_path: Path) -> None:
    patterns = tmp_path / "names.toml"
    patterns.write_text(content)
    result = call("inspect", tmp_path, "--patterns", patterns)
    assert result.exit_code == 2
    assert f"--patterns {patterns}" in result.stderr


def test_terms_of_ones_own(tmp_path: Path) -> None:
    source, own, mapping = tmp_path / "x.ome.tif", tmp_path / "own.toml", tmp_path / "fix.csv"
    write_sample_tiff(source, make_sample("x"))
    own.write_text(
        '[[specimen]]\nterm = "spindle_pole"\nname = "spindle pole"\n\n'
        '[[microscope]]\nterm = "our_scope"\ngeneralises_to = ["confocal"]\n'
    )
    mapping.write_text("source,microscope,specimen\n**,our scope,spindle pole\n")
    assert call("plan", source, "--mapping", mapping).exit_code == 2
    (channel,) = channels(plan(source, "--mapping", mapping, "--vocabulary", own))
    assert (channel["microscope"], channel["specimen"]) == ("our_scope", "spindle_pole")
    assert channel["group"] == "confocal"


PLATE = {"well": "B2", "row": "B", "column": "2", "field": "1", "acquisition": 7}


@pytest.mark.parametrize(
    ("options", "images"),
    [
        (["--wells", "A01"], ["A/1/0", "A/1/1"]),
        (["--wells", "a1,B*", "--fields", "0"], ["A/1/0", "B/2/0"]),
        (["--fields", "1"], ["A/1/1", "B/2/1"]),
        (["--wells", "*2", "--fields", "0:2"], ["B/2/0", "B/2/1"]),
        (["--wells", "B2", "--channels", "0", "--t", "0", "--z", "0"], ["B/2/0", "B/2/1"]),
    ],
)
def test_wells_and_fields_are_chosen_alike(options: list[str], images: list[str], tmp_path: Path) -> None:
    store = write_plate(tmp_path / "plate.zarr", 3)
    write_sample_tiff(tmp_path / "beside.ome.tif", make_sample("x"))
    expected = [str(store / image) for image in images]
    for command in ("plan", "inspect"):
        document = json.loads(call(command, tmp_path, *options, "--json").stdout)
        assert [image["source"] for image in document["images"]] == expected
        assert document["skipped"] == []


@pytest.mark.parametrize("command", ["plan", "inspect", "denoise"])
@pytest.mark.parametrize(
    "option", [("--wells", "C1"), ("--fields", "9"), ("--channels", "GFP"), ("--t", "5")]
)
def test_a_selection_that_leaves_nothing_is_told(
    command: str, option: tuple[str, str], tmp_path: Path
) -> None:
    store = write_plate(tmp_path / "plate.zarr", 3)
    more = ["--output", tmp_path / "o"] if command == "denoise" else []
    result = call(command, store, *option, *more)
    assert result.exit_code == 2
    assert f"none of the 4 images lies within {' '.join(option)}" in result.output


@pytest.mark.parametrize("option", ["--wells", "--fields"])
def test_empty_selections_are_refused(option: str, tmp_path: Path) -> None:
    result = call("plan", write_plate(tmp_path / "plate.zarr", 3), option, "A1,,B2")
    assert result.exit_code == 2
    assert option in result.stderr


def test_place_in_a_plate_in_plan_and_record(tmp_path: Path, run: Run) -> None:
    store = write_plate(tmp_path / "plate.zarr", 3)
    rows = call("plan", store, "--wells", "B2").stdout.splitlines()
    assert [row.split("\t")[0] for row in rows if "\t" in row] == ["plate.zarr/B/2/0", "plate.zarr/B/2/1"]
    (image,) = plan(store, "--wells", "B2", "--fields", "1")["images"]
    assert image["plate"] == PLATE
    result = run(store, "--wells", "B2", "--fields", "1", "--output", tmp_path / "out")
    assert result.exit_code == 0
    (done,) = json.loads(result.stdout)["images"]
    attributes = read_attributes(done["target"])
    assert attributes is not None
    assert attributes["recipe"]["source"]["plate"] == PLATE
    again = run(store, "--wells", "B2", "--fields", "1", "--output", tmp_path / "out")
    assert json.loads(again.stdout)["images"][0]["status"] == "unchanged"


def test_place_of_a_tiff_in_the_plate_of_its_header(tmp_path: Path) -> None:
    wells = "".join(
        f'<Well ID="Well:{n}" Row="{n}" Column="0"><WellSample ID="WellSample:{n}" Index="{n}">'
        f'<ImageRef ID="Image:{n}"/></WellSample></Well>'
        for n in range(2)
    )
    data = {n: f'<TiffData IFD="{n}" PlaneCount="1"/>' for n in range(2)}
    header = ome_xml([(1, 1, 1, 8, 9)] * 2, data=data)
    header = header.replace("</OME>", f'<Plate ID="Plate:0">{wells}</Plate></OME>')
    source = write_pages(tmp_path / "x.ome.tif", pixels((2, 8, 9)), header)
    (image,) = plan(source, "--wells", "B01")["images"]
    assert (image["series"], image["plate"]["well"]) == (1, "B1")


def test_preview_of_a_chosen_field(tmp_path: Path, quick_table: str) -> None:
    store = write_plate(tmp_path / "plate.zarr", 3)
    options = ["--picture", tmp_path / "p.png", "--table", quick_table]
    mapping = tmp_path / "fix.csv"
    mapping.write_text("source,well,microscope,specimen\n**,B2,confocal,mito\n")
    chosen = ["--wells", "B2", "--fields", "1", "--channels", "0", "--t", "0", "--z", "0"]
    result = call("preview", store, *chosen, "--mapping", mapping, *options)
    assert result.exit_code == 0
    assert "confocal+mito" in result.stdout
    result = call("preview", store, "--wells", "C3", *options)
    assert result.exit_code == 1
    assert "none of the 4 images" in result.stderr


def test_attributes_of_an_image_in_the_summary(tmp_path: Path) -> None:
    store = write_image(tmp_path / "x.zarr", pixels((1, 8, 9)), "cyx", 2, _labels("Hoechst"))
    write_json(store / "ro-crate-metadata.json", {"@graph": 3})
    result = call("inspect", store)
    head, row = result.stdout.splitlines()[:2]
    assert head.split() == [
        "image", "channel", "microscope", "contrast", "specimen", "organism", "tier", "group",
    ]  # fmt: skip
    assert row.split() == ["x.zarr", "0", "Hoechst", "-", "fluorescence", "nucleus", "-", "global", "global"]
    assert "trust  73  'Hoechst' says nucleus" in result.stdout
    assert "warning: " in result.stdout
    assert "1 images, 1 channels: 1 global" in result.stderr
