"""Everything that is written follows the official JSON schemas of OME-Zarr, plain and strict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from ..run.results import Run, statuses
from ..run.test_export import noisy
from ..stores.builders import ZarrFormat, ome_xml, write_image, write_pages, write_plate, write_series

KINDS = {"image": "multiscales", "plate": "plate", "well": "well", "bf2raw": "bioformats2raw.layout"}


def groups(folder: Path, version: str) -> Iterator[tuple[Path, dict[str, object]]]:
    """Yield the attributes of every group below a folder."""
    for path in sorted(folder.rglob("zarr.json" if version == "0.5" else ".zattrs")):
        document = json.loads(path.read_text())
        if version == "0.4" or document["node_type"] == "group":
            yield path, document if version == "0.4" else document["attributes"]


def check(folder: Path, version: str, schemas: Path) -> list[str]:
    """Return what was checked; raises where something does not follow its schema."""
    known = {
        one.name: json.loads(one.read_text()) for one in (schemas / version / "schemas").glob("*.schema")
    }
    resources = [(one.get("$id", name), DRAFT202012.create_resource(one)) for name, one in known.items()]
    registry = Registry().with_resources(resources)
    checked = []
    for path, attributes in groups(folder, version):
        ome = attributes.get("ome", attributes)
        assert isinstance(ome, dict)
        for kind in (kind for kind, mark in KINDS.items() if mark in ome):
            for name in (f"{kind}.schema", f"strict_{kind}.schema"):
                if name in known:
                    validator = Draft202012Validator(known[name], registry=registry)
                    problems = [
                        f"{list(one.path)}: {one.message}" for one in validator.iter_errors(attributes)
                    ]
                    assert problems == [], (path, name)
                    checked.append(name)
    return checked


@pytest.mark.parametrize(("version", "zarr_format"), [("0.4", 2), ("0.5", 3)])
def test_images(tmp_path: Path, schemas: Path, here: Run, version: str, zarr_format: ZarrFormat) -> None:
    write_image(tmp_path / "in" / "one level.zarr", noisy((2, 70, 90)), "cyx", zarr_format)
    write_pages(tmp_path / "in" / "x.ome.tif", noisy((2, 300, 520)), ome_xml([(1, 2, 1, 300, 520)]))
    write_series(tmp_path / "in" / "series.zarr", zarr_format)
    write_plate(tmp_path / "in" / "plate.zarr", zarr_format)
    found = here(tmp_path / "in", "--output", tmp_path / "out", "--zarr-format", version)
    assert set(statuses(found)) == {"done"}
    checked = check(tmp_path / "out", version, schemas)
    for name in ("image", "strict_image", "plate", "strict_plate", "well", "strict_well", "bf2raw"):
        assert f"{name}.schema" in checked


@pytest.mark.parametrize(("version", "zarr_format"), [("0.4", 2), ("0.5", 3)])
def test_results_inside_their_sources(
    tmp_path: Path, schemas: Path, here: Run, version: str, zarr_format: ZarrFormat
) -> None:
    write_image(tmp_path / "x.zarr", noisy((2, 70, 90)), "cyx", zarr_format)
    assert statuses(here(tmp_path / "x.zarr", "--write-back")) == ["done"]
    assert "strict_image.schema" in check(tmp_path / "x.zarr" / "denoised", version, schemas)
