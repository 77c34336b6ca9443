"""The JSON documents of the command line; other programs rely on their fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from autodip_zarr.domain import (
    ChannelPlan,
    Decision,
    FieldOfPlate,
    Header,
    ImagePlan,
    ImageRef,
    Skipped,
    Totals,
)
from autodip_zarr.provenance import plate_document, public_uri
from autodip_zarr.report.citation.paragraph import CitedMethod
from autodip_zarr.report.citation.references import REFERENCES
from autodip_zarr.run.execution.summary import Summary
from autodip_zarr.run.planning.inspect import Inspection
from autodip_zarr.run.planning.totals import group_name
from autodip_zarr.run.results.verify import Finding

Document = dict[str, Any]


def skipped_document(skipped: Sequence[Skipped]) -> list[Document]:
    """Return what is skipped, with reasons, as ``plan --json`` and ``denoise --json`` print it."""
    return [
        {
            "source": public_uri(skip.source),
            **({"at": public_uri(skip.at)} if skip.at else {}),
            "channel": skip.channel,
            "reason": skip.reason,
        }
        for skip in skipped
    ]


def totals_document(totals: Totals) -> Document:
    """Return what a plan comes to as ``plan --json`` prints it."""
    return {
        "images": totals.images,
        "complete": totals.complete,
        "left": totals.left,
        "planes": totals.planes,
        "bytes_in": totals.bytes_in,
        "bytes_out": totals.bytes_out,
        "relative_cost": round(totals.relative_cost, 6),
        "groups": [
            {**asdict(group), "relative_cost": round(group.relative_cost, 6)} for group in totals.groups
        ],
        "tiers": {
            tier: {"channels": channels, "images": images}
            for tier, (channels, images) in totals.tiers.items()
        },
        "skipped": dict(totals.skipped),
        "errors": totals.errors,
    }


def _warnings(warnings: Sequence[str]) -> Document:
    """Return warnings that are not about one image as a field, which is there only where there are any."""
    return {"warnings": list(warnings)} if warnings else {}


def _plate(plate: FieldOfPlate | None) -> Document:
    """Return the place in a plate as a field, which is there only for images on plates."""
    return {} if plate is None else {"plate": plate_document(plate)}


def _source(ref: ImageRef) -> Document:
    source: Document = {"source": public_uri(ref.source)}
    return source if ref.series is None else {**source, "series": ref.series}


def planned_document(image: ImagePlan) -> Document:
    """Return what is to be done with an image as ``plan --json`` prints it."""
    return {
        **_source(image.header.ref),
        **_plate(image.plate),
        **_read(image.header),
        "target": None if image.target is None else public_uri(image.target.uri),
        **_decision(image.decision),
        "channels": [_channel(channel) for channel in image.channels if channel.match is not None],
        **_warnings(image.warnings),
    }


def _read(header: Header) -> Document:
    """Return how an image was read: axes, sizes, pixel type, and the size of a pixel on each level."""
    full = header.levels[0]
    return {
        "axes": "".join(axis.name for axis in header.axes),
        "shape": list(full.shape),
        "dtype": header.dtype,
        "pixel_size": {
            axis.name: {"value": size, "unit": axis.unit}
            for axis, size in zip(header.axes, full.scale, strict=True)
            if axis.name != "c"
        },
        "levels": [list(level.shape) for level in header.levels],
    }


def _decision(decision: Decision) -> Document:
    """Return what is done about a result as a field, which is there only where there is one already."""
    if decision.action == "create":
        return {}
    return {"result": {"action": decision.action, "reasons": list(decision.reasons)}}


def _channel(channel: ChannelPlan) -> Document:
    known, match = channel.metadata, channel.match
    return {
        "index": known.index,
        "name": known.name,
        "microscope": known.microscope,
        "specimen": known.specimen,
        "tier": None if match is None else match.tier,
        "group": None if match is None else group_name(match.group),
        "config": None if match is None else asdict(match.config),
        "planes": channel.planes,
        "relative_cost": round(channel.relative_cost, 6),
        "warnings": list(channel.warnings),
    }


def inspection_document(inspection: Inspection) -> Document:
    """Return metadata as ``inspect --json`` prints them."""
    return {
        "images": [
            {
                "source": image.source,
                **({} if image.series is None else {"series": image.series}),
                **_plate(image.acquisition.plate),
                "name": image.acquisition.name,
                **({} if image.header is None else _read(image.header)),
                "channels": [_known(channel) for channel in image.channels],
                "warnings": [*image.warnings, *image.acquisition.warnings],
            }
            for image in inspection.images
        ],
        "skipped": [
            {"source": skip.source, **({"at": skip.at} if skip.at else {}), "reason": skip.reason}
            for skip in inspection.skipped
        ],
        **_warnings(inspection.warnings),
    }


def _known(channel: ChannelPlan) -> Document:
    known, match = channel.metadata, channel.match
    return {
        "index": known.index,
        "name": known.name,
        "microscope": known.microscope,
        "contrast": known.contrast,
        "specimen": known.specimen,
        "organism": known.organism,
        "evidence": [asdict(evidence) for evidence in known.evidence],
        "conflicts": list(known.conflicts),
        "tier": None if match is None else match.tier,
        "group": None if match is None else group_name(match.group),
    }


def summary_document(summary: Summary) -> Document:
    """Return what became of a run as ``denoise --json`` prints it."""
    return {
        "images": [
            {
                "source": public_uri(image.source),
                **({} if image.series is None else {"series": image.series}),
                "target": public_uri(image.target),
                "status": image.status,
                "planes_done": image.planes_done,
                "planes_failed": image.planes_failed,
                "seconds": round(image.seconds, 3) if math.isfinite(image.seconds) else None,
                "messages": list(image.messages),
            }
            for image in summary.images
        ],
        "skipped": skipped_document(summary.skipped),
        **({"exported": [asdict(file) for file in summary.exported]} if summary.exported else {}),
    }


def cite_document(methods: Sequence[CitedMethod]) -> Document:
    """Return what a paper says of results as ``cite --json`` prints it."""
    keys = [key for key in REFERENCES if any(key in method.references for method in methods)]
    return {
        "methods": [
            {
                **asdict(method),
                "references": list(method.references),
                "groups": list(map(asdict, method.groups)),
            }
            for method in methods
        ],
        "references": {
            key: {"text": REFERENCES[key].full, "bibtex": REFERENCES[key].bibtex(key)} for key in keys
        },
    }


def verify_document(findings: Sequence[Finding]) -> Document:
    """Return what was found out about results as ``verify --json`` prints it."""
    return {
        "images": [
            {
                "target": public_uri(finding.target),
                "status": finding.status,
                "problems": list(finding.problems),
                "failed_planes": [asdict(failure) for failure in finding.failed],
                "checked": finding.checked,
                "hint": finding.hint,
            }
            for finding in findings
        ]
    }


def run_numbers(summary: Summary) -> Document:
    """Return the numbers of a whole run, as the last line of ``--log-json`` gives them."""
    return {
        "images": len(summary.images),
        "planes_done": sum(image.planes_done for image in summary.images),
        "planes_failed": sum(image.planes_failed for image in summary.images),
        "planes_copied": summary.planes_copied,
        "planes_empty": summary.planes_empty,
        "seconds": round(summary.seconds, 3),
        "configurations": [
            {
                **asdict(pace.config),
                "planes": pace.planes,
                "seconds_per_plane": round(pace.fit_seconds / pace.planes, 3) if pace.planes else None,
            }
            for pace in summary.paces
        ],
    }
