"""Tiles fitted side by side become what each would alone; memory that runs out halves their number."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from autodip_zarr.dip.fitting import tile_pool
from autodip_zarr.dip.fitting.fit import Fit, Prior, Tile, fit_tile, prepare
from autodip_zarr.dip.fitting.graphs import SWITCH, CapturedPrior, capture
from autodip_zarr.dip.fitting.tile_pool import TileJob, fit_tiles, is_out_of_memory, room_for
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.dip.settled import as_transferred
from autodip_zarr.domain import DipConfig
from autodip_zarr.errors import FitError

CONFIG = DipConfig(2, 8, 4, 103)
RECIPE = preset_recipe("standard", precision="float32")

needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA card here")


def jobs(count: int) -> list[TileJob]:
    rng = np.random.default_rng(5)
    images = [rng.random((20, 23), np.float32) for _ in range(count)]
    usable = rng.random((20, 23)) > 0.1
    return [TileJob(Tile(image, usable if k == 1 else None), 10 + k) for k, image in enumerate(images)]


def images_of(fits: list[Fit | FitError]) -> list[np.ndarray]:
    images = []
    for fit in fits:
        assert isinstance(fit, Fit)
        images.append(fit.image)
    return images


@pytest.mark.parametrize("preset", ["reference", "standard"])
@pytest.mark.parametrize("at_once", [None, 1, 2, 4])
def test_each_tile_becomes_what_it_would_alone(preset: str, at_once: int | None) -> None:
    recipe = preset_recipe(preset, precision="float32")
    config = replace(CONFIG, iterations=12)
    found = fit_tiles(jobs(5), as_transferred(config, recipe), "cpu", at_once)
    for image, job in zip(images_of(found), jobs(5), strict=True):
        np.testing.assert_array_equal(
            image, fit_tile(job.tile, as_transferred(config, recipe), job.seed, "cpu").image
        )


def test_a_used_prior_that_becomes_fresh_gives_the_bits_of_a_new_one() -> None:
    shape = (20, 24)
    target = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    used = prepare(as_transferred(replace(CONFIG, iterations=4), RECIPE), shape, 1, "cpu")
    new = prepare(as_transferred(CONFIG, RECIPE), shape, 2, "cpu")
    assert used.noise is not None
    used.noise.make_room()  # as a captured prior has it, for longer fits
    used.set_target(target.flip(0), target > 0.5)
    for step in range(3):
        error = used.backward()
        if step == 0:
            used.check(error.item())
        used.step()
    used.restart_as(prepare(as_transferred(CONFIG, RECIPE), shape, 2, "cpu"))
    assert used.fit == as_transferred(CONFIG, RECIPE)
    assert (used.weight, used.kept, used.collapses) == (0.0, [], 0)
    for prior in (used, new):
        prior.set_target(target, None)
        for _ in range(5):
            prior.backward()
            prior.step()
    assert used.average is not None
    assert new.average is not None
    assert used.weight == new.weight
    assert torch.equal(used.average, new.average)
    assert all(torch.equal(a, b) for a, b in zip(used.parameters, new.parameters, strict=True))


def test_a_fit_that_diverges_leaves_its_companions_alone() -> None:
    config = replace(CONFIG, iterations=8)
    some = jobs(3)
    some[1] = replace(some[1], tile=Tile(np.full((20, 23), np.nan, np.float32)))
    found = fit_tiles(some, as_transferred(config, RECIPE), "cpu", 3)
    assert isinstance(found[1], FitError)
    alone = fit_tile(some[2].tile, as_transferred(config, RECIPE), some[2].seed, "cpu")
    np.testing.assert_array_equal(images_of([found[2]])[0], alone.image)


def test_weights_come_back_only_where_they_are_asked_for() -> None:
    config = replace(CONFIG, iterations=2)
    some = jobs(2)
    some[1] = replace(some[1], keep_weights=True)
    without, kept = fit_tiles(some, as_transferred(config, RECIPE), "cpu")
    assert isinstance(without, Fit)
    assert isinstance(kept, Fit)
    assert len(without.weights) == 0
    expected = fit_tile(some[1].tile, as_transferred(config, RECIPE), some[1].seed, "cpu").weights
    assert all(torch.equal(a, b) for a, b in zip(kept.weights, expected, strict=True))


OUT_OF_MEMORY = """
import hashlib, logging, resource, sys
import numpy as np
from autodip_zarr.dip.fitting.fit import Tile, fit_tile
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.dip.fitting.graphs import SWITCH, CapturedPrior, capture
from autodip_zarr.dip.fitting.tile_pool import TileJob, fit_tiles
from autodip_zarr.dip.settled import as_transferred
from autodip_zarr.domain import DipConfig

