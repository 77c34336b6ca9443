"""The noise on the input is a view of one field; a gather, as a card does it, gives the same."""

from __future__ import annotations

import torch

from autodip_zarr.dip.fitting.perturbation import MARGIN_PX, Generators, Noise


def noise_and_input(steps: int) -> tuple[Noise, torch.Tensor]:
    generators = Generators.seeded(3, "cpu")
    z = torch.rand(1, 5, 9, 12, generator=generators.device).contiguous(memory_format=torch.channels_last)
    return Noise.like(z, 0.5, steps, generators), z


def test_a_gather_gives_what_a_view_gives() -> None:
    viewed, z = noise_and_input(7)
    gathered, _ = noise_and_input(7)
    for _ in range(9):  # the first two moves come again
        torch.testing.assert_close(gathered.gather_onto(z), viewed.add_to(z), rtol=0, atol=1e-6)
    assert int(viewed.step) == int(gathered.step) == 2


def test_moves_stay_within_the_field_and_differ() -> None:
    noise, z = noise_and_input(200)
    assert noise.field.shape[-2:] == (z.shape[-2] + MARGIN_PX, z.shape[-1] + MARGIN_PX)
    offsets, signs = noise.moves[:, :2], noise.moves[:, 2]
    assert int(offsets.min()) >= 0
    assert int(offsets.max()) == MARGIN_PX
    assert set(signs.tolist()) == {-1, 1}
    assert len({tuple(move) for move in noise.moves.tolist()}) > 190


def test_the_noise_has_the_deviation_that_was_asked_for() -> None:
    noise, z = noise_and_input(2)
    added = noise.add_to(z) - z
    assert abs(float(added.std()) - 0.5) < 0.05
