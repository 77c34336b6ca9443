"""One block, with the fit replaced by a function: what is written and recorded when a fit fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.dip.planes.job import DenoisedPlane, FitJob
from autodip_zarr.domain import Block, ImageRef
from autodip_zarr.errors import FitError
from autodip_zarr.run.execution.block_task import BlockTask, process_block, run_block_again
from autodip_zarr.run.locks.locking import Locks
from autodip_zarr.stores import RECORD_FIELDS, read_failures, read_header, read_record, walk
from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from ..stores.builders import spec_for
from .results import planes
from .values import CONFIG, RECIPE


def half(
    noisy: Sequence[NDArray[np.generic]], _job: FitJob, places: Sequence[Sequence[int]]
) -> Iterator[DenoisedPlane | FitError]:
    """Stand in for a fit: halve every plane but the second, which diverges."""
    for plane, place in zip(noisy, places, strict=True):
        if place[3] == 1:
            yield FitError("fit", "diverged")
        else:
            yield DenoisedPlane(plane.astype(np.float32) / 2, 7, 0.25, 1.5)


def test_a_plane_whose_fit_diverges_is_copied_and_recorded(tmp_path: Path) -> None:
    from autodip_zarr.stores import create_target

    sample = make_sample("x", (1, 1, 4, 10, 12))
    write_sample_zarr(tmp_path / "x.zarr", sample, "0.5")
    ref = next(iter(walk([str(tmp_path / "x.zarr")])))
    assert isinstance(ref, ImageRef)
    header = read_header(ref)
    spec = replace(spec_for(header, str(tmp_path / "out.zarr")), block_z=4)
    create_target(spec, {"status": "running"})
    block = Block(0, range(1), range(4))
    chosen = frozenset({0, 1, 2})
    with Locks() as locks:
        lock = locks.acquire(spec.uri)
        task = BlockTask(header, spec, block, CONFIG, RECIPE, frozenset({0}), chosen, "cpu", lock)
        outcome = process_block(task, half)

    assert (outcome.denoised, outcome.copied, len(outcome.failures)) == (2, 1, 1)
    written = planes(tmp_path / "out.zarr")
    source = sample.pixels[0, 0].astype(float)
    for z, factor in enumerate([0.5, 1.0, 0.5, 1.0]):
        np.testing.assert_array_equal(written[z], np.rint(source[z] * factor))
    record = read_record(spec.uri)[0, 0]
    assert record[:, RECORD_FIELDS.index("status")].tolist() == [1, 0, 1, 2]
    assert record[0, RECORD_FIELDS.index("iterations")] == 7
    (failure,) = read_failures(spec.uri)
    assert (failure.t, failure.c, failure.z) == (0, 0, 1)
    assert "diverged" in failure.reason


def test_a_retry_copes_with_an_entry_of_the_record_that_was_cut_off(tmp_path: Path) -> None:
    """As a power failure leaves it."""
    from autodip_zarr.stores import create_target

    write_sample_zarr(tmp_path / "x.zarr", make_sample("x", (1, 1, 2, 10, 12)), "0.5")
    ref = next(iter(walk([str(tmp_path / "x.zarr")])))
    assert isinstance(ref, ImageRef)
    header = read_header(ref)
    spec = replace(spec_for(header, str(tmp_path / "out.zarr")), block_z=2)
    create_target(spec, {"status": "running"})
    every = frozenset({0, 1})
    with Locks() as locks:
        lock = locks.acquire(spec.uri)
        task = BlockTask(header, spec, Block(0, range(1), range(2)), None, RECIPE, every, every, "cpu", lock)
        assert run_block_again(task).copied == 2
        (entry,) = (path for path in (tmp_path / "out.zarr/autodip/record/c").rglob("*") if path.is_file())
        whole = entry.read_bytes()
        assert run_block_again(task).copied == 2
        entry.write_bytes(whole[: len(whole) // 2])
        assert run_block_again(task).copied == 2
        assert entry.read_bytes() != whole[: len(whole) // 2]
        entry.write_bytes(b"")
        assert run_block_again(task).copied == 2
