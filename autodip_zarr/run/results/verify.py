"""Check that results are whole and valid: the models, the provenance, the record, every stored byte."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Block, Header, ImageRef, Skipped
from autodip_zarr.errors import AutodipError, PixelError
from autodip_zarr.provenance import public_uri
from autodip_zarr.run.results.integrity import range_problem
from autodip_zarr.run.results.ledger import failed_planes, is_begun
from autodip_zarr.run.sources.prefetch import side_by_side
from autodip_zarr.shown.tabular import Tabular
from autodip_zarr.stores import (
    Damage,
    Failure,
    check_block,
    check_container,
    check_documents,
    container_of,
    has_checksums,
    kept_attributes,
    read_attributes,
    read_header,
    read_planes,
    read_record,
    walk_results,
)
from autodip_zarr.stores.result.validate import model_problems

_RECIPE_FIELDS = ("source", "channels", "preset", "seed", "tile_px", "halo_px", "precision", "software")
_SHOWN = 5
_MEND = "the command that made it, with --repair, makes again what is damaged, and nothing else"
_BY_VALUES = "made before checksums were kept: only the least and greatest value of each plane were compared"


@dataclass(frozen=True)
class Finding:
    """What was found out about one result."""

    target: str
    """Path or URI."""
    status: str
    """``whole``, ``broken``, or ``unreadable``."""
    problems: tuple[str, ...]
    """What is wrong apart from planes that failed; empty for a whole result."""
    failed: tuple[Failure, ...] = ()
    """Planes that failed or are not done, with the reason."""
    checked: str = ""
    """What the pixels were compared with: ``checksums``, or ``values`` in results of earlier versions."""
    hint: str = ""
    """What to do about it, or what could not be checked, in words."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.status == "whole"


class Findings(list[Finding], Tabular):
    """What was found out about some results; a list, and a row a result."""

    _COLUMNS = ("target", "status", "problems", "failed_planes", "checked", "hint")

    @property
    def are_whole(self) -> bool:
        """Whether nothing is wrong with any of them."""
        return all(finding.is_whole for finding in self)

    def _rows(self) -> Iterator[Sequence[object]]:
        for one in self:
            target, failed = public_uri(one.target), len(one.failed)
            yield (target, one.status, one.problems, failed, one.checked, one.hint)

    def _headline(self) -> str:
        return self.in_one_line()

    def in_one_line(self) -> str:
        """Say how many results are whole."""
        whole = sum(finding.is_whole for finding in self)
        return f"{len(self)} results, {whole} of them whole"


def verify_target(target: str | os.PathLike[str]) -> Findings:
    """Check a result, or all results below a folder.

    Parameters
    ----------
    target : str or path
        Image group, store or folder.

    Returns
    -------
    Findings
        A list, with one `Finding` a result, those of damaged stores of several results first.
    """
    items = list(walk_results([os.fspath(target)]))
    return Findings([*_containers(items), *(_verify(item) for item in items)])


def _containers(items: Iterable[ImageRef | Skipped]) -> Iterator[Finding]:
    """Yield stores of several results whose own documents are damaged; whole ones are not worth a line."""
    known: dict[str, str | None] = {}
    seen: set[str] = set()
    for item in items:
        folder = item.source.rstrip("/").rpartition("/")[0]
        try:
            if folder not in known:
                known[folder] = container_of(item.source)
            container = known[folder]
            if container is None or container in seen:
                continue
            seen.add(container)
            problems = [str(damage) for damage in check_container(container)]
        except AutodipError as error:
            problems, container = [str(error)], folder
        if problems:
            yield Finding(container, "broken", tuple(_some(problems)), checked="checksums", hint=_MEND)


