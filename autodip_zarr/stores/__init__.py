"""The edge to files: OME-Zarr and OME-TIFF in, OME-Zarr out; alone knows zarr, tifffile and fsspec.

What the rest of the program uses is named here. Inside, each package builds on those above it:

- ``access``: bytes by key, in folders, archives, buckets and on web servers; retries; errors
- ``zarr``: metadata documents, headers and planes of OME-Zarr; checksums
- ``tiff``: headers and planes of OME-TIFF and plain TIFF
- ``pictures``: single planes as PNG and TIFF
- ``walk``, ``read``: images of any format found, and read
- ``result``: results created, filled block by block, finished, checked and registered
- ``sample``: images to demonstrate and to test with
"""

from __future__ import annotations

from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.local.links import refuse_link
from autodip_zarr.stores.pictures import encode_png, read_image, walk_pictures, write_image
from autodip_zarr.stores.read import read_each_plane, read_header, read_planes
from autodip_zarr.stores.result.around.collection import (
    PlateLayout,
    read_plate,
    write_bf2raw_layout,
    write_plate_layout,
)
from autodip_zarr.stores.result.around.registration import (
    register_nested_image,
    register_well_image,
    remove_target,
    renew_registration,
)
from autodip_zarr.stores.result.blocks import read_block, write_block, write_uncertainty
from autodip_zarr.stores.result.create import create_target
from autodip_zarr.stores.result.failures import Failure, read_failures, write_failures
from autodip_zarr.stores.result.integrity import (
    Damage,
    check_block,
    check_container,
    check_documents,
    container_of,
    has_checksums,
    kept_attributes,
)
from autodip_zarr.stores.result.ownership import (
    holds_more_than_lock,
    own_attributes,
    read_attributes,
    remove_partial,
    target_exists,
)
from autodip_zarr.stores.result.pixel_types import converted
from autodip_zarr.stores.result.pyramid import are_levels_right, finish_target
from autodip_zarr.stores.result.record import (
    RECORD_FIELDS,
    STATUS_COPIED,
    STATUS_DENOISED,
    STATUS_EMPTY,
    STATUS_FAILED,
    read_record,
    read_rows,
    write_record,
)
from autodip_zarr.stores.result.repair import renew_layout, renew_lower_levels, renew_missing, restore
from autodip_zarr.stores.tiff.export import (
    DIGEST_PLACE,
    export_pyramid,
    exported_digest,
    exported_identity,
    pixels_digest,
)
from autodip_zarr.stores.tiff.files import read_ome_xml_text
from autodip_zarr.stores.tiff.ome_header import exported_header
from autodip_zarr.stores.tiff.write import write_ome_tiff
from autodip_zarr.stores.walk import walk, walk_results
from autodip_zarr.stores.zarr.enclosing import enclosing_store, lies_in
from autodip_zarr.stores.zarr.files import (
    absolute,
    create_file,
    delete_file,
    is_empty,
    is_there,
    read_file,
    seconds_unchanged,
    write_file,
)
from autodip_zarr.stores.zarr.layout import plan_layout

__all__ = [
    "DIGEST_PLACE",
    "RECORD_FIELDS",
    "STATUS_COPIED",
    "STATUS_DENOISED",
    "STATUS_EMPTY",
    "STATUS_FAILED",
    "Damage",
    "Failure",
    "PlateLayout",
    "absolute",
    "are_levels_right",
    "check_block",
    "check_container",
    "check_documents",
    "container_of",
    "converted",
    "create_file",
    "create_target",
    "delete_file",
    "enclosing_store",
    "encode_png",
    "export_pyramid",
    "exported_digest",
    "exported_header",
    "exported_identity",
    "finish_target",
    "has_checksums",
    "holds_more_than_lock",
    "is_empty",
    "is_there",
    "kept_attributes",
    "lies_in",
    "own_attributes",
    "pixels_digest",
    "plan_layout",
    "public_uri",
    "read_attributes",
    "read_block",
    "read_each_plane",
    "read_failures",
    "read_file",
    "read_header",
    "read_image",
    "read_ome_xml_text",
    "read_planes",
    "read_plate",
    "read_record",
    "read_rows",
    "refuse_link",
    "register_nested_image",
    "register_well_image",
    "remove_partial",
    "remove_target",
    "renew_layout",
    "renew_lower_levels",
    "renew_missing",
    "renew_registration",
    "restore",
    "seconds_unchanged",
    "target_exists",
    "walk",
    "walk_pictures",
    "walk_results",
    "write_bf2raw_layout",
    "write_block",
    "write_failures",
    "write_file",
    "write_image",
    "write_ome_tiff",
    "write_plate_layout",
    "write_record",
    "write_uncertainty",
]
