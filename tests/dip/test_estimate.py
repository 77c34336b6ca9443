"""The cost of a configuration follows from the network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.calibration import load_table
from autodip_zarr.calibration.table import tables_folder
from autodip_zarr.dip.architecture import Architecture
from autodip_zarr.dip.estimate import ORIGINAL_DIP, estimate, flops_per_step, relative_cost
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import DipConfig, Width


@pytest.mark.parametrize(
    ("config", "cost", "tolerance"),
    [
        (ORIGINAL_DIP, 1.0, 1e-12),
        (DipConfig(8, 512, 4, 1700), 14.5, 0.05),
        (DipConfig(8, "asc", 4, 300), 0.002, 0.0001),
    ],
)
def test_cost_relative_to_original_dip(config: DipConfig, cost: float, tolerance: float) -> None:
    assert relative_cost(config) == pytest.approx(cost, abs=tolerance)


def test_psnr_table_costs_half_on_average_over_the_calibration_images() -> None:
    table = load_table()
    groups = [one for one in table.entries if len(one.group) == 2]
    cost = {
        metric: sum(relative_cost(one.config) * one.images for one in groups if one.metric == metric) / 110
        for metric in ("psnr", "lpips_psnr")
    }
    assert cost["psnr"] == pytest.approx(0.48, abs=0.005)
    assert cost["lpips_psnr"] > cost["psnr"]


@given(
    depth=st.integers(1, 8),
    width=st.sampled_from([16, 64, 512, "asc"]),
    skip=st.sampled_from([0, 4]),
    pixels=st.integers(1, 10**8),
)
def test_cost_is_proportional_to_pixels_and_iterations(
    depth: int, width: Width, skip: int, pixels: int
) -> None:
    once, twice = DipConfig(depth, width, skip, 100), DipConfig(depth, width, skip, 200)
    assert relative_cost(twice, pixels) == pytest.approx(2 * relative_cost(once, pixels))
    assert flops_per_step(Architecture.of(once), 2 * pixels) == pytest.approx(
        2 * flops_per_step(Architecture.of(once), pixels)
    )
    assert flops_per_step(Architecture.of(once), pixels) > 0


def test_the_original_prior_is_that_of_the_published_table() -> None:
    published = json.loads((tables_folder() / "published.json").read_text())["original_dip"]
    assert DipConfig(**published) == ORIGINAL_DIP


def test_a_step_is_three_passes_of_two_operations_a_weight_and_pixel() -> None:
    halved, whole = 8 * 32 * 9 + 8 * 8 * 9, 8 * 8 * 9 + 8 * 8 + 8
    assert flops_per_step(Architecture(1, 8, 0), 100) == 3 * 2 * 100 * (halved / 4 + whole)


FIELD = (512, 512)


@pytest.mark.parametrize(
    ("config", "measured_per_s"),
    [
        (DipConfig(8, "asc", 4, 100), 9.27),
        (DipConfig(8, 32, 4, 100), 5.06),
        (DipConfig(4, 32, 4, 100), 5.42),
        (DipConfig(4, 64, 0, 100), 2.39),
        (DipConfig(5, 128, 4, 100), 0.74),
        (DipConfig(6, 256, 4, 100), 0.218),
        (DipConfig(8, 512, 4, 100), 0.058),
    ],
)
def test_the_time_of_a_step_is_near_what_was_measured(config: DipConfig, measured_per_s: float) -> None:
    """The list is that of one core in docs/explanation/engine.md."""
    recipe = preset_recipe("reference", precision="float32")
    one = estimate(config, recipe, FIELD, "cpu")
    assert 100 / one.seconds() == pytest.approx(measured_per_s, rel=0.2)


@pytest.mark.parametrize(
    ("config", "bfloat16_gib", "float32_gib"),
    [
        (DipConfig(8, "asc", 4, 1), 0.64, 0.74),
        (DipConfig(8, 32, 4, 1), 0.80, 1.10),
        (DipConfig(4, 32, 4, 1), 0.80, 1.09),
        (DipConfig(4, 64, 0, 1), 1.14, 1.61),
        (DipConfig(5, 128, 4, 1), 2.21, 3.23),
        (DipConfig(6, 256, 4, 1), 4.21, 6.20),
        (DipConfig(8, 512, 4, 1), 8.88, 12.80),
    ],
)
def test_the_memory_of_a_network_is_bounded_as_documented(
    config: DipConfig, bfloat16_gib: float, float32_gib: float
) -> None:
    """The list is that of docs/explanation/memory.md, where 0.25 GiB are the libraries."""
    for precision, bound_gib in (("bfloat16", bfloat16_gib), ("float32", float32_gib), ("tf32", float32_gib)):
        recipe = replace(preset_recipe("standard", precision="float32"), precision=precision)
        found = estimate(config, recipe, FIELD, "cpu").network_bytes
        assert found / 2**30 + 0.25 == pytest.approx(bound_gib, abs=0.01)


def test_the_memory_of_a_plane_grows_with_its_pixels_and_starts() -> None:
    config, wide = DipConfig(4, 32, 4, 1200), (700, 1300)
    one, three = (
        estimate(config, preset_recipe(name, precision="float32"), wide, "cpu")
        for name in ("standard", "best")
    )
    tile, looks = 512 * 512, 16 + 1
    assert (one.starts, one.plane_bytes) == (2, 700 * 1300 * (8 + 2 * 5) + tile * (200 + 4 * looks * 2))
    assert (three.starts, three.plane_bytes) == (6, 700 * 1300 * (8 + 2 * 5) + tile * (200 + 4 * looks * 6))
    pure = estimate(config, preset_recipe("reference", precision="float32"), wide, "cpu")
    assert (pure.starts, pure.plane_bytes) == (1, 700 * 1300 * (8 + 5) + tile * 4)
    filters = 6 * tile * 1e-5
    assert three.seconds() - filters == pytest.approx(3 * (one.seconds() - filters))
    assert one.seconds(2 * one.cost) - one.seconds() == pytest.approx(one.cost * one.seconds_per_cost)
    assert one.fitting_bytes(5) == one.plane_bytes


def test_on_a_card_planes_are_fitted_side_by_side_in_its_own_memory() -> None:
    recipe, config = preset_recipe("standard", precision="float32"), DipConfig(4, 32, 4, 1200)
    core, card = (estimate(config, recipe, FIELD, device) for device in ("cpu", "cuda:1"))
    assert card.network_bytes == 0
    assert card.fitting_bytes(5) == 5 * card.plane_bytes
    assert card.cost == core.cost
    assert card.seconds() < core.seconds() / 10


def test_the_cost_of_a_plane_is_that_of_its_tiles_with_their_overlap() -> None:
    recipe = preset_recipe("reference", precision="float32")
    config = DipConfig(4, 32, 4, 1200)
    alone, tiled = (estimate(config, recipe, size, "cpu") for size in (FIELD, (512, 992)))
    assert tiled.cost == pytest.approx(2 * alone.cost)
    assert tiled.other_seconds < 2 * alone.other_seconds


def test_ascending_width_ends_at_512() -> None:
    assert Architecture.of(DipConfig(8, "asc", 4, 1)).widths == (4, 8, 16, 32, 64, 128, 256, 512)
    assert Architecture.of(DipConfig(4, "asc", 4, 1)).widths == (64, 128, 256, 512)


@pytest.mark.shared
def test_convolutions_are_those_of_the_published_network(shared: Path) -> None:
    """The same list of convolutions, with its norms, has the published number of parameters."""
    counts = json.loads((shared / "reference" / "network" / "parameter_counts.json").read_text())
    for key, expected in counts.items():
        depth, width, skip = (part[1:] for part in key.split("_"))
        config = DipConfig(int(depth), "asc" if width == "asc" else int(width), int(skip), 1)
        layers = list(Architecture.of(config).convolutions())
        weights = sum(one.inputs * one.outputs * one.kernel**2 + one.outputs for one in layers)
        normed = sum(one.outputs for one in layers[:-1])  # the output convolution has no norm
        channels = Architecture.of(config).widths
        joined = sum(config.skip + deeper for deeper in (*channels[1:], channels[-1]))
        assert weights + 2 * (normed + joined) == expected, key
