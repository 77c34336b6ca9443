"""TIFF files without OME-XML: which of their series are grayscale images, and which axes these have."""

from __future__ import annotations

from typing import Any

from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.tiff.images import PageRun, TiffImage, TiffSource


def plain_source(tif: Any, uri: str) -> TiffSource:  # noqa: ANN401
    """Return the images of a TIFF file without OME-XML, as far as they are grayscale."""
    images: list[TiffImage] = []
    refusal = None
    for series in _all_series(tif):
        image = _plain_image(series)
        if isinstance(image, str):
            refusal = refusal or image
        else:
            images.append(image)
    return TiffSource(
        tuple(images), None, public_uri(uri), frozenset(), None if images else refusal or "no image"
    )


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
    if page.samplesperpixel != 1 or int(page.photometric) not in (0, 1):
        return "a colour image without OME metadata"
    if page.imagedepth != 1 or page.bitspersample == 1 or page.dtype is None or page.dtype.kind not in "uif":
        return f"no grayscale image (pixel type {page.dtype}, {page.bitspersample} bits)"
    axes, shape = _layout(series)
    if axes[-3:] == "YXS":
        axes, shape = axes[:-1], shape[:-1]
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
    order = tuple(name for name, _ in leading) + tuple(n for n in "tcz" if n not in dict(leading))
    first = series[0]
    offset = series.dataoffset if series.is_truncated else None
    runs = [PageRun(0, None, first.index, None)]
    if offset is None and len(series) > 1:
        runs = _page_runs([page.index for page in series])
    return TiffImage(None, sizes, order, 1, {}, (), tuple(runs), offset)


def _page_runs(pages: list[int]) -> list[PageRun]:
    """Return runs of consecutive pages."""
    starts = [i for i in range(len(pages)) if i == 0 or pages[i] != pages[i - 1] + 1]
    ends = [*starts[1:], len(pages)]
    return [PageRun(start, end - start, pages[start], None) for start, end in zip(starts, ends, strict=True)]
