"""The record of a result as a labelled array, for those who look at it in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autodip_zarr.domain import Skipped
from autodip_zarr.errors import SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores import RECORD_FIELDS, read_header, read_record, walk_results

if TYPE_CHECKING:
    from xarray import DataArray


def open_record(result: str) -> DataArray:
    """Return the numbers that a result records of each plane.

    Parameters
    ----------
    result : str
        Path or URI of the result: its image group, or a store or folder that holds it alone.

    Returns
    -------
    xarray.DataArray
        (t, c, z, field) float64, with the coordinates ``field`` and, where the result names its channels,
        ``channel`` (along c). NaN where a value does not apply, and in all of them where a plane is not done;
        what each field means is in docs/reference/results.md.

    Raises
    ------
    SourceError
        There is not exactly one result.
    TargetError
        Its record cannot be read.

    Examples
    --------
    >>> from autodip_zarr import open_record
    >>> open_record("denoised/stack.ome.zarr").sel(field="noise_after").max()  # doctest: +SKIP
    """
    from xarray import DataArray  # noqa: PLC0415 - pandas with it, which nothing else needs

    walked = list(walk_results([result]))
    found = [ref for ref in walked if not isinstance(ref, Skipped)]
    if not found:
        raise SourceError(
            public_uri(result), "; ".join(one.reason for one in walked if isinstance(one, Skipped))
        )
    if len(found) > 1:
        raise SourceError(public_uri(result), f"holds {len(found)} results", "one", "name the result itself")
    header = read_header(found[0])
    labels = [channel.label for channel in header.channels]
    coordinates: dict[str, object] = {"field": list(RECORD_FIELDS)}
    if len(labels) == header.size("c") and all(labels):
        coordinates["channel"] = ("c", labels)
    rows = read_record(found[0].source)
    return DataArray(rows, coordinates, ("t", "c", "z", "field"), name=public_uri(found[0].source))
