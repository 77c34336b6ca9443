"""Write what lies around images: the layout of stores that hold several, and of plates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autodip_zarr.domain import ImagePlan, ImageRef, TargetSpec
from autodip_zarr.run.choices import DestinationChoices
from autodip_zarr.run.planning.targets import target_root
from autodip_zarr.stores import (
    check_container,
    read_header,
    read_plate,
    restore,
    write_bf2raw_layout,
    write_plate_layout,
)


@dataclass(frozen=True)
class _Member:
    """One result in a store that holds several."""

    ref: ImageRef
    """Its source."""
    target: TargetSpec
    """Where it goes."""


class Containers:
    """Writes each store that holds several results once, before its first image.

    Parameters
    ----------
    images : iterable of ImagePlan
        All images of the run; each store lists those that go into it.
    choices : DestinationChoices
        Destination; nothing is written around results that are written back.
    """

    def __init__(self, images: Iterable[ImagePlan], choices: DestinationChoices) -> None:
        self._choices = choices
        self._open: dict[str, list[_Member]] = {}
        for image in images:
            root = target_root(image.header.ref, choices)
            if root is not None and image.target is not None and image.target.uri != root:
                self._open.setdefault(root, []).append(_Member(image.header.ref, image.target))

    def write_around(self, image: ImagePlan) -> None:
        """Write the store around an image, unless it has been written.

        Raises
        ------
        SourceError
            If the header of the source cannot be read again.
        TargetError
            If it cannot be written.
        """
        root = target_root(image.header.ref, self._choices)
        members = self._open.pop(root, None) if root is not None else None
        if root is None or not members:
            return
        if self._choices.repair:
            restore(root, check_container(root))
        ref, zarr_format = members[0].ref, members[0].target.zarr_format
        if ref.plate is not None:
            fields = [member.ref.group for member in members]
            write_plate_layout(root, zarr_format, read_plate(ref.uri), fields)
            return
        header_texts = [text.content for text in read_header(ref).texts if text.kind == "ome-xml"]
        groups = [member.target.uri.removeprefix(f"{root}/") for member in members]
        write_bf2raw_layout(root, zarr_format, groups, header_texts[0] if header_texts else None)
