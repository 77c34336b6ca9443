"""The cost of a configuration follows from the network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.calibration import load_table
from autodip_zarr.dip.architecture import Architecture
from autodip_zarr.dip.estimate import ORIGINAL_DIP, flops_per_step, relative_cost
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
