"""Find out what of a result has to be made again, and put back what its checksums keep a copy of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autodip_zarr.domain import Block, TargetSpec
from autodip_zarr.run.results.integrity import is_whole
from autodip_zarr.run.sources.prefetch import prefetch, side_by_side
from autodip_zarr.stores import (
    Damage,
    are_levels_right,
    check_block,
    check_documents,
    has_checksums,
    renew_layout,
    renew_lower_levels,
    renew_missing,
    renew_registration,
    restore,
)
from autodip_zarr.stores.zarr.checksums import LAYOUT, REGISTRATION, manifest_key


@dataclass(frozen=True)
class Repair:
    """What is to be done about a complete result."""

    restored: tuple[str, ...]
    """Keys of the objects that were put back."""
    blocks: tuple[Block, ...]
    """Blocks that have to be made again."""
    is_to_be_finished: bool
    """Whether levels, provenance or their checksums have to be made again."""


def restore_documents(uri: str) -> tuple[str, ...]:
    """Put back the documents of a result that are damaged or missing, and return their keys.

    Raises
    ------
    AutodipError
        They cannot be read or written.
    """
    if not has_checksums(uri):
        return ()
    return _restored(uri, check_documents(uri, side_by_side).damages)[0]


def _restored(uri: str, damages: Sequence[Damage]) -> tuple[tuple[str, ...], tuple[Damage, ...]]:
    left = restore(uri, damages)
    return tuple(one.key for one in damages if one not in left), left


def repair(spec: TargetSpec, done: Iterable[Block]) -> Repair:
    """Compare a complete result with its checksums, and put back what they keep a copy of.

    A result of an earlier version, which has none, is read back, and its levels are compared with the means
    of those above.

    Parameters
    ----------
    spec : TargetSpec
        The result, laid out as it was begun.
    done : iterable of Block
        Its blocks, as far as they are recorded as done.

    Raises
    ------
    AutodipError
        It cannot be read or written, or more is lost than can be made again.
    """
    if not spec.checksums:
        restored_documents = renew_missing(spec)
        looks = prefetch(lambda block: is_whole(spec, block), done)
        blocks = tuple(block for block, whole in looks if not whole)
        are_levels_whole = not blocks and are_levels_right(spec)
        if not are_levels_whole:
            renew_lower_levels(spec)
        return Repair(restored_documents, blocks, is_to_be_finished=not are_levels_whole)
    checked = check_documents(spec.uri, side_by_side)
    lost = {damage.key for damage in checked.damages}
    restored: list[str] = []
    if manifest_key(LAYOUT) in lost:
        renew_layout(spec)
        restored.append(manifest_key(LAYOUT))
    if manifest_key(REGISTRATION) in lost:
        renew_registration(spec.uri)
        restored.append(manifest_key(REGISTRATION))
    if restored:
        checked = check_documents(spec.uri, side_by_side)
    keys, left = _restored(spec.uri, checked.damages)
    restored += keys
    blocks_left: list[Block] = []
    for block, damages in prefetch(lambda one: check_block(spec.uri, one), checked.blocks):
        keys, of_block = _restored(spec.uri, damages)
        restored += keys
        if of_block:
            blocks_left.append(block)
    return Repair(tuple(restored), tuple(blocks_left), is_to_be_finished=bool(left or blocks_left))
