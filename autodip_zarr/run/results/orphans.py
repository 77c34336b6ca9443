"""Find results whose source is gone."""

from __future__ import annotations

from collections.abc import Container, Iterator

from autodip_zarr.domain import ImageRef, Skipped
from autodip_zarr.errors import AutodipError
from autodip_zarr.provenance import public_uri
from autodip_zarr.run.sources.prefetch import prefetch
from autodip_zarr.stores import is_there, read_attributes, walk_results


def orphaned_results(output: str, targets: Container[str]) -> Iterator[str]:
    """Yield a warning for each result below a folder whose recorded source is no longer there.

    Parameters
    ----------
    output : str
        Folder or URI of results.
    targets : container of str
        Results whose sources are known to be there, as `walk_results` names them; they are not looked at.
    """
    others = (item for item in walk_results([output]) if _is_other(item, targets))
    for _, warning in prefetch(_warning, others):
        if warning is not None:
            yield warning


def _is_other(item: ImageRef | Skipped, targets: Container[str]) -> bool:
    return isinstance(item, ImageRef) and item.source not in targets


def _warning(item: ImageRef | Skipped) -> str | None:
    try:
        recipe = (read_attributes(item.source) or {}).get("recipe", {})
        source = recipe["source"]["uri"]
        is_gone = isinstance(source, str) and not is_there(source)
    except (AutodipError, KeyError, TypeError):  # whether results are whole is for `verify` to say
        return None
    return f"{public_uri(item.source)}: its source is gone: {source}" if is_gone else None
