"""The run that made a result, as a Process Run Crate that workflow registries read."""

from __future__ import annotations

from typing import Any, Final

from autodip_zarr.provenance import Document

FILE_NAME: Final = "ro-crate-metadata.json"
"""Name under which the document lies in the image group."""

_PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.5"
_SPECIFICATION: Final = "https://w3id.org/ro/crate/1.1"
_SOFTWARE: Final = "#autodip-zarr"
_STATUS: Final = {
    True: "http://schema.org/CompletedActionStatus",
    False: "http://schema.org/FailedActionStatus",
}


def run_crate(name: str, recipe: Document, run: Document) -> Document:
    """Describe a finished run as a Process Run Crate 0.5 in an RO-Crate 1.1.

    Parameters
    ----------
    name : str
        Name of the image.
    recipe, run : dict
        The two parts of the ``autodip`` attribute.

    Returns
    -------
    dict
        JSON-LD: one action, its software, its source and its result.

    References
    ----------
    Leo et al., PLoS ONE 19 (2024) e0309210, Recording provenance of workflow runs with RO-Crate.
    """
    source = recipe["source"]
    entities: list[dict[str, Any]] = [
        {
            "@id": FILE_NAME,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": _SPECIFICATION},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"{name}, denoised",
            "description": "OME-Zarr image denoised with a Deep Image Prior; see its attribute autodip",
            "datePublished": run["finished"],
            "license": "as the source",
            "conformsTo": {"@id": _PROFILE},
            "mentions": {"@id": "#denoise"},
        },
        {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {
            "@id": _SOFTWARE,
            "@type": "SoftwareApplication",
            "name": "autodip-zarr",
            "softwareVersion": recipe["software"]["autodip-zarr"],
        },
        {
            "@id": "#denoise",
            "@type": "CreateAction",
            "name": f"Denoise {name}",
            "instrument": {"@id": _SOFTWARE},
            "object": {"@id": source["uri"]},
            "result": {"@id": "./"},
            "startTime": run["started"],
            "endTime": run["finished"],
            "actionStatus": {"@id": _STATUS[run["planes"]["failed"] == 0]},
        },
        {"@id": source["uri"], "@type": "CreativeWork", "name": name, "identifier": source["checksum"]},
    ]
    return {"@context": f"{_SPECIFICATION}/context", "@graph": entities}
