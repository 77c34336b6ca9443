"""Keys of what this program stores in a result, below its image group."""

from __future__ import annotations

from autodip_zarr.stores.access.uris import RESULT_ATTRIBUTE

RECORD = f"{RESULT_ATTRIBUTE}/record"
"""Array of the record."""

FAILURES = f"{RESULT_ATTRIBUTE}/failures"
"""Group with the reasons of failures."""

UNCERTAINTY = f"{RESULT_ATTRIBUTE}/uncertainty"
"""Array of the spread over the starts, laid out like level 0."""

PRISTINE = f"{RESULT_ATTRIBUTE}/pristine"
"""Group that keeps the original bytes of documents changed when a result was written back."""

ROOT_DOCUMENTS = ("zarr.json", ".zattrs")
"""Documents of the image group itself, either of which says whose result it is."""
