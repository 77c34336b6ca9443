"""The network is the one of the Deep Image Prior: parameter counts, outputs and losses of a reference."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autodip_zarr.dip.network import forward, initial_parameters, level_widths, padded_size, parameter_shapes
from autodip_zarr.domain import DipConfig, Width

KEY = re.compile(r"d(\d)_w(\w+)_s(\d)(?:_(\d+)x(\d+))?")


def parse(key: str) -> tuple[DipConfig, tuple[int, int] | None]:
    found = KEY.fullmatch(key)
    assert found is not None, key
    depth, width, skip, height, breadth = found.groups()
    wide: Width = "asc" if width == "asc" else int(width)
    size = (int(height), int(breadth)) if height else None
    return DipConfig(int(depth), wide, int(skip), 5), size


def wave(index: np.ndarray, k: int) -> np.ndarray:
    return np.sin(0.37 * index + 1.3 * k)


def reference_parameters(config: DipConfig) -> list[torch.Tensor]:
    shapes = parameter_shapes(config)
    parameters = []
    for k, shape in enumerate(shapes):
        values = wave(np.arange(math.prod(shape)), k).reshape(shape)
        if len(shape) == 4:
            values = values / math.sqrt(math.prod(shape[1:]))
        elif k % 2 == 0:
            values = 1 + 0.1 * values
        else:
            values = 0.1 * values
        parameters.append(torch.tensor(values, dtype=torch.float32, requires_grad=True))
    return parameters


@pytest.mark.shared
def test_parameter_counts_of_all_architectures(shared: Path) -> None:
    counts = json.loads((shared / "reference/network/parameter_counts.json").read_text())
    assert len(counts) == 70
    for key, count in counts.items():
        config, _ = parse(key)
        assert sum(math.prod(shape) for shape in parameter_shapes(config)) == count, key


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two threads: these weights are so badly conditioned that another order of summation shows."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.shared
@pytest.mark.usefixtures("two_threads")
def test_outputs_and_losses_agree_with_the_reference(shared: Path) -> None:
    reference = np.load(shared / "reference/network/forward_parity.npz")
    keys = sorted({name.split("/")[0] for name in reference})
    assert keys
    for key in keys:
        config, size = parse(key)
        assert size is not None
        height, width = size
        parameters = reference_parameters(config)
        index = np.arange(32 * height * width)
        x = torch.tensor(0.1 * np.modf(index * 0.6180339887498949)[0], dtype=torch.float32)
        x = x.reshape(1, 32, height, width)
        row, column = np.mgrid[:height, :width]
        target = 0.5 + 0.25 * np.sin(0.13 * row) + 0.25 * np.cos(0.07 * column + 0.05 * row)
        goal = torch.tensor(target, dtype=torch.float32)[None, None]
        adam = torch.optim.Adam(parameters, lr=0.01)
        losses = []
        for step in range(5):
            output = forward(x, parameters, config)
            if step == 0:
                np.testing.assert_allclose(output[0, 0].detach(), reference[f"{key}/output"], atol=2e-5)
            loss = torch.mean((output - goal) ** 2)
            losses.append(loss.item())
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
        expected = reference[f"{key}/losses"]
        np.testing.assert_allclose(losses[0], expected[0], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(losses, expected, rtol=0.02)


def test_ascending_widths_end_at_512() -> None:
    assert level_widths(DipConfig(8, "asc", 4, 1)) == (4, 8, 16, 32, 64, 128, 256, 512)
    assert level_widths(DipConfig(4, "asc", 4, 1)) == (64, 128, 256, 512)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5), st.sampled_from([0, 4]), st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**31)
)
def test_any_padded_size_passes_and_keeps_its_size(depth: int, skip: int, y: int, x: int, seed: int) -> None:
    config = DipConfig(depth, 2, skip, 1)
    height, width = padded_size(y, config), padded_size(x, config)
    generator = torch.Generator().manual_seed(seed)
    parameters = initial_parameters(config, generator)
    noise = torch.rand(1, 32, height, width, generator=generator)
    assert forward(noise, parameters, config).shape == (1, 1, height, width)
    assert height >= y
    assert width >= x


def test_fresh_parameters_depend_on_the_seed_alone() -> None:
    config = DipConfig(4, 16, 4, 1)
    first, again, other = (initial_parameters(config, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
