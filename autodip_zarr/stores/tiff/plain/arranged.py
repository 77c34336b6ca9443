"""Pages that no header explains, in the order of axes that a person gave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from autodip_zarr.domain import PageOrder
from autodip_zarr.errors import HeaderError
from autodip_zarr.stores.tiff.images import TiffImage


def arranged(image: TiffImage, order: PageOrder | None, where: str) -> TiffImage:
    """Return an image whose pages run along the axes that a person gave.

    Parameters
    ----------
    image : TiffImage
        As its file tells it.
    order : PageOrder or None
        What was given; ``None`` leaves the image as it is.
    where : str
        The file, for messages.

    Raises
    ------
    HeaderError
        The header tells other axes, or the number of pages does not fit.
    """
    if order is None:
        return image
    if not image.unexplained:
        refuse_other_axes(order, _told(image), where)
        return image
    sizes = _fitted(order, image.unexplained)
    if sizes is None:
        found = " x ".join(str(size) for _, size in image.unexplained)
        names = "".join(name or "?" for name, _ in image.unexplained)
        raise HeaderError(
            f"{where}: --axes {order.text}",
            f"does not fit {found} pages (axes {names}yx)",
            "as many axes, with the sizes that are given",
            "write sizes where several axes share the pages: tz5yx for 5 depths at each time point",
        )
    leading = (*sizes, *(axis for axis in "tcz" if axis not in sizes))
    full = {**image.sizes, **{axis: sizes.get(axis, 1) for axis in "tcz"}}
    full["c"] *= image.samples
    channels = image.channels if full["c"] == image.samples else ()
    return replace(image, sizes=full, leading=leading, channels=channels, unexplained=())


def refuse_other_axes(order: PageOrder, told: Sequence[tuple[str, int]], where: str) -> None:
    """Refuse an order that differs from the axes that a header tells.

    Parameters
    ----------
    order : PageOrder
        What was given.
    told : sequence of (str, int)
        Names and sizes of the axes besides y and x, slowest first.
    where : str
        The file, for messages.

    Raises
    ------
    HeaderError
        It differs.
    """
    if order.agrees(told) or not order.is_typed:
        return
    names = " ".join(f"{name}={size}" for name, size in told if size > 1) or "a single plane"
    hint = "name the files that need --axes, and the others in a command of their own"
    raise HeaderError(f"{where}: --axes {order.text}", f"the header tells {names}", "the same", hint)


def _told(image: TiffImage) -> list[tuple[str, int]]:
    samples = image.samples
    return [(axis, image.sizes[axis] // (samples if axis == "c" else 1)) for axis in image.leading]


def _fitted(order: PageOrder, found: Sequence[tuple[str, int]]) -> dict[str, int] | None:
    """Return the size along each axis that was given, ``None`` where it does not fit what was found."""
    for axes in (found, [axis for axis in found if axis[1] > 1]):
        pairs = list(zip(order.leading, axes, strict=False))
        if len(axes) == len(order.leading) and all(_is_same(*pair) for pair in pairs):
            return {given[0]: axis[1] for given, axis in pairs}
    if any(name for name, size in found if size > 1):
        return None
    total = math.prod(size for _, size in found)
    known = math.prod(size for _, size in order.leading if size is not None)
    is_open = [name for name, size in order.leading if size is None]
    rest, over = divmod(total, known)
    if over or len(is_open) > 1 or (not is_open and rest > 1) or len(is_open) == len(order.leading):
        return None
    return {name: rest if size is None else size for name, size in order.leading}


def _is_same(given: tuple[str, int | None], found: tuple[str, int]) -> bool:
    return found[0] in ("", given[0]) and given[1] in (None, found[1])
