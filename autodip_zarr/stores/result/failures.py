"""Why planes of a result failed: one small document for each block that has such planes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Block, TargetSpec
from autodip_zarr.errors import HeaderError
from autodip_zarr.stores.access.errors import target_read_errors
from autodip_zarr.stores.access.place import Place, open_place
from autodip_zarr.stores.result.keys import FAILURES
from autodip_zarr.stores.result.record import RECORD_FIELDS, STATUS_FAILED
from autodip_zarr.stores.zarr.documents import dump_json
from autodip_zarr.stores.zarr.nodes import Json, as_objects, parse_json


@dataclass(frozen=True, order=True)
class Failure:
    """Why a plane failed."""

    c: int
    """Channel."""
    t: int
    """Time point."""
    z: int
    """Depth."""
    reason: str
    """Why, in words."""

    def __str__(self) -> str:
        """Return one line: which plane, and why."""
        return f"plane t={self.t} c={self.c} z={self.z}: {self.reason}"


def write_failures(spec: TargetSpec, block: Block, reasons: Mapping[tuple[int, int], str]) -> None:
    """Write down why planes of a block failed, in place of what an earlier attempt left.

    Parameters
    ----------
    spec : TargetSpec
        The result.
    block : Block
        The planes that were worked on together.
    reasons : mapping
        Why, in words, for each (t, z) that failed.

    Raises
    ------
    TargetError
        It cannot be written.
    """
    planes = [{"t": t, "c": block.c, "z": z, "reason": reason} for (t, z), reason in reasons.items()]
    open_place(spec.uri).write(_failure_key(block), dump_json({"planes": planes}))


def read_failures(uri: str) -> tuple[Failure, ...]:
    """Return why planes of a result failed, as far as written down, in the order of c, t and z.

    Raises
    ------
    TargetError
        The reasons cannot be read.
    """
    place = open_place(uri)
    files = _failure_files(place)
    return tuple(sorted(one for key, content in files for one in _in_file(place, key, content)))


def forget_failures(place: Place, record: NDArray[np.float64]) -> dict[str, bytes]:
    """Delete the reasons of planes that were done after all, by a later attempt; return the other files.

    Parameters
    ----------
    place : LocalPlace or RemotePlace
        The image group.
    record : (T, C, Z, F) float64
        What became of each plane.

    Raises
    ------
    TargetError
        The reasons cannot be read or deleted.
    """
    failed = {tuple(at) for at in np.argwhere(record[..., RECORD_FIELDS.index("status")] == STATUS_FAILED)}
    kept: dict[str, bytes] = {}
    for key, content in _failure_files(place):
        if any((one.t, one.c, one.z) in failed for one in _in_file(place, key, content)):
            kept[key] = content
        else:
            place.delete(key)
    return kept


def _failure_files(place: Place) -> list[tuple[str, bytes]]:
    """Return the files with reasons of failures, by key."""
    with target_read_errors():
        names = [name for name, is_folder in place.entries(FAILURES) if not is_folder]
        keys = [f"{FAILURES}/{name}" for name in names if name.endswith(".json") and name[0].isdigit()]
        contents = zip(keys, place.read_many(keys), strict=True)
        return [(key, content) for key, content in contents if content is not None]


def _in_file(place: Place, key: str, content: bytes) -> list[Failure]:
    """Return why planes failed, as one file says."""
    with target_read_errors():
        planes = _planes(content, place.where(key))
        return [_failure(plane, f"{place.where(key)}: planes[{n}]") for n, plane in enumerate(planes)]


def _planes(content: bytes, where: str) -> list[Json]:
    return as_objects(parse_json(content, where).get("planes"), f"{where}: planes")


def _failure(plane: Json, where: str) -> Failure:
    c, t, z = (plane.get(axis) for axis in "ctz")
    if not (isinstance(c, int) and isinstance(t, int) and isinstance(z, int)):
        raise HeaderError(where, f"found {plane!r:.100}", "the indices c, t and z of a plane")
    return Failure(c, t, z, str(plane.get("reason", "")))


def _failure_key(block: Block) -> str:
    return f"{FAILURES}/{block.c}-{block.t.start}-{block.z.start}.json"