logging.basicConfig(stream=sys.stdout, format="%(message)s")
settled = as_transferred(DipConfig(2, 8, 4, 2), preset_recipe("standard", precision="float32"))
rng = np.random.default_rng(0)
jobs = [TileJob(Tile(rng.random((384, 384), np.float32)), seed) for seed in range(4)]

def digest(fit):
    return hashlib.sha256(fit.image.tobytes()).hexdigest() if hasattr(fit, "image") else str(fit)

alone = [digest(fit_tile(job.tile, settled, job.seed, "cpu")) for job in jobs]
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
room = int(sys.argv[1]) << 20
resource.setrlimit(resource.RLIMIT_AS, (now + room, now + room))
found = [digest(fit) for fit in fit_tiles(jobs, settled, "cpu", 4)]
print("same" if found == alone else found)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit on memory is one of Linux")
def test_memory_that_runs_out_halves_the_number_at_once() -> None:
    found = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY, "110"], capture_output=True, text=True, check=True
    )
    first, *_, last = found.stdout.splitlines()
    assert first == "out of memory with 4 networks at once, going on with 2"
    assert last == "same"  # as each alone


def test_what_is_no_lack_of_memory() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_tile_too_large_even_alone_is_an_error_of_its_own() -> None:
    huge = np.broadcast_to(np.float32(0.5), (2**20, 2**20))  # 4 TiB, were it copied
    (found,) = fit_tiles([TileJob(Tile(huge), 1)], as_transferred(CONFIG, RECIPE), "cpu")
    assert isinstance(found, FitError)
    assert "--tile" in str(found)


@pytest.mark.parametrize(("free", "networks"), [(80, 7), (10, 0), (19, 0), (20, 1), (5, 0)])
def test_a_tenth_of_the_card_stays_free(free: int, networks: int) -> None:
    assert room_for(10, free, 100) == networks


@needs_card
@pytest.mark.parametrize("preset", ["reference", "standard"])
def test_graphs_do_what_single_kernels_do(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, config = preset_recipe(preset, precision="float32"), replace(CONFIG, iterations=5)
    captured = images_of(fit_tiles(jobs(5), as_transferred(config, recipe), "cuda", 2))
    monkeypatch.setenv(SWITCH, "0")
    eager = images_of(fit_tiles(jobs(5), as_transferred(config, recipe), "cuda", 3))
    for one, other in zip(captured, eager, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@needs_card
def test_graphs_are_kept_between_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    captured: list[CapturedPrior] = []

    def capture_and_count(prior: Prior) -> CapturedPrior:
        captured.append(capture(prior))
        return captured[-1]

    monkeypatch.setattr(tile_pool, "capture", capture_and_count)
    config = replace(CONFIG, depth=3)  # of a kind that no other test uses
    for iterations in (3, 4, 5):
        fit_tiles(jobs(4), as_transferred(replace(config, iterations=iterations), RECIPE), "cuda", 2)
    assert len(captured) == 2


@needs_card
def test_the_deterministic_switch_gives_the_same_bits_again() -> None:
    recipe = replace(preset_recipe("standard", precision="bfloat16"), deterministic=True)
    one, other = (
        images_of(fit_tiles(jobs(4), as_transferred(CONFIG, recipe), "cuda", at_once)) for at_once in (4, 2)
    )
    for image, again in zip(one, other, strict=True):
        np.testing.assert_array_equal(image, again)
