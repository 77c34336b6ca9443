"""Read image after image of some sources, within the wells and fields that were chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from autodip_zarr.domain import Acquisition, FieldOfPlate, Header, ImageRef, Skipped
from autodip_zarr.errors import AutodipError
from autodip_zarr.run.choices import SelectionChoices
from autodip_zarr.run.sources.overrides import Knowledge, UnderstoodImage
from autodip_zarr.run.sources.prefetch import prefetch
from autodip_zarr.run.sources.selection import is_chosen_place
from autodip_zarr.stores import read_header, walk

_MOST_NAMES = 20
"""Names of channels that a message holds."""


class Survey:
    """Yields what is known of each image, and what cannot be read; counts what lies outside the selection.

    Headers are read some images ahead and side by side, so that a slow store is not waited for again and
    again.

    Whoever finds later that an image lies outside, because of its channels or planes, calls `leave_out`.

    Parameters
    ----------
    sources : sequence of str
        Files, folders and URIs.
    choices : SelectionChoices
        Wells and fields, and everything else that may leave an image out.
    knowledge : Knowledge
        Reads the images.
    """

    def __init__(self, sources: Sequence[str], choices: SelectionChoices, knowledge: Knowledge) -> None:
        self._sources = sources
        self._choices = choices
        self._knowledge = knowledge
        self._lines: set[int] = set()
        self._names: dict[str, None] = {}
        self._inside = 0
        self._outside = 0

    def __iter__(self) -> Iterator[UnderstoodImage | Skipped]:
        for ref, header in prefetch(_read, self._chosen_refs()):
            if isinstance(header, Skipped):
                yield header
                continue
            try:  # on this thread: it computes, and what images of one store share is understood once
                understood = self._knowledge.understand(header)
            except AutodipError as error:
                yield Skipped(ref.source, str(error), is_error=True)
                continue
            self._lines |= understood.lines
            if self._is_chosen(understood.acquisition.plate):
                self._inside += 1
                yield understood
            else:
                self._outside += 1

    def _chosen_refs(self) -> Iterator[ImageRef | Skipped]:
        for ref in walk(self._sources):
            if isinstance(ref, ImageRef) and ref.plate is not None and not self._is_chosen(ref.plate):
                self._outside += 1
            elif isinstance(ref, ImageRef):
                yield replace(ref, given_axes=self._knowledge.given.axes)
            else:
                yield ref

    def _is_chosen(self, plate: FieldOfPlate | None) -> bool:
        return is_chosen_place(plate, self._choices.wells, self._choices.fields)

    def use(self, lines: frozenset[int]) -> None:
        """Count an image that was read differently, about which some lines of the mapping spoke."""
        self._lines |= lines
        self._inside += 1

    def leave_out(self, acquisition: Acquisition) -> None:
        """Count the image that was yielded last as one outside the selection."""
        self._inside -= 1
        self._outside += 1
        if len(self._names) < _MOST_NAMES:
            self._names |= dict.fromkeys(str(one.name or one.index) for one in acquisition.channels)

    def nothing_left(self, sources: Sequence[str]) -> tuple[Skipped, ...]:
        """Return the record of sources without any image in the selection, once the survey is over."""
        if self._inside or not self._outside:
            return ()
        options = ("wells", "fields", "channels", "t", "z")
        given = ((f"--{name}", getattr(self._choices, name)) for name in options)
        said = " ".join(chain.from_iterable(pair for pair in given if pair[1] is not None))
        reason = f"none of the {self._outside} images lies within {said}"
        if self._choices.channels is not None and self._names:
            reason += f"; their channels are {', '.join(islice(self._names, _MOST_NAMES))}"
        return (Skipped(", ".join(sources), reason, is_error=True),)

    def warnings(self) -> tuple[str, ...]:
        """Return what a person should look at, once the survey is over."""
        return self._knowledge.unused(frozenset(self._lines))


def _read(ref: ImageRef | Skipped) -> Header | Skipped:
    """Read a header; what cannot be read is an answer, too."""
    if isinstance(ref, Skipped):
        return ref
    try:
        return read_header(ref)
    except AutodipError as error:
        return Skipped(ref.source, str(error), is_error=True)
