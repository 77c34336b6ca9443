"""The published table says what was published, and nothing that is not valid is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autodip_zarr.calibration import load_table
from autodip_zarr.calibration.table import tables_folder
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import TableError

LPIPS_PSNR = {
    ("widefield", "nucleus"): (8, "asc", 4, 300),
    ("widefield", "actin"): (8, 32, 4, 500),
    ("widefield", "mito"): (8, 32, 4, 400),
    ("confocal", "nucleus"): (4, 32, 4, 1200),
    ("confocal", "actin"): (6, 256, 4, 1300),
    ("confocal", "mito"): (5, 128, 4, 1300),
    ("twophoton", "nucleus"): (8, 512, 4, 1700),
    ("twophoton", "actin"): (4, 64, 0, 2900),
    ("twophoton", "mito"): (4, 32, 4, 1400),
    ("confocal", None): (4, "asc", 4, 1200),
    ("twophoton", None): (7, 128, 4, 1000),
    ("widefield", None): (8, 32, 4, 400),
    (None, None): (8, 64, 4, 700),
}


@pytest.mark.parametrize(("group", "config"), LPIPS_PSNR.items())
def test_published_figures_of_the_paper(
    group: tuple[str | None, str | None], config: tuple[int, int, int, int]
) -> None:
    named = {key: term for key, term in zip(("microscope", "specimen"), group, strict=True) if term}
    entry = load_table().find("lpips_psnr", named)
    assert entry is not None
    assert entry.config == DipConfig(*config)


def test_psnr_table_is_cheaper_for_two_photon_nuclei() -> None:
    entry = load_table().find("psnr", {"microscope": "twophoton", "specimen": "nucleus"})
    assert entry is not None
    assert entry.config == DipConfig(5, 32, 4, 400)


def test_every_metric_has_every_group() -> None:
    table = load_table()
    assert table.metrics == ("lpips_psnr", "lpips", "psnr", "ssim", "mse", "l1")
    assert table.default_metric == "lpips_psnr"
    for metric in table.metrics:
        assert sum(entry.metric == metric for entry in table.entries) == 9 + 3 + 3 + 1
    assert {entry.images for entry in table.entries if not entry.group} == {110}


def test_images_of_the_groups_add_up() -> None:
    table = load_table()
    for metric in table.metrics:
        groups = [entry for entry in table.entries if entry.metric == metric]
        for size in (1, 2):
            for field in ("microscope", "specimen"):
                whole = [one for one in groups if len(one.group) == size and field in one.group]
                assert sum(one.images for one in whole) == 110


@pytest.mark.shared
def test_table_is_what_the_authors_published(shared: Path) -> None:
    """Read the authors' file by hand (two spaces a level) and compare every value."""
    published: dict[tuple[str, ...], dict[str, str]] = {}
    path: list[str] = []
    text = (shared / "reference" / "auto-dip" / "best_param_iter_comb_dict.yaml").read_text()
    for line in text.splitlines():
        key, _, value = line.strip().partition(":")
        path[(len(line) - len(line.lstrip())) // 2 :] = [key]
        if value:
            published.setdefault(tuple(path[:-1]), {})[key] = value.strip(" '")
    compared = 0
    for entry in load_table().entries:
        microscope, specimen = entry.group.get("microscope"), entry.group.get("specimen")
        place = {
            (True, True): ("mic_obj_group", f"{specimen}_{microscope}", "best"),
            (True, False): ("microscope_type", str(microscope), "best"),
            (False, True): ("object", str(specimen), "best"),
            (False, False): ("all", "all", "all"),
        }[microscope is not None, specimen is not None]
        given = published[(f"{entry.metric}_gt", *place)]
        assert str(entry.config.depth) == given["depth"]
        assert str(entry.config.width) == given["width"].replace("asc_to512", "asc")
        assert str(entry.config.skip) == given["skip_n11"]
        assert str(entry.config.iterations) == given["num_iter"]
        compared += 1
    assert compared == 96


def test_each_entry_is_one_line_for_review() -> None:
    lines = (tables_folder() / "published.json").read_text().splitlines()
    assert sum('"metric"' in line for line in lines) == 96
    assert "MIT License" in (tables_folder() / "NOTICE.md").read_text()


def changed(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads((tables_folder() / "published.json").read_text())
    change(document)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_a_table_of_ones_own_is_read_by_its_path(tmp_path: Path) -> None:
    table = load_table(changed(tmp_path, lambda document: document.update(name="ours", version="3")))
    assert (table.id.name, table.id.version) == ("ours", "3")
    assert table.id.sha256 != load_table().id.sha256


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: d.pop("name"), "name"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d.update(format="table"), "format"),
        (lambda d: d.update(format_version=3), "format_version"),
        (lambda d: d.update(format_version=True), "format_version"),
        (lambda d: d.update(field_px=15), "field_px"),
        (lambda d: d.update(field_px=65536), "field_px"),
        (lambda d: d["original_dip"].update(depth=0), "original_dip.depth"),
        (lambda d: d.update(name=" "), "name"),
        (lambda d: d.update(default_metric="vif"), "default_metric"),
        (lambda d: d.update(entries=[]), "entries"),
        (lambda d: d["entries"][3].update(depth=0), "entries[3].depth"),
        (lambda d: d["entries"][3].update(depth=5.0), "entries[3].depth"),
        (lambda d: d["entries"][3].update(width="wide"), "entries[3].width"),
        (lambda d: d["entries"][3].update(width=0), "entries[3].width"),
        (lambda d: d["entries"][3].update(width=True), "entries[3].width"),
        (lambda d: d["entries"][3].update(skip=-1), "entries[3].skip"),
        (lambda d: d["entries"][3].update(iterations=0), "entries[3].iterations"),
        (lambda d: d["entries"][3].update(iterations=True), "entries[3].iterations"),
        (lambda d: d["entries"][3].update(images=0), "entries[3].images"),
        (lambda d: d["entries"][3].update(command="rm"), "entries[3]"),
        (lambda d: d["entries"][3]["group"].update(stand="Inverted"), "entries[3].group"),
        (lambda d: d["entries"][3]["group"].update(specimen=7), "entries[3].group.specimen"),
        (lambda d: d["entries"].append(d["entries"][0]), "entries[96]"),
        (lambda d: d["entries"].pop(15), "entries"),
        (lambda d: d["source"].pop("licence"), "source"),
    ],
)
def test_what_is_not_valid_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], field: str
) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(TableError) as caught:
        load_table(path)
    assert path in caught.value.where
    assert field in str(caught.value)
    assert caught.value.expected


