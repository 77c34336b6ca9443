"""What results say of themselves: provenance, record, failures, and a plane to look at.

Whatever stands in a result may have been changed or damaged since: values of the wrong kind are passed over,
never trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autodip_zarr.domain import Header, ImageRef, Skipped
from autodip_zarr.errors import AutodipError, SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.run.results.ledger import failed_planes
from autodip_zarr.run.sources.prefetch import prefetch
from autodip_zarr.stores import (
    RECORD_FIELDS,
    STATUS_DENOISED,
    STATUS_FAILED,
    Failure,
    read_attributes,
    read_header,
    read_planes,
    read_record,
    walk,
    walk_results,
)
from autodip_zarr.stores.access.uris import is_remote

_LARGEST_PX: Final = 100_000_000
"""Pixels of a plane beyond which no picture is made: planes are read whole."""

Record = NDArray[np.float64]


@dataclass(frozen=True)
class ReviewedChannel:
    """What became of one channel of a result."""

    index: int
    """Position along the channel axis."""
    name: str | None
    """Name."""
    microscope: str | None
    """Imaging modality, as understood then."""
    specimen: str | None
    """Labelled structure, as understood then."""
    tier: str | None
    """Tier that matched; ``None`` where it was copied."""
    group: str | None
    """Calibration group, for example ``widefield+nucleus``; ``None`` where it was copied."""
    config: str | None
    """Depth, width, skip and iterations that were transferred, joined by ``/``."""
    treatment: str | None
    """``denoised``, ``copied`` or ``failed``."""
    reason: str | None
    """Why it was copied."""
    warnings: tuple[str, ...]
    """What a person should look at."""
    planes: int
    """Planes in all."""
    denoised: int
    """Planes that were denoised."""
    failed: int
    """Planes that failed or are not done."""
    numbers: Mapping[str, float]
    """Means over the denoised planes of the fields of the record, where there are any."""
    agreed: tuple[str, ...]
    """Fields that agreed with the calibration group."""
    missing: tuple[str, ...]
    """Fields that a better match would have needed."""
    evidence: tuple[tuple[str, str, str, str], ...]
    """What the metadata said: what it speaks about, the term it became or nothing, its text, and where it
    stands."""


@dataclass(frozen=True)
class ReviewedImage:
    """One result."""

    target: str
    """Path or URI of the result."""
    source: str
    """Path or URI of what it was made from; empty where it does not say."""
    series: int | None
    """Which image of the source, where that holds several."""
    status: str
    """``running``, ``complete``, ``partial``, or whatever stands there."""
    method: str
    """Preset, seed, table and software, in a line."""
    recipe: Mapping[str, Any]
    """What determined its pixels, as it stands there; values may be of any kind."""
    finished: str | None
    """When it was done."""
    channels: tuple[ReviewedChannel, ...]
    """One a channel, in order."""
    remarks: tuple[str, ...]
    """What was odd about the source, and what the run found worth a look when it finished."""
    failures: tuple[Failure, ...]
    """Every plane that failed or is not done, with the reason."""
    middle: Mapping[int, tuple[int, int]]
    """A plane (t, z) in the middle of those that were denoised, by channel."""

    @property
    def label(self) -> str:
        """Source for people; the target where it names none."""
        series = "" if self.series is None else f" [{self.series}]"
        return f"{self.source or self.target}{series}"

    def warnings(self) -> Iterator[str]:
        """Yield what a person should look at first, in words that images share."""
        if self.status != "complete":
            yield f"status is {self.status}, not complete"
        if self.failures:
            yield "planes failed or are not done"
        yield from self.remarks
        for channel in self.channels:
            yield from channel.warnings
            if channel.numbers.get("restarts", 0) > 0:
                yield "fits diverged and were begun again with another seed"
            if channel.numbers.get("collapses", 0) > 0:
                yield "fits collapsed, and earlier weights were restored"


@dataclass(frozen=True)
class ReviewedPlane:
    """A plane of a result to look at, and the same plane before."""

    denoised: NDArray[np.generic]
    """(Y, X), as it stands in the result."""
    noisy: NDArray[np.generic] | None
    """(Y, X), from the source; ``None`` where it cannot be read."""
    problem: str | None
    """Why there is no noisy plane."""


@dataclass(frozen=True)
class ReviewedPixels:
    """A result and its source, open to be looked at."""

    result: Header
    """The result."""
    source: Header | None
    """What it was made from; ``None`` where that cannot be read."""
    problem: str | None
    """Why it cannot."""

    def plane(self, c: int, t: int, z: int) -> ReviewedPlane:
        """Read a plane of the result and of its source.

        Raises
        ------
        AutodipError
            That of the result cannot be read.
        """
        denoised = read_planes(self.result, c, [(t, z)])[0]
        if self.source is None:
            return ReviewedPlane(denoised, None, self.problem)
        try:
            return ReviewedPlane(denoised, read_planes(self.source, c, [(t, z)])[0], None)
        except AutodipError as error:
            return ReviewedPlane(denoised, None, str(error))


def review_target(target: str) -> Iterator[ReviewedImage | Skipped]:
    """Yield what each result in a folder says of itself, and what cannot be read; no pixel is read.

    Parameters
    ----------
    target : str
        Image group, store or folder.
    """
    for _, reviewed in prefetch(_review, walk_results([target])):
        yield reviewed


def _review(item: ImageRef | Skipped) -> ReviewedImage | Skipped:
    if isinstance(item, Skipped):
        return item
    try:
        return _image(item.source)
    except AutodipError as error:
        return Skipped(public_uri(item.source), str(error), is_error=True)


def _image(uri: str) -> ReviewedImage:
    attributes = read_attributes(uri) or {}
    recipe, run = _object(attributes.get("recipe")), _object(attributes.get("run"))
    source = _object(recipe.get("source"))
    record, failures = read_record(uri), failed_planes(uri)
    status = record[..., RECORD_FIELDS.index("status")]
    listed = recipe.get("channels")
    documents = [_object(one) for one in listed] if isinstance(listed, list) else []
    documents += [{}] * (record.shape[1] - len(documents))
    series = source.get("series")
    return ReviewedImage(
        target=public_uri(uri),
        source=_text(source.get("uri")) or "",
        series=series if isinstance(series, int) else None,
        status=_text(attributes.get("status")) or "unknown",
        method=_method(recipe),
        recipe=recipe,
        finished=_text(run.get("finished")),
        channels=tuple(_channel(index, documents[index], record) for index in range(record.shape[1])),
        remarks=(*_texts(source.get("warnings")), *_texts(run.get("warnings"))),
        failures=tuple(failures),
        middle={c: found for c in range(record.shape[1]) if (found := _middle(status[:, c])) is not None},
    )


def _method(recipe: Mapping[str, Any]) -> str:
    channels = recipe.get("channels")
    matches = [_object(_object(one).get("match")) for one in channels] if isinstance(channels, list) else []
    tables = dict.fromkeys(
        f"{_text(table.get('name'))} {_text(table.get('version'))}, metric {_text(match.get('metric'))}"
        for match in matches
        if (table := _object(match.get("table")))
    )
    software = " ".join(f"{name} {version}" for name, version in _object(recipe.get("software")).items())
    parts = [
        f"preset {_text(recipe.get('preset'))}, seed {_text(recipe.get('seed'))}, "
        f"{_text(recipe.get('precision'))}",
        *(f"table {table}" for table in tables),
        software,
    ]
    return "; ".join(part for part in parts if part)


def _channel(index: int, known: Mapping[str, Any], record: Record) -> ReviewedChannel:
    match, config = _object(known.get("match")), _object(known.get("config"))
    planes = record[:, index].reshape(-1, len(RECORD_FIELDS))
    status = planes[:, RECORD_FIELDS.index("status")]
    denoised = planes[status == STATUS_DENOISED]
    shape = [_text(config.get(name)) for name in ("depth", "width", "skip", "iterations")]
    return ReviewedChannel(
        index=index,
        name=_text(known.get("name")),
        microscope=_text(known.get("microscope")),
        specimen=_text(known.get("specimen")),
        tier=_text(match.get("tier")),
        group=("+".join(map(str, _object(match.get("group")).values())) or "global") if match else None,
        config="/".join(part or "?" for part in shape) if config else None,
        treatment=_text(known.get("treatment")),
        reason=_text(known.get("reason")),
        warnings=_texts(match.get("warnings")),
        planes=len(planes),
        denoised=len(denoised),
        failed=int((np.isnan(status) | (status == STATUS_FAILED)).sum()),
        numbers={name: value for name in RECORD_FIELDS if (value := _mean(denoised, name)) is not None},
        agreed=_texts(match.get("agreed")),
        missing=_texts(match.get("missing")),
        evidence=tuple(_evidence(known.get("evidence"))),
    )


def _evidence(listed: object) -> Iterator[tuple[str, str, str, str]]:
    for one in map(_object, listed if isinstance(listed, list) else []):
        texts = [_text(one.get(key)) or "" for key in ("field", "value", "raw", "source")]
        yield texts[0], texts[1], texts[2], texts[3]


def _mean(planes: Record, name: str) -> float | None:
    values = planes[:, RECORD_FIELDS.index(name)]
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else None


def _middle(status: Record) -> tuple[int, int] | None:
    places = np.argwhere(status == STATUS_DENOISED).tolist()
    if not places:
        return None
    t, z = places[len(places) // 2]
    return t, z


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def open_pixels(image: ReviewedImage, *, remote_sources: bool) -> ReviewedPixels | str:
    """Open a result and its source to look at their planes.

    Parameters
    ----------
    image : ReviewedImage
        The result.
    remote_sources : bool
        Whether a source on a server may be read. The address stands in the result, which may come from
        anywhere, and would be asked with the credentials of whoever looks at it.

    Returns
    -------
    ReviewedPixels or str
        In words why there is nothing to look at, where the result itself cannot be read.
    """
    try:
        (ref,) = [item for item in walk_results([image.target]) if isinstance(item, ImageRef)]
        header = read_header(ref)
        pixels = header.size("y") * header.size("x")
        if pixels > _LARGEST_PX:
            return f"no picture: a plane of {pixels:,} pixels is too large for one"
    except (AutodipError, ValueError) as error:
        return f"no picture: {error}"
    try:
        return ReviewedPixels(header, _source_header(image, header, remote_sources=remote_sources), None)
    except AutodipError as error:
        return ReviewedPixels(header, None, str(error))


def _source_header(image: ReviewedImage, result: Header, *, remote_sources: bool) -> Header:
    if not image.source:
        raise SourceError(image.target, "does not say what it was made from")
    if is_remote(image.source) and not remote_sources:
        raise SourceError(image.source, "is on a server, and was not read", hint="ask for --remote-sources")
    refs: Sequence[ImageRef] = [
        item
        for item in walk([image.source])
        if isinstance(item, ImageRef) and item.series == image.series and item.source == image.source
    ]
    if len(refs) != 1:
        raise SourceError(image.source, "is no longer there")
    header = read_header(refs[0])
    sizes, expected = ({axis: one.size(axis) for axis in "tczyx"} for one in (header, result))
    if sizes != expected:
        raise SourceError(image.source, f"has now the size {sizes}", f"{expected}")
    return header
