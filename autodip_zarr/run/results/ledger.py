"""What is done in a result, what is left, and what failed, from its record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Block, TargetSpec, Treatment
from autodip_zarr.run.blocks import blocks
from autodip_zarr.stores import (
    RECORD_FIELDS,
    STATUS_DENOISED,
    STATUS_FAILED,
    Failure,
    read_failures,
    read_record,
)

_STATUS = RECORD_FIELDS.index("status")


def blocks_to_do(
    spec: TargetSpec, record: NDArray[np.float64], first: Sequence[int]
) -> tuple[list[Block], list[Block]]:
    """Return the blocks that are not done or in which a plane failed, and those that are done.

    Parameters
    ----------
    spec : TargetSpec
        Layout of the result.
    record : ndarray
        (T, C, Z, field) float64, NaN where nothing was done.
    first : sequence of int
        Channels in the order in which they are to be processed.
    """
    remaining: list[Block] = []
    done: list[Block] = []
    for block in blocks(spec, first):
        (done if _is_done(block, record) else remaining).append(block)
    return remaining, done


def _is_done(block: Block, record: NDArray[np.float64]) -> bool:
    status = _status_of(block, record)
    return not (np.isnan(status) | (status == STATUS_FAILED)).any()


def _status_of(block: Block, record: NDArray[np.float64]) -> NDArray[np.float64]:
    return record[block.t.start : block.t.stop, block.c, block.z.start : block.z.stop, _STATUS]


def is_begun(block: Block, record: NDArray[np.float64]) -> bool:
    """Return whether anything was recorded of a block."""
    return not bool(np.isnan(_status_of(block, record)).all())


def count_failed(record: NDArray[np.float64]) -> int:
    """Return how many planes failed or were lost with their worker."""
    status = record[..., _STATUS]
    return int((np.isnan(status) | (status == STATUS_FAILED)).sum())


def failed_planes(uri: str) -> list[Failure]:
    """Return all planes of a result that failed or are not done, with the reason, in the order of c, t and z.

    Raises
    ------
    TargetError
        If the record or the reasons cannot be read.
    """
    status = read_record(uri)[..., _STATUS]
    reasons = {(known.t, known.c, known.z): known.reason for known in read_failures(uri)}
    found = []
    for t, c, z in np.argwhere(np.isnan(status) | (status == STATUS_FAILED)).tolist():
        missing = "is not done" if np.isnan(status[t, c, z]) else "failed, and no reason was written down"
        found.append(Failure(c, t, z, reasons.get((t, c, z), missing)))
    return sorted(found)


def treatments(record: NDArray[np.float64]) -> list[Treatment]:
    """Say what became of each channel: denoised if any of its planes was, else failed or copied."""
    found: list[Treatment] = []
    for c in range(record.shape[1]):
        status = record[:, c, :, _STATUS]
        if (status == STATUS_DENOISED).any():
            found.append("denoised")
        else:
            found.append("failed" if (status == STATUS_FAILED).any() or np.isnan(status).any() else "copied")
    return found
