"""What a person should look at, of many images: each warning once, with how often it is met."""

from __future__ import annotations

import re
from collections.abc import Iterator

from autodip_zarr.domain import ImagePlan
from autodip_zarr.provenance import public_text
from autodip_zarr.run.sources.overrides import image_path

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Warned:
    """Gathers warnings; as large as there are different ones, whatever the number of images.

    Two are the same where only numbers and the path of the image differ.
    """

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._count: dict[str, int] = {}

    def add(self, image: ImagePlan) -> None:
        """Add what is odd about an image and about its channels."""
        name = image_path(image.header.ref)
        for warning in image.warnings:
            self._add(warning, name, image)
        for channel in image.channels:
            label = f"{name}, channel {channel.metadata.name or channel.metadata.index}"
            for warning in channel.warnings:
                self._add(warning, label, image)

    def _add(self, warning: str, label: str, image: ImagePlan) -> None:
        text = _without_path(public_text(warning), image)
        key = _NUMBER.sub("#", text)
        self._first.setdefault(key, f"{label}: {text}")
        self._count[key] = self._count.get(key, 0) + 1

    def lines(self) -> Iterator[str]:
        """Yield each warning as it was met first, and how many more there are like it."""
        for key, text in self._first.items():
            more = self._count[key] - 1
            yield f"{text} (and {more:,} more like it)" if more else text


def _without_path(text: str, image: ImagePlan) -> str:
    """Leave out the path of the image, which is told with it."""
    ref = image.header.ref
    places = {ref.source, ref.uri, *(one.source for one in image.header.texts)}
    for place in sorted(map(public_text, places), key=len, reverse=True):
        text = text.replace(f"{place}: ", "").replace(f"{place}/", "").replace(f"{place}#", "#")
    return text
