"""Check a result against the OME-Zarr models."""

from __future__ import annotations

from pydantic import ValidationError

from autodip_zarr.errors import TargetError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.place import open_place


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
    import zarr  # noqa: PLC0415
    from ome_zarr_models.v04 import Image as Image04  # noqa: PLC0415 - half a second, for this only
    from ome_zarr_models.v05 import Image as Image05  # noqa: PLC0415

    with open_place(uri).zarr_store(read_only=True) as store:
        try:
            group = zarr.open_group(store, mode="r")
            model = Image05 if group.metadata.zarr_format == 3 else Image04
            model.from_zarr(group)
        except ValidationError as error:
            return [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        except MemoryError:
            raise
        except Exception as error:  # zarr and the models meet broken documents with errors of every kind
            found = f"cannot be opened: {error_message(error)}"
            raise TargetError(public_uri(uri), found, "an OME-Zarr image") from error
    return []
