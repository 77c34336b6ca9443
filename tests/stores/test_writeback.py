"""Results in their source stores: entered where they belong, and taken out without a trace."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from ome_zarr_models import v04, v05

from autodip_zarr.errors import TargetError
from autodip_zarr.stores import (
    RECORD_FIELDS,
    read_header,
    register_nested_image,
    register_well_image,
    remove_target,
    walk,
    walk_results,
)

from .builders import (
    ZarrFormat,
    consolidate,
    copy_image,
    images,
    tree,
    write_json,
    write_plate,
    write_series,
)

FORMATS: list[ZarrFormat] = [2, 3]


def denoise_field(plate: Path, field: str, zarr_format: ZarrFormat) -> str:
    """Write back a copy of one field and register it."""
    ref = next(ref for ref in images(list(walk([str(plate)]))) if ref.group == field)
    uri = f"{ref.source}denoised"
    copy_image(read_header(ref), uri, zarr_format)
    well, _, name = field.rpartition("/")
    assert ref.plate is not None
    register_well_image(ref.uri, f"{well}/{name}denoised", ref.plate.acquisition)
    return uri


def well_images(plate: Path, well: str, zarr_format: ZarrFormat) -> Any:
    if zarr_format == 2:
        return json.loads((plate / well / ".zattrs").read_text())["well"]["images"]
    return json.loads((plate / well / "zarr.json").read_text())["attributes"]["ome"]["well"]["images"]


def plate_of(tmp_path: Path, zarr_format: ZarrFormat, *, consolidated: bool) -> Path:
    plate = write_plate(tmp_path / "p.zarr", zarr_format)
    if consolidated:
        consolidate(plate, zarr_format)
    return plate


FIELDS = ["A/1/0", "A/1/1", "B/2/1"]
BOTH = [False, True]


@pytest.mark.parametrize("consolidated", BOTH)
@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_fields_are_listed_and_removed_in_any_order(
    tmp_path: Path,
    order: tuple[int, ...],
    zarr_format: ZarrFormat,
    consolidated: bool,
) -> None:
    plate = plate_of(tmp_path, zarr_format, consolidated=consolidated)
    before, sources = tree(plate), list(walk([str(plate)]))
    uris = [denoise_field(plate, field, zarr_format) for field in FIELDS]
    assert well_images(plate, "A/1", zarr_format) == [
        {"path": "0", "acquisition": 7},
        {"path": "1", "acquisition": 7},
        {"path": "0denoised", "acquisition": 7},
        {"path": "1denoised", "acquisition": 7},
    ]
    assert list(walk([str(plate)])) == sources
    results = images(list(walk_results([str(plate)])))
    assert [ref.group for ref in results] == [f"{field}denoised" for field in FIELDS]
    for number in order:
        remove_target(uris[number])
    assert tree(plate) == before


@pytest.mark.parametrize("consolidated", BOTH)
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_nothing_else_changes(tmp_path: Path, zarr_format: ZarrFormat, consolidated: bool) -> None:
    plate = plate_of(tmp_path, zarr_format, consolidated=consolidated)
    before = tree(plate)
    denoise_field(plate, "A/1/0", zarr_format)
    after = tree(plate)
    new = {name for name in after if name not in before}
    assert all(name.startswith("A/1/0denoised/") for name in new)
    expected = {"A/1/.zattrs" if zarr_format == 2 else "A/1/zarr.json"}
    if consolidated:
        expected.add(".zmetadata" if zarr_format == 2 else "zarr.json")
    assert {name for name in before if after[name] != before[name]} == expected
    model: Any = v04.HCS if zarr_format == 2 else v05.HCS
    model.from_zarr(zarr.open_group(plate, mode="r", use_consolidated=False))


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_consolidated_metadata_knows_the_results(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    plate = plate_of(tmp_path, zarr_format, consolidated=True)
    for field in FIELDS:
        denoise_field(plate, field, zarr_format)
    group: Any = zarr.open_group(str(plate), mode="r", zarr_format=zarr_format, use_consolidated=True)
    for field in FIELDS:
        np.testing.assert_array_equal(group[f"{field}denoised/0"][...], group[f"{field}/0"][...])
    assert group["A/1/0denoised"].attrs["autodip"] == {"status": "complete"}
    assert group["A/1/0denoised/autodip/record"].shape == (1, 1, 1, len(RECORD_FIELDS))
    well = group["A/1"].attrs
    listed = (well if zarr_format == 2 else well["ome"])["well"]["images"]
    assert listed == well_images(plate, "A/1", zarr_format)


@pytest.mark.parametrize("consolidated", BOTH)
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_registering_again_is_harmless(tmp_path: Path, zarr_format: ZarrFormat, consolidated: bool) -> None:
    plate = plate_of(tmp_path, zarr_format, consolidated=consolidated)
    before = tree(plate)
    uri = denoise_field(plate, "A/1/0", zarr_format)
    once = tree(plate)
    register_well_image(str(plate), "A/1/0denoised", 7)
    assert tree(plate) == once
    remove_target(uri)
    assert tree(plate) == before


@pytest.mark.parametrize("consolidated", BOTH)
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_nested_results(tmp_path: Path, zarr_format: ZarrFormat, consolidated: bool) -> None:
    series = write_series(tmp_path / "s.zarr", zarr_format)
    if consolidated:
        consolidate(series, zarr_format)
        consolidate(series / "1", zarr_format)
    before = tree(series)
    refs = images(list(walk([str(series)])))
    for ref in refs:
        copy_image(read_header(ref), f"{ref.source}/denoised", zarr_format)
        register_nested_image(ref.uri, f"{ref.group}/denoised")
    changed = {name for name, digest in tree(series).items() if name in before and before[name] != digest}
    name = ".zmetadata" if zarr_format == 2 else "zarr.json"
    assert changed == ({name, f"1/{name}"} if consolidated else set())
    if consolidated:
        group: Any = zarr.open_group(str(series), mode="r", zarr_format=zarr_format, use_consolidated=True)
        assert group["1/denoised/0"].shape == (1, 1, 1, 8, 9)
    assert list(walk([str(series)])) == refs
    assert [ref.group for ref in images(list(walk_results([str(series)])))] == ["0/denoised", "1/denoised"]
    for ref in refs:
        remove_target(f"{ref.source}/denoised")
    assert tree(series) == before


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_what_others_changed_meanwhile_is_kept(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    plate = plate_of(tmp_path, zarr_format, consolidated=True)
    first = denoise_field(plate, "A/1/0", zarr_format)
    name = ".zattrs" if zarr_format == 2 else "zarr.json"
    document = json.loads((plate / "A/1" / name).read_text())
    (document if zarr_format == 2 else document["attributes"])["note"] = "by hand"
    write_json(plate / "A/1" / name, document)
    second = denoise_field(plate, "A/1/1", zarr_format)
    remove_target(first)
    remove_target(second)
    after = json.loads((plate / "A/1" / name).read_text())
    assert (after if zarr_format == 2 else after["attributes"])["note"] == "by hand"
    assert well_images(plate, "A/1", zarr_format) == [
        {"path": "0", "acquisition": 7},
        {"path": "1", "acquisition": 7},
    ]


def test_rows_need_not_be_groups(tmp_path: Path) -> None:
    plate = plate_of(tmp_path, 3, consolidated=True)
    (plate / "A" / "zarr.json").unlink()
    before = tree(plate)
    uri = denoise_field(plate, "A/1/0", 3)
    assert tree(plate)["zarr.json"] != before["zarr.json"]
    remove_target(uri)
    assert tree(plate) == before


def test_a_moved_store_is_restored_where_it_is(tmp_path: Path) -> None:
    plate = plate_of(tmp_path, 2, consolidated=True)
    before = tree(plate)
    denoise_field(plate, "A/1/0", 2)
    moved = plate.rename(tmp_path / "moved.zarr")
    remove_target(f"{moved}/A/1/0denoised")
    assert tree(moved) == before


def test_an_interrupted_removal_is_done_again(tmp_path: Path) -> None:
    plate = plate_of(tmp_path, 2, consolidated=True)
    before = tree(plate)
    original = {name: (plate / name).read_bytes() for name in (".zmetadata", "A/1/.zattrs")}
    uri = denoise_field(plate, "A/1/0", 2)
    for name, content in original.items():  # as after a removal that stopped before deleting the group
        (plate / name).write_bytes(content)
    remove_target(uri)
    assert tree(plate) == before


def test_only_results_are_removed(tmp_path: Path) -> None:
    plate = plate_of(tmp_path, 3, consolidated=False)
    before = tree(plate)
    for uri in (plate, plate / "A/1/0", plate / "gone"):
        with pytest.raises(TargetError, match="is no result"):
            remove_target(str(uri))
    with pytest.raises(TargetError, match="is no result"):
        register_well_image(str(plate), "A/1/0", 7)
    assert tree(plate) == before


@pytest.mark.parametrize(
    "name",
    ["../../../../outside.txt", "../0/.zarray", "/etc/passwd", ".zattrs", "../../../../.zattrs", "../x"],
)
def test_hostile_records_reach_nothing_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.txt").write_text("{}")
    (tmp_path / ".zattrs").write_text("{}")
    plate = plate_of(tmp_path / "in", 2, consolidated=False)
    uri = denoise_field(plate, "A/1/0", 2)
    kept = Path(uri) / "autodip/pristine/.zattrs"
    content = json.loads(kept.read_text())["files"]["../.zattrs"]
    write_json(kept, {"files": {name: content}})
    before = tree(tmp_path)
    with pytest.raises(TargetError, match="a metadata document of the source store"):
        remove_target(uri)
    assert tree(tmp_path) == before


@pytest.mark.shared
def test_a_reference_plate_gets_its_bytes_back(tmp_path: Path, shared: Path) -> None:
    import shutil

    plate = tmp_path / "hcs.zarr"
    shutil.copytree(shared / "data" / "ome-zarr" / "hcs.zarr", plate)
    before = tree(plate)
    uris = [denoise_field(plate, field, 2) for field in ("B/1/1", "B/1/0")]
    for uri in uris:
        remove_target(uri)
    assert tree(plate) == before
