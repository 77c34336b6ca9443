"""Chunks and shards: what every layout must hold to."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autodip_zarr.stores.zarr.layout import CHUNK_PX, SHARD_BYTES, plan_layout, shard_shape

AXES = st.sampled_from(["tczyx", "czyx", "tyx", "yx", "zcyx", "tzyx", "xyz", "cxyz"])
DTYPES = st.sampled_from(["uint8", "uint16", "float32", "float64"])


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    axes = draw(AXES)
    sizes = {"t": st.integers(1, 40), "c": st.integers(1, 4), "z": st.integers(1, 90)}
    shape = tuple(draw(sizes.get(name, st.integers(1, 30_000))) for name in axes)
    block = (draw(st.integers(1, 50)), draw(st.integers(1, 100)))
    return axes, shape, block


@given(arrays(), DTYPES)
def test_a_shard_is_whole_chunks_small_enough_and_of_one_block(
    array: tuple[str, tuple[int, ...], tuple[int, int]], dtype: str
) -> None:
    axes, shape, block = array
    chunk, shard = plan_layout(axes, shape, dtype, block, 3)
    assert shard is not None
    assert all(s % c == 0 for s, c in zip(shard, chunk, strict=True))
    assert math.prod(shard) * np.dtype(dtype).itemsize <= SHARD_BYTES
    length = {"t": block[0], "z": block[1], "c": 1}
    for name, size, part, one in zip(axes, shape, shard, chunk, strict=True):
        if name in "yx":
            assert one <= CHUNK_PX
            continue
        assert one == 1
        for start in range(0, size, part):
            last = min(start + part, size) - 1
            assert start // length[name] == last // length[name], "a shard spans two blocks"


@given(arrays())
def test_a_plane_that_fits_is_not_cut(array: tuple[str, tuple[int, ...], tuple[int, int]]) -> None:
    axes, shape, block = array
    chunk, shard = plan_layout(axes, shape, "uint16", block, 3)
    assert shard is not None
    size, part, one = (dict(zip(axes, values, strict=True)) for values in (shape, shard, chunk))
    padded = math.prod(math.ceil(size[name] / one[name]) * one[name] for name in "yx")
    if padded * 2 <= SHARD_BYTES:
        assert all(part[name] >= size[name] for name in "yx")
    else:
        assert all(part[name] == 1 for name in "tz" if name in part)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 8), st.integers(1, 8))
def test_small_planes_of_a_block_share_shards(z: int, block_z: int, t: int, block_t: int) -> None:
    everything = shard_shape("tzyx", (t, z, 16, 16), (1, 1, 16, 16), (block_t, block_z), 10**9)
    assert everything[1] == min(z, block_z)
    if min(z, block_z) == 1 or block_t == 1:
        assert everything[0] == min(t, block_t)


def test_zarr_2_has_no_shards() -> None:
    assert plan_layout("tczyx", (2, 3, 4, 2048, 1000), "uint16", (1, 4), 2) == ((1, 1, 1, 1024, 1000), None)


def test_chunks_are_even() -> None:
    for size, expected in itertools.chain([(1, 1), (1024, 1024), (1025, 513), (2160, 720), (4096, 1024)]):
        assert plan_layout("yx", (size, 5), "uint8", (1, 1), 2)[0] == (expected, 5)
