"""Plans of many thousand images, kept small."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator, Sequence
from typing import overload

from autodip_zarr.domain import ImagePlan


class PlannedImages(Sequence[ImagePlan]):
    """Plans of images, each packed into a kilobyte or two until it is asked for.

    An image that is asked for twice is two equal values; nothing is kept unpacked.
    """

    def __init__(self) -> None:
        self._packed: list[bytes] = []

    def append(self, image: ImagePlan) -> None:
        """Add an image at the end."""
        content = pickle.dumps(image, protocol=pickle.HIGHEST_PROTOCOL)
        self._packed.append(zlib.compress(content, level=1))

    def __len__(self) -> int:
        return len(self._packed)

    def __iter__(self) -> Iterator[ImagePlan]:
        return map(_unpack, self._packed)

    @overload
    def __getitem__(self, index: int) -> ImagePlan: ...

    @overload
    def __getitem__(self, index: slice) -> list[ImagePlan]: ...

    def __getitem__(self, index: int | slice) -> ImagePlan | list[ImagePlan]:
        if isinstance(index, slice):
            return [_unpack(content) for content in self._packed[index]]
        return _unpack(self._packed[index])


def _unpack(content: bytes) -> ImagePlan:
    image = pickle.loads(zlib.decompress(content))  # noqa: S301 - packed by this process
    if not isinstance(image, ImagePlan):
        msg = f"packed was {type(image).__name__}"
        raise TypeError(msg)
    return image
