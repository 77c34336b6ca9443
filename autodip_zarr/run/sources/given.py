"""What a person says of images themselves where no header tells: axes of pages, and sizes of pixels."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from autodip_zarr.domain import Acquisition, Header, PageOrder
from autodip_zarr.errors import OptionError
from autodip_zarr.metadata.units import length_um
from autodip_zarr.run.choices import KnowledgeChoices

_LEADING: Final = re.compile(r"([tcz])([1-9]\d{0,8})?")
_NO_LENGTHS: Final = {"pixel", "pixels", "px", "reference frame"}
"""Units that say no physical size."""

_SAME: Final = 1e-4
"""Relative difference up to which two sizes are the same: tags of TIFF hold rounded fractions."""


@dataclass(frozen=True)
class Given:
    """What was given, for all images of a command."""

    axes: PageOrder | None = None
    """Axes of the pages of TIFF files whose headers tell none."""
    pixel_size_um: tuple[tuple[str, float], ...] = ()
    """Axes and physical sizes of pixels in micrometers, for those that headers do not tell."""

    @classmethod
    def read(cls, choices: KnowledgeChoices) -> Given:
        """Read what was typed.

        Raises
        ------
        OptionError
            It is not understood.
        """
        axes = None if choices.axes is None else _read_axes(choices.axes, "--axes")
        sizes = () if choices.pixel_size is None else _read_sizes(choices.pixel_size)
        return cls(axes, sizes)

    def completed(self, other: Given) -> Given:
        """Return it with what another one says besides."""
        return Given(self.axes or other.axes, self.pixel_size_um or other.pixel_size_um)

    def to(self, header: Header, acquisition: Acquisition) -> Header:
        """Return a header with the pixel sizes that its image does not tell, and warnings about the others.

        Parameters
        ----------
        header : Header
            As the source tells it.
        acquisition : Acquisition
            What its OME-XML tells.
        """
        for axis, size_um in self.pixel_size_um:
            if axis not in {one.name for one in header.axes}:
                continue
            told = _told(header, acquisition, axis)
            if told is None:
                header = _with_size(header, axis, size_um)
            elif told[1] != "micrometer" or not math.isclose(told[0], size_um, rel_tol=_SAME):
                said = " ".join(filter(None, (f"{told[0]:.6g}", told[1] or "without a unit")))
                warning = f"--pixel-size {size_um:g}: the header tells {said} along {axis}, which is kept"
                header = replace(header, warnings=(*header.warnings, warning))
        return header


NOTHING: Final = Given()
"""What is given where nothing is."""


def _read_axes(text: str, where: str) -> PageOrder:
    """Read axes such as ``zyx``, ``tzyx`` or ``tz5yx``, slowest first, with sizes where they are needed.

    Raises
    ------
    OptionError
        It is something else.
    """
    plain = text.strip().lower()
    leading = _LEADING.findall(plain.removesuffix("yx"))
    order = PageOrder(tuple((name, int(size) if size else None) for name, size in leading))
    names = [name for name, _ in leading]
    if order.text != plain or len(set(names)) < len(names):
        expected = "some of t, c and z, slowest first, each once, then yx: zyx, tzyx, or tz5yx for 5 depths"
        raise OptionError(where, repr(text), expected)
    return order


def _read_sizes(text: str) -> tuple[tuple[str, float], ...]:
    try:
        sizes = [float(part) for part in re.split("[x\u00d7]", text.strip().lower())]
    except ValueError:
        sizes = []
    if len(sizes) not in (1, 3) or not all(math.isfinite(size) and size > 0 for size in sizes):
        raise OptionError(
            "--pixel-size", repr(text), "micrometers: 0.1 for y and x, 0.1x0.1x0.3 for y, x and z"
        )
    return tuple(zip("yxz", sizes * 2 if len(sizes) == 1 else sizes, strict=False))


def _told(header: Header, acquisition: Acquisition, axis: str) -> tuple[float, str | None] | None:
    """Return the size of a pixel that an image tells and its unit, ``None`` where it tells none."""
    if header.ref.kind != "ome-zarr":
        known = getattr(acquisition.pixel_size, f"{axis}_um")
        if known is not None:
            return known, "micrometer"
    at = [one.name for one in header.axes].index(axis)
    unit, size = header.axes[at].unit, header.levels[0].scale[at]
    if unit is None:
        return (size, None) if header.ref.kind == "ome-zarr" and size != 1 else None
    if unit.strip().lower() in _NO_LENGTHS:
        return None
    known = length_um(str(size), unit)
    return (size, unit) if known is None else (known, "micrometer")


def _with_size(header: Header, axis: str, size_um: float) -> Header:
    at = [one.name for one in header.axes].index(axis)
    full = header.levels[0].scale[at]

    def put(values: tuple[float, ...]) -> tuple[float, ...]:
        return (*values[:at], size_um * (values[at] / full), *values[at + 1 :])

    axes = (*header.axes[:at], replace(header.axes[at], unit="micrometer"), *header.axes[at + 1 :])
    levels = tuple(
        replace(
            one, scale=put(one.scale), translation=None if one.translation is None else put(one.translation)
        )
        for one in header.levels
    )
    return replace(header, axes=axes, levels=levels, given_um=(*header.given_um, (axis, size_um)))


def given_again(axes: str | None, sizes: Mapping[str, float], where: str) -> Given:
    """Return what was given when a result was made, as it is recorded.

    Raises
    ------
    OptionError
        It is not understood.
    """
    if not all(axis in "yxz" and math.isfinite(size) and size > 0 for axis, size in sizes.items()):
        raise OptionError(f"{where}: pixel_size_um", f"found {sizes!r:.100}", "sizes along y, x and z")
    order = None if axes is None else replace(_read_axes(axes, f"{where}: axes"), is_typed=False)
    return Given(order, tuple(sizes.items()))
