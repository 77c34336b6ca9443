"""TIFF files without OME-XML: which of their series are images, and which axes these have."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.tiff.images import PageRun, TiffImage, TiffSource
from autodip_zarr.stores.tiff.plain.lsm import check_lsm_parts, lsm_source
from autodip_zarr.stores.tiff.plain.told import Told, channel_displays, colour_displays, told_by_tags

_RGB = 3
_PHOTOMETRIC_RGB = 2


def plain_source(tif: Any, uri: str) -> TiffSource:  # noqa: ANN401
    """Return the images of a TIFF file without OME-XML: those in grey, and in red, green and blue."""
    if tif.is_lsm:
        check_lsm_parts(tif, uri)
        return lsm_source(tif, uri, _all_series(tif)[0])
    images: list[TiffImage] = []
    refusal, told = None, told_by_tags(tif)
    for series in _all_series(tif):
        image = _plain_image(series)
        if isinstance(image, str):
            refusal = refusal or image
        else:
            images.append(_with_told(image, told))
    reason = None if images else refusal or "no image"
    source = f"{public_uri(uri)}#ImageDescription"
    return TiffSource(tuple(images), told.text, source, frozenset(), reason, text_kind="plain-text")


def _with_told(image: TiffImage, told: Told) -> TiffImage:
    """Return an image with the pixel sizes, names and colours that the tags of its file tell."""
    if image.samples == _RGB:
        return replace(image, pixel_sizes=told.pixel_sizes, channels=colour_displays())
    count = image.sizes["c"]
    after = image.leading[image.leading.index("c") + 1 :]
    step = math.prod(image.sizes[axis] for axis in after)
    displays = channel_displays(told, count, [index * step for index in range(count)])
    return replace(image, pixel_sizes=told.pixel_sizes, channels=displays)


def _all_series(tif: Any) -> Any:  # noqa: ANN401
    """Return the series with axes of length one left in; tifffile 2026.5 asks for that in another way."""
    return tif.series(squeeze=False) if callable(tif.series) else tif.series


def _layout(series: Any) -> tuple[str, tuple[int, ...]]:  # noqa: ANN401
    """Return axes and shape of a series, see `_all_series`."""
    if hasattr(series, "get_axes"):
        return series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    return series.axes, series.shape


def _plain_image(series: Any) -> TiffImage | str:  # noqa: ANN401
    """Return one series of planes, or why it is not taken."""
    page = series.keyframe
    samples = int(page.samplesperpixel)
    if (reason := _refused(page)) is not None:
        return reason
    axes, shape = _layout(series)
    if "S" in axes:
        at = axes.index("S")
        axes, shape = axes[:at] + axes[at + 1 :], shape[:at] + shape[at + 1 :]
    if axes[-2:] != "YX":
        return f"axes {axes} whose pages are no planes"
    leading: list[tuple[str, int]] = []
    sizes = {"t": 1, "c": 1, "z": 1, "y": int(shape[-2]), "x": int(shape[-1])}
    for letter, size in zip(axes[:-2], shape[:-2], strict=True):
        name = letter.lower()
        free = [axis for axis in ("z", "t", "c") if axis.upper() not in axes and axis not in dict(leading)]
        if name not in ("t", "c", "z"):
            if size == 1:
                continue
            if not free:
                return f"more axes than time, channel and depth: {axes}"
            name = free[0]
        leading.append((name, int(size)))
        sizes[name] = int(size)
    sizes["c"] *= samples
    order = tuple(name for name, _ in leading) + tuple(n for n in "tcz" if n not in dict(leading))
    first = series[0]
    offset = series.dataoffset if series.is_truncated else None
    if (reason := _scattered(series, samples)) is not None:
        return reason
    runs = [PageRun(0, None, first.index, None)]
    if offset is None and len(series) > 1:
        runs = _page_runs([page.index for page in series])
    unexplained = _unexplained(axes[:-2], shape[:-2])
    return TiffImage(None, sizes, order, samples, {}, (), tuple(runs), offset, unexplained)


def _scattered(series: Any, samples: int) -> str | None:  # noqa: ANN401
    """Return why planes without pages of their own are not found, ``None`` if they are."""
    if series.is_truncated and series.dataoffset is None:
        return "a stack whose planes have no pages of their own and do not follow one another"
    if series.is_truncated and samples > 1:
        return "a colour stack whose planes have no pages of their own"
    return None


def _unexplained(axes: str, shape: tuple[int, ...]) -> tuple[tuple[str, int], ...]:
    """Return the leading axes where some of more than one page are none that a header names."""
    found = [
        (name.lower() if name in "TCZ" else "", int(size)) for name, size in zip(axes, shape, strict=True)
    ]
    return tuple(found) if any(size > 1 and not name for name, size in found) else ()


def _refused(page: Any) -> str | None:  # noqa: ANN401
    """Return why the pixels of a page are not taken, ``None`` if they are."""
    if (page.samplesperpixel, int(page.photometric)) not in {(1, 0), (1, 1), (_RGB, _PHOTOMETRIC_RGB)}:
        return f"a colour image of {page.samplesperpixel} samples; red, green and blue are read as channels"
    if page.imagedepth != 1 or page.bitspersample == 1 or page.dtype is None or page.dtype.kind not in "uif":
        return f"no image of intensities (pixel type {page.dtype}, {page.bitspersample} bits)"
    return None


def _page_runs(pages: list[int]) -> list[PageRun]:
    """Return runs of consecutive pages."""
    starts = [i for i in range(len(pages)) if i == 0 or pages[i] != pages[i - 1] + 1]
    ends = [*starts[1:], len(pages)]
    return [PageRun(start, end - start, pages[start], None) for start, end in zip(starts, ends, strict=True)]
