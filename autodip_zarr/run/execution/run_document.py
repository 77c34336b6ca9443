"""What a result records of the run that makes it, and how a run that goes on keeps to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from autodip_zarr.domain import TargetSpec
from autodip_zarr.errors import TargetError
from autodip_zarr.provenance import public_uri


def run_document(spec: TargetSpec, started: datetime) -> dict[str, Any]:
    """Return what is recorded of a run when it begins: when, and how its result is laid out."""
    layout = {
        "block": [spec.block_t, spec.block_z],
        "chunk": list(spec.chunk),
        "shard": list(spec.shard) if spec.shard else None,
        "uncertainty": spec.uncertainty,
        "dtype": spec.dtype,
    }
    if spec.checksums:
        layout["checksums"] = "sha256"
    return {"started": started.isoformat(timespec="seconds"), "layout": layout}


def as_begun(spec: TargetSpec, attributes: Mapping[str, Any] | None) -> TargetSpec:
    """Keep to the layout in which a result was begun, whatever this machine would choose.

    Raises
    ------
    TargetError
        The result does not say how it is laid out.
    """
    try:
        layout = (attributes or {})["run"]["layout"]
        block_t, block_z = _lengths(layout["block"], 2)
        return replace(
            spec,
            block_t=block_t,
            block_z=block_z,
            chunk=_lengths(layout["chunk"], len(spec.axes)),
            shard=_lengths(layout["shard"], len(spec.axes)) if layout["shard"] else None,
            uncertainty=layout.get("uncertainty", False) is True,
            checksums=layout.get("checksums") is not None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        hint = "--repair puts back what its checksums keep; --overwrite starts over"
        where, expected = f"{public_uri(spec.uri)}: autodip.run.layout", "block, chunk and shard"
        raise TargetError(where, "does not say how the result is cut", expected, hint) from error


def _lengths(value: object, count: int) -> tuple[int, ...]:
    """Return as many lengths along axes; raise ValueError for anything else, since keys are made of them."""
    if isinstance(value, list) and len(value) == count and all(type(n) is int and n > 0 for n in value):
        return tuple(value)
    msg = f"found {value!r:.100}"
    raise ValueError(msg)
