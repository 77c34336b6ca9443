"""Blocks partition the planes of a result."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.dip.estimate import ORIGINAL_DIP, estimate
from autodip_zarr.dip.presets import preset_recipe
from autodip_zarr.domain import DipConfig, TargetSpec
from autodip_zarr.run.blocks import block_shape, blocks
from autodip_zarr.run.results.ledger import blocks_to_do, count_failed, treatments
from autodip_zarr.stores import RECORD_FIELDS, STATUS_COPIED, STATUS_DENOISED, STATUS_FAILED

from .values import AXES, make_header

SIZES = st.integers(1, 9)


def make_spec(sizes: tuple[int, int, int], block: tuple[int, int]) -> TargetSpec:
    t, c, z = sizes
    header = make_header((t, c, z, 8, 8))
    return TargetSpec(
        uri="/out/x.ome.zarr",
        zarr_format=3,
        name="x",
        axes=AXES,
        levels=header.levels,
        dtype="uint16",
        chunk=(1, 1, 1, 8, 8),
        shard=None,
        block_t=block[0],
        block_z=block[1],
        channels=header.channels,
    )


@given(st.tuples(SIZES, SIZES, SIZES), st.tuples(SIZES, SIZES))
def test_every_plane_is_in_exactly_one_block(sizes: tuple[int, int, int], block: tuple[int, int]) -> None:
    spec = make_spec(sizes, block)
    seen = Counter((b.c, t, z) for b in blocks(spec, range(sizes[1])) for t, z in b.positions)
    assert set(seen.values()) == {1}
    assert len(seen) == sizes[0] * sizes[1] * sizes[2]


@given(st.floats(0.001, 50_000), SIZES, SIZES)
def test_blocks_run_along_z_or_else_along_t(seconds: float, t: int, z: int) -> None:
    block_t, block_z = block_shape(make_header((t, 1, z, 64, 64)), seconds)
    assert 1 <= block_t <= t
    assert 1 <= block_z <= z
    assert block_t == 1 or z == 1


def seconds(config: DipConfig, side: int, device: str) -> float:
    return estimate(config, preset_recipe("reference", precision="float32"), (side, side), device).seconds()


def test_a_costly_plane_is_a_block_of_its_own_and_a_large_one_too() -> None:
    assert block_shape(make_header((1, 1, 50, 512, 512)), seconds(ORIGINAL_DIP, 512, "cpu")) == (1, 1)
    assert block_shape(make_header((1, 1, 50, 20000, 20000)), 0.1) == (1, 1)


def test_a_card_gets_larger_blocks_and_small_planes_are_not_free() -> None:
    header = make_header((1, 1, 100, 512, 512))
    narrow = DipConfig(8, "asc", 4, 400)
    on_card, on_core = (block_shape(header, seconds(narrow, 512, device)) for device in ("cuda:0", "cpu"))
    assert on_card[1] > on_core[1] >= 1
    assert seconds(DipConfig(1, 1, 0, 300), 64, "cpu") > 1


def test_what_is_left_is_what_is_neither_done_nor_free_of_failures() -> None:
    spec = make_spec((1, 2, 4), (1, 2))
    record = np.full((1, 2, 4, len(RECORD_FIELDS)), np.nan)
    status = RECORD_FIELDS.index("status")
    assert len(blocks_to_do(spec, record, [0, 1])[0]) == 4
    record[0, 0, :2, status] = STATUS_DENOISED
    record[0, 0, 2:, status] = [STATUS_DENOISED, STATUS_FAILED]
    record[0, 1, :2, status] = STATUS_COPIED
    left, done = blocks_to_do(spec, record, [1, 0])
    assert [(b.c, b.z) for b in done] == [(1, range(2)), (0, range(2))]
    assert [(b.c, b.z) for b in left] == [(1, range(2, 4)), (0, range(2, 4))]
    assert count_failed(record) == 3
    assert treatments(record) == ["denoised", "failed"]
    record[0, 1, 2:, status] = STATUS_COPIED
    assert treatments(record) == ["denoised", "copied"]
    assert blocks_to_do(replace(spec, block_z=4), record, [1])[0] == []