def _verify(item: ImageRef | Skipped) -> Finding:
    if isinstance(item, Skipped):
        return Finding(item.source, "unreadable", (item.reason,), hint=_hint_at(item.source))
    failed: list[Failure] = []
    checked, problems = "values", []
    try:
        if has_checksums(item.source):
            checked, problems = "checksums", list(_some([str(one) for one in find_damages(item.source)]))
        failed = failed_planes(item.source)
        if not problems:  # documents that were changed are not worth a look at what they say
            problems = list(_problems(item, checked))
    except AutodipError as error:
        problems.append(str(error))
    status = "broken" if problems or failed else "whole"
    hints = [_MEND] * bool(problems) + [_BY_VALUES] * (checked == "values")
    return Finding(item.source, status, tuple(problems), tuple(failed), checked, "; ".join(hints))


def _hint_at(source: str) -> str:
    """Return what to do about a result that cannot be read: its checksums may keep its documents."""
    folder = re.sub(r"/(zarr\.json|\.z(attrs|group|array))$", "", source)
    try:
        return "" if kept_attributes(folder) is None else _MEND
    except AutodipError:
        return ""


def find_damages(uri: str) -> Iterator[Damage]:
    """Yield every object of a result that is not as it was written; blocks are read some at a time.

    Parameters
    ----------
    uri : str
        The image group; there must be checksums.

    Raises
    ------
    AutodipError
        The store does not answer.
    """
    documents = check_documents(uri, side_by_side)
    yield from documents.damages
    blocks: Iterable[Block] = documents.blocks
    if documents.status in {"running", "partial"}:  # of which some blocks may never have been recorded
        record = read_record(uri)
        blocks = [block for block in blocks if is_begun(block, record)]
    for damages in side_by_side(lambda block: check_block(uri, block), blocks):
        yield from damages


def _problems(ref: ImageRef, checked: str) -> Iterator[str]:
    yield from model_problems(ref.source)
    attributes = read_attributes(ref.source) or {}
    yield from _provenance_problems(attributes)
    header, record = read_header(ref), read_record(ref.source)
    expected = tuple(header.size(axis) for axis in "tcz")
    if record.shape[:3] != expected:
        yield f"autodip/record: found (t, c, z) {record.shape[:3]}, expected {expected}"
        return
    if checked != "checksums":
        yield from _some(list(_pixel_problems(header, record)))


def every_problem(finding: Finding) -> list[str]:
    """Return all that is wrong with a result, every failed plane in a line of its own."""
    return [*finding.problems, *map(str, finding.failed)]


def shown(finding: Finding) -> list[str]:
    """Return what is wrong with a result in a few lines: the first failed planes stand for all."""
    return [*finding.problems, *_some([str(failure) for failure in finding.failed])]


def _some(problems: Sequence[str]) -> Iterator[str]:
    """Yield the first few of a list that may be very long, and how many more there are."""
    yield from problems[:_SHOWN]
    if len(problems) > _SHOWN:
        yield f"... and {len(problems) - _SHOWN} more"


def _provenance_problems(attributes: Mapping[str, Any]) -> Iterator[str]:
    if attributes.get("status") != "complete":
        yield f"autodip.status: found {attributes.get('status')!r}, expected 'complete'"
    recipe = attributes.get("recipe", {})
    missing = [name for name in _RECIPE_FIELDS if name not in recipe]
    if missing:
        yield f"autodip.recipe: {', '.join(missing)} missing"
    for channel in recipe.get("channels", []):
        if channel.get("treatment") == "denoised" and not {"config", "match"} <= channel.keys():
            yield f"autodip.recipe.channels[{channel.get('index')}]: config or match missing"


def _pixel_problems(header: Header, record: NDArray[np.float64]) -> Iterator[str]:
    """Read every plane, and compare its least and greatest value with those recorded."""
    for t, c, z in np.ndindex(record.shape[:3]):
        try:
            plane = read_planes(header, c, [(t, z)])[0]
        except PixelError as error:
            yield str(error)
            continue
        problem = range_problem(plane, record[t, c, z])
        if problem is not None:
            yield f"plane t={t} c={c} z={z}: {problem}"
