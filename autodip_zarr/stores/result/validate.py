"""Check a result against the OME-Zarr models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError, create_model

from autodip_zarr.errors import TargetError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.place import open_place


@cache
def _model(zarr_format: int) -> Any:  # noqa: ANN401
    """Return the model of an image group.

    That of Zarr 2 gets the types of its members named once more: in a process that loaded ngio before,
    they are found by their bare names, and are those of Zarr 3, so that every image is objected to
    (seen with ome-zarr-models 1.7, pydantic 2.12 and ngio 1.1).
    """
    if zarr_format == 3:
        from ome_zarr_models.v05 import Image  # noqa: PLC0415

        return Image
    from ome_zarr_models.v04 import Image as Image04  # noqa: PLC0415
    from pydantic_zarr.v2 import ArraySpec, GroupSpec  # noqa: PLC0415

    members = Mapping[str, GroupSpec[Any, Any] | ArraySpec[Any]] | None
    return create_model("Image04", __base__=Image04, members=(members, {}))


def model_problems(uri: str) -> list[str]:
    """Return what the OME-Zarr specification objects to in an image group.

    Parameters
    ----------
    uri : str
        Path or URI of the image group.

    Returns
    -------
    list of str
        One line a problem, with the field at fault; empty for a valid image.

    Raises
    ------
    TargetError
        There is no Zarr group, or its documents are broken.
    """
    import zarr  # noqa: PLC0415 - half a second, for this only

    with open_place(uri).zarr_store(read_only=True) as store:
        try:
            group = zarr.open_group(store, mode="r")
            _model(group.metadata.zarr_format).from_zarr(group)
        except ValidationError as error:
            return [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        except MemoryError:
            raise
        except Exception as error:  # zarr and the models meet broken documents with errors of every kind
            found = f"cannot be opened: {error_message(error)}"
            raise TargetError(public_uri(uri), found, "an OME-Zarr image") from error
    return []
