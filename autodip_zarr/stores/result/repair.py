"""Put back what a result has lost, as far as its checksums keep a copy or its layout tells what it was."""

from __future__ import annotations

from collections.abc import Sequence

from autodip_zarr.domain import TargetSpec
from autodip_zarr.errors import TargetError
from autodip_zarr.stores.access.place import open_place
from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE
from autodip_zarr.stores.result.create import lower_level_documents, target_documents
from autodip_zarr.stores.result.integrity import Damage
from autodip_zarr.stores.result.keys import FAILURES, ROOT_DOCUMENTS
from autodip_zarr.stores.zarr.checksums import CHECKSUMS, LAYOUT, Checksum, checksum, manifest, manifest_key
from autodip_zarr.stores.zarr.documents import write_documents
from autodip_zarr.stores.zarr.nodes import join

_GROUPS = (RESULT_ATTRIBUTE, FAILURES, CHECKSUMS)


def restore(uri: str, damages: Sequence[Damage]) -> tuple[Damage, ...]:
    """Put back every object of which a copy is kept, and return what is damaged still.

    Raises
    ------
    TargetError
        It cannot be written.
    """
    place = open_place(uri)
    for damage in damages:
        if damage.content is not None:
            place.write(damage.key, damage.content)
    return tuple(damage for damage in damages if damage.content is None)


def renew_layout(spec: TargetSpec) -> None:
    """Write the manifest of a result's first documents again from what is there, where it was lost.

    Documents of groups and of lower levels that are lost as well are written again; of other arrays nobody
    knows any more how their pixels are stored.

    Raises
    ------
    TargetError
        The document of such an array is lost as well.
    """
    place = open_place(spec.uri)
    objects: dict[str, Checksum | None] = {}
    renewed = {join(key, name) for key in _GROUPS for name in ("zarr.json", ".zgroup", ".zattrs")}
    renewed |= lower_level_documents(spec).keys()
    for key, fresh in target_documents(spec, {}).items():
        if key == manifest_key(LAYOUT):
            continue
        content = place.read(key)
        if content is None and key in renewed:
            place.write(key, fresh)
            content = fresh
        if content is None:
            hint = "use another --output, or --overwrite to start over"
            raise TargetError(place.where(key), "is missing, and so are the checksums", "either", hint)
        objects[key] = checksum(content, keep=True)
    write_documents(place, manifest(LAYOUT, objects))


def renew_missing(spec: TargetSpec) -> tuple[str, ...]:
    """Write documents of a result again that are missing, and return their keys.

    Pixels that an earlier version stored in another way cannot be decoded then, and count as damaged.

    Raises
    ------
    TargetError
        They cannot be read or written.
    """
    place = open_place(spec.uri)
    documents = target_documents(spec, {})
    missing = {
        key: documents[key] for key in documents if key not in ROOT_DOCUMENTS and place.read(key) is None
    }
    write_documents(place, missing)
    return tuple(missing)


def renew_lower_levels(spec: TargetSpec) -> None:
    """Write the documents of the levels below full resolution again, before the levels are.

    Raises
    ------
    TargetError
        They cannot be written.
    """
    write_documents(open_place(spec.uri), lower_level_documents(spec))