@pytest.mark.parametrize(
    ("field", "most"), [("depth", 10), ("width", 1024), ("skip", 128), ("iterations", 100_000)]
)
def test_the_largest_of_each_number_is_read_and_no_larger(tmp_path: Path, field: str, most: int) -> None:
    table = load_table(changed(tmp_path, lambda document: document["entries"][3].update({field: most})))
    assert getattr(table.entries[3].config, field) == most
    with pytest.raises(TableError, match=f"to {most}"):
        load_table(changed(tmp_path, lambda document: document["entries"][3].update({field: most + 1})))


def test_a_file_of_four_megabytes_is_read_and_no_larger(tmp_path: Path) -> None:
    path = tmp_path / "wide.json"
    path.write_bytes((tables_folder() / "published.json").read_bytes().ljust(4_000_000))
    assert load_table(str(path)).entries == load_table().entries
    with path.open("ab") as file:
        file.write(b" ")
    with pytest.raises(TableError, match="at most 4000000 bytes"):
        load_table(str(path))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff\xfe", b'{"name": 1, "name": 2}', b"[" * 100_000]
)
def test_what_is_no_table_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(TableError):
        load_table(str(path))


def test_a_key_that_is_there_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "twice.json"
    path.write_text(
        (tables_folder() / "published.json").read_text().replace('"name"', '"name": "x", "name"', 1)
    )
    with pytest.raises(TableError, match="the key 'name' twice"):
        load_table(str(path))


def test_an_unknown_name_lists_the_shipped_tables() -> None:
    with pytest.raises(TableError, match="published"):
        load_table("unheard_of")
