"""Write what lies around images: the layout of stores that hold several, and of plates."""

from __future__ import annotations

from collections.abc import Sequence

from autodip_zarr.domain import ImagePlan
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.targets import target_root
from autodip_zarr.stores import read_plate, write_bf2raw_layout, write_plate_layout


class Containers:
    """Writes each store that holds several results once, before its first image.

    Parameters
    ----------
    images : sequence of ImagePlan
        All images of the run; each store lists those that go into it.
    choices : Choices
        Destination; nothing is written around results that are written back.
    """

    def __init__(self, images: Sequence[ImagePlan], choices: Choices) -> None:
        self._choices = choices
        self._open: dict[str, list[ImagePlan]] = {}
        for image in images:
            root = target_root(image.header.ref, choices)
            if root is not None and image.target is not None and image.target.uri != root:
                self._open.setdefault(root, []).append(image)

    def write_around(self, image: ImagePlan) -> None:
        """Write the store around an image, unless it has been written.

        Raises
        ------
        TargetError
            If it cannot be written.
        """
        root = target_root(image.header.ref, self._choices)
        members = self._open.pop(root, None) if root is not None else None
        if root is None or not members:
            return
        first = members[0]
        zarr_format = first.target.zarr_format if first.target else 3
        if first.header.ref.plate is not None:
            fields = [member.header.ref.group for member in members]
            write_plate_layout(root, zarr_format, read_plate(first.header.ref.uri), fields)
            return
        header_texts = [text.content for text in first.header.texts if text.kind == "ome-xml"]
        groups = [(m.target.uri if m.target else root).removeprefix(f"{root}/") for m in members]
        write_bf2raw_layout(root, zarr_format, groups, header_texts[0] if header_texts else None)
