"""Decide what to do with every image of some sources, without reading a pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from autodip_zarr.domain import ImagePlan, Skipped, Totals
from autodip_zarr.errors import AutodipError
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.method import PRIOR, Method
from autodip_zarr.run.planning.plan_list import Plan, PlannedImages
from autodip_zarr.run.planning.planner import Planner
from autodip_zarr.run.planning.totals import Count
from autodip_zarr.run.results.orphans import orphaned_results
from autodip_zarr.run.results.reuse import decide
from autodip_zarr.run.sources.named import Sources, named_sources
from autodip_zarr.run.sources.prefetch import prefetch
from autodip_zarr.run.sources.survey import Survey
from autodip_zarr.stores import absolute, is_empty, kept_attributes, read_attributes


class Planning:
    """Plans image after image of some sources, keeps none, and counts what it comes to.

    Where there are results of an earlier run, they are looked at, and each image says what becomes of it.

    Parameters
    ----------
    sources : sequence of str
        Files, folders and URIs.
    choices : Choices
        What is to be done.
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    method : Method
        How planes are denoised.

    Yields
    ------
    ImagePlan or Skipped
        Images in the order of the walk, each before what is skipped of its channels. Images outside the
        selection are left out.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense; a source that cannot be read is skipped instead.
    """

    def __init__(
        self, sources: Sources, choices: Choices, device: str = "auto", method: Method = PRIOR
    ) -> None:
        self.sources = sources = named_sources(sources)
        """Files, folders and URIs that were named."""
        self._choices = choices
        self._planner = Planner.prepare(choices, device, method)
        self._tour = Survey(sources, choices, self._planner.knowledge)
        self._count = Count()
        self._targets: set[str] = set()
        self._gone: list[str] = []

    def __iter__(self) -> Iterator[ImagePlan | Skipped]:
        for item in self._items():
            self._count.add(item)
            yield item

    def _items(self) -> Iterator[ImagePlan | Skipped]:
        output, planned = self._choices.zarr_folder, self._planner.plan(self._tour)
        is_fresh = output is not None and is_empty(output)
        for item in planned if is_fresh else self._decided(planned):
            yield item
            if isinstance(item, ImagePlan):
                source = item.header.ref.source
                for channel in item.channels:
                    if channel.reason is not None:
                        yield Skipped(source, channel.reason, channel.metadata.index)
        yield from self._tour.nothing_left(self.sources)
        if output is not None and not is_fresh:
            self._gone += orphaned_results(output, self._targets)

    def _decided(self, planned: Iterator[ImagePlan | Skipped]) -> Iterator[ImagePlan | Skipped]:
        """Look at the results that are there, some images ahead, and decide what to do about each."""
        repair = self._choices.repair
        for item, existing in prefetch(lambda one: _existing(one, repair=repair), planned):
            if isinstance(item, Skipped) or item.target is None:
                yield item
            elif isinstance(existing, AutodipError):
                yield Skipped(item.header.ref.source, str(existing), is_error=True)
            else:
                self._targets.add(absolute(item.target.uri))
                decision = decide(item, existing, self._choices.overwrite, repair=repair)
                yield replace(item, decision=decision)

    def warnings(self) -> tuple[str, ...]:
        """Return what a person should look at that is not about one image, once all images were planned."""
        recorded = self._planner.recorded
        repeated = recorded.warnings_on(self._planner.device) if recorded else ()
        return (*repeated, *self._tour.warnings(), *self._gone)

    @property
    def device(self) -> str:
        """``cpu`` or a CUDA device, for which it is planned."""
        return self._planner.device

    def totals(self) -> Totals:
        """Return what the images that were planned so far come to."""
        return self._count.totals()


def _existing(item: ImagePlan | Skipped, *, repair: bool) -> Mapping[str, Any] | AutodipError | None:
    """Return what is recorded in the result of an image, if there is one."""
    if isinstance(item, Skipped) or item.target is None:
        return None
    try:
        kept = kept_attributes(item.target.uri) if repair else None
        return read_attributes(item.target.uri) if kept is None else kept
    except AutodipError as error:
        return error


def make_plan(
    sources: Sources, choices: Choices | None = None, device: str = "auto", method: Method = PRIOR
) -> Plan:
    """Decide what to do with all images of the sources, reading no pixel.

    Parameters
    ----------
    sources : str, path, or iterable of these
        Files, folders and URIs.
    choices : Choices, optional
        What is to be done.
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    method : Method
        How planes are denoised.

    Returns
    -------
    Plan
        Images in the order of the walk, and what is skipped, with reasons. Images outside the selection are
        in neither. An image takes a kilobyte or two, so that plans of many thousand fit.

    Raises
    ------
    OptionError, TableError
        If the choices make no sense; a source that cannot be read is skipped instead.
    """
    planning = Planning(sources, choices or Choices(), device, method)
    images, skipped = PlannedImages(), []
    for item in planning:
        if isinstance(item, ImagePlan):
            images.append(item)
        else:
            skipped.append(item)
    return Plan(images, tuple(skipped), planning.warnings(), planning.totals(), planning.device)
