"""The record of what made a result: complete, deterministic, plain JSON, without credentials."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from autodip_zarr.domain import DipConfig, FieldOfPlate, Fingerprint
from autodip_zarr.provenance import (
    autodip_attribute,
    differences,
    public_uri,
    recipe_document,
    with_treatments,
)

from .values import make_header, make_image

SOFTWARE = {"torch": "2.13.0"}


def test_it_says_what_determines_the_pixels() -> None:
    recipe = recipe_document(make_image(make_header((1, 2, 1, 8, 8))), SOFTWARE)
    first, second = recipe["channels"]
    assert first["config"] == {"depth": 8, "width": "asc", "skip": 4, "iterations": 300}
    assert first["match"]["tier"] == "microscope+specimen"
    assert first["match"]["table"] == {"name": "published", "version": "1", "sha256": "0" * 64}
    assert first["treatment"] == "denoised"
    assert second["treatment"] == "copied"
    assert second["reason"] == "bright field"
    assert recipe["source"]["checksum"] == "sha256:00"
    assert (recipe["tile_px"], recipe["halo_px"], recipe["seed"]) == (512, 32, 0)
    document = autodip_attribute("running", recipe, {})
    assert json.loads(json.dumps(document, allow_nan=False))["recipe"]["averaging"] == 0.97


def test_it_is_the_same_for_the_same_and_names_what_differs() -> None:
    image = make_image()
    recipe = recipe_document(image, SOFTWARE)
    assert differences(recipe, recipe_document(make_image(), SOFTWARE), software=True) == []
    deeper = replace(image.channels[0], match=replace(image.channels[0].match, config=DipConfig(4, 32, 4, 9)))  # type: ignore[type-var]
    other = recipe_document(replace(image, channels=(deeper,)), SOFTWARE)
    found = differences(recipe, other, software=True)
    assert "channels[0].config.depth: 8, now 4" in found
    assert len(found) == 3


def test_treatment_path_and_time_may_differ_but_content_may_not() -> None:
    image = make_image()
    recipe = recipe_document(image, SOFTWARE)
    moved = make_header(uri="/elsewhere/x.ome.tif")
    touched = replace(moved, fingerprint=replace(moved.fingerprint, modified="2026-05-05T00:00:00+00:00"))
    assert differences(recipe, recipe_document(make_image(touched), SOFTWARE), software=True) == []
    changed = replace(moved, fingerprint=Fingerprint(1001, None, None, "sha256:01"))
    assert len(differences(recipe, recipe_document(make_image(changed), SOFTWARE), software=True)) == 2
    assert differences(with_treatments(recipe, ["failed"]), recipe, software=True) == []


def test_the_place_in_a_plate_is_told_and_is_no_difference() -> None:
    recipe = recipe_document(make_image(), SOFTWARE)
    assert "plate" not in recipe["source"]
    on_plate = recipe_document(replace(make_image(), plate=FieldOfPlate("B", "03", "1", None)), SOFTWARE)
    expected = {"well": "B03", "row": "B", "column": "03", "field": "1", "acquisition": None}
    assert on_plate["source"]["plate"] == expected
    assert differences(recipe, on_plate, software=True) == []


def test_another_torch_matters_for_halves_only() -> None:
    old, new = (recipe_document(make_image(), {"torch": v}) for v in ("2.13.0", "2.14.0"))
    assert differences(old, new, software=True) == ["software.torch: 2.13.0, now 2.14.0"]
    assert differences(old, new, software=False) == []


@pytest.mark.parametrize(
    ("uri", "clean"),
    [
        ("/a/b#c?.tif", "/a/b#c?.tif"),
        ("s3://key:secret@bucket/a.zarr", "s3://bucket/a.zarr"),
        ("https://h.org/a.zarr?X-Amz-Signature=1", "https://h.org/a.zarr"),
    ],
)
def test_credentials_do_not_enter(uri: str, clean: str) -> None:
    assert public_uri(uri) == clean
