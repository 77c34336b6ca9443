"""The record of what made a result, as plain JSON values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Literal

from autodip_zarr.domain import ChannelPlan, FieldOfPlate, Header, ImagePlan, Treatment

Document = dict[str, Any]
"""A JSON object."""

_SCHEMA: Final = 1
"""Version of the layout of the ``autodip`` attribute."""

_INCIDENTAL: Final = frozenset({"treatment", "uri", "modified"})
"""Fields of a recipe that may differ between two halves of one result."""
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://(?:\S*@)?[^\s'\"<>]+")
_CHAIN: Final = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+.\-]*(?:://|::|$))")
_USER: Final = re.compile(r"[^/?#\s]*@|[^/?#@\s]*:(?!\d*(?:[/?#]|$))\S*@")
"""Before the host: all up to an ``@``, or more where what looks like a port is no number."""
_SIGNATURE: Final = re.compile(
    r"\?\S*\b(?:x-(?:amz|goog|ms)-[\w-]+|sig|signature|token|[a-z]+_token|api_?key|password)=[^\s'\"<>]*",
    re.IGNORECASE,
)
"""The query of an address of which an error repeats the path alone."""
_ABOUT: Final = ("evidence", "source.plate", "source.warnings", ".match.warnings", ".reason")
"""Parts of paths of fields that tell why and where, and change no pixel."""


def split_address(uri: str) -> tuple[str, str, str]:
    """Split a URI into what everybody may read, ``user:password``, and its query; a path is public.

    A password in which a slash or another sign was not encoded ends at the last ``@``.

    Examples
    --------
    >>> split_address("http://me:a/b@host/x.zarr?token=1")
    ('http://host/x.zarr', 'me:a/b', 'token=1')
    >>> split_address("s3://bucket/you@lab/x.zarr")
    ('s3://bucket/you@lab/x.zarr', '', '')
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme.lower() == "file":
        return uri, "", ""
    secret = ""
    if _USER.match(rest):
        secret, _, rest = rest.rpartition("@")
    rest, _, _fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    return f"{scheme}://{rest}", secret, query


def public_uri(uri: str) -> str:
    """Return a URI without user, password and query, for messages, logs and provenance; a path as it is.

    Examples
    --------
    >>> public_uri("simplecache::https://me:pw@host/x.zip?token=1")
    'simplecache::https://host/x.zip'
    """
    return "::".join(split_address(part)[0] for part in _CHAIN.split(uri))


def public_text(text: str) -> str:
    """Return a text whose addresses are without user, password and query; see `public_uri`.

    Examples
    --------
    >>> public_text("http://me:pw@host/x.zarr: done, s3://bucket/x.zarr")
    'http://host/x.zarr: done, s3://bucket/x.zarr'
    """
    return _SIGNATURE.sub("", _URI.sub(lambda found: public_uri(found.group()), text))


def recipe_document(image: ImagePlan, software: Mapping[str, str]) -> Document:
    """Describe what determines the pixels of a result.

    Parameters
    ----------
    image : ImagePlan
        What is done with the image.
    software : mapping
        Versions of the libraries that can change pixels.

    Returns
    -------
    dict
        The same for the same source, choices and software, whenever and wherever it is made.
    """
    mark = image.header.fingerprint
    source: Document = {
        "uri": public_uri(image.header.ref.source),
        "series": image.header.ref.series,
        "size_bytes": mark.size_bytes,
        "modified": mark.modified,
        "etag": mark.etag,
        "checksum": mark.checksum,
    }
    if image.plate is not None:
        source["plate"] = plate_document(image.plate)
    if image.warnings:
        source["warnings"] = list(image.warnings)
    return {
        "source": source,
        **_given(image.header),
        "channels": [_channel_document(channel) for channel in image.channels],
        "t": list(image.t),
        "z": list(image.z),
        **asdict(image.recipe),
        "software": dict(software),
    }


def _given(header: Header) -> Document:
    """Return what a person said of the image itself, as far as it was needed."""
    document: Document = {}
    if header.ref.given_axes is not None:
        document["axes"] = header.ref.given_axes.text
    if header.given_um:
        document["pixel_size_um"] = dict(header.given_um)
    return document


def plate_document(plate: FieldOfPlate) -> Document:
    """Describe where in a plate an image lies."""
    return {"well": f"{plate.row}{plate.column}", **asdict(plate)}


def _channel_document(channel: ChannelPlan) -> Document:
    known = channel.metadata
    document: Document = {
        "index": known.index,
        "name": known.name,
        "microscope": known.microscope,
        "specimen": known.specimen,
        "contrast": known.contrast,
        "organism": known.organism,
        "evidence": [asdict(evidence) for evidence in known.evidence],
        "treatment": "denoised" if channel.match else "copied",
    }
    if channel.match is None:
        return {**document, "reason": channel.reason}
    match = asdict(channel.match)
    return {
        **document,
        "config": match.pop("config"),
        "match": {**match, "group": dict(channel.match.group)},
    }


def with_treatments(recipe: Document, treatments: Sequence[Treatment]) -> Document:
    """Return a recipe that says what became of each channel."""
    channels = [
        {**channel, "treatment": treatment}
        for channel, treatment in zip(recipe["channels"], treatments, strict=True)
    ]
    return {**recipe, "channels": channels}


def autodip_attribute(
    status: Literal["running", "complete", "partial"], recipe: Document, run: Document
) -> Document:
    """Return the ``autodip`` attribute of a result.

    Parameters
    ----------
    status : str
        ``running`` until all planes are done, then ``complete``, or ``partial`` if some failed.
    recipe : dict
        What determines the pixels.
    run : dict
        What is incidental: times, device, counts.
    """
    return {"schema": _SCHEMA, "status": status, "recipe": recipe, "run": run}


def differences(old: Document, new: Document, *, software: bool) -> list[str]:
    """Say in which fields two recipes differ, apart from those that may.

    Parameters
    ----------
    old, new : dict
        Recipes, as :func:`recipe_document` makes them.
    software : bool
        Whether another version of the software counts as a difference.

    Returns
    -------
    list of str
        One text a field, for example ``"channels[0].config.depth: 8, now 4"``.
    """
    left, right = dict(_leaves(old)), dict(_leaves(new))
    texts = []
    for path in sorted(left.keys() | right.keys()):
        parts = path.split(".")
        if parts[-1] in _INCIDENTAL or any(about in path for about in _ABOUT):
            continue
        if parts[0] == "software" and not software:
            continue
        if left.get(path) != right.get(path):
            texts.append(f"{path}: {left.get(path)}, now {right.get(path)}")
    return texts


def source_changes(old: Mapping[str, Any], new: Document) -> list[str]:
    """Say in what a source differs from the one that a result was made of.

    Size, entity tag and checksum tell wherever both recipes know them. The time of last change counts only
    for a source in its old place whose entity tag is not the same: copies of an archive have new times.

    Parameters
    ----------
    old, new : dict
        Recipes, as :func:`recipe_document` makes them.

    Returns
    -------
    list of str
        One text a field, for example ``"size_bytes: 1000, now 1010"``.
    """
    before, after = old.get("source"), new["source"]
    if not isinstance(before, Mapping):
        return []
    fields = ["size_bytes", "etag", "checksum"]
    has_same_tag = before.get("etag") is not None and before.get("etag") == after["etag"]
    if before.get("uri") == after["uri"] and not has_same_tag:
        fields.append("modified")
    return [
        f"{name}: {before[name]}, now {after[name]}"
        for name in fields
        if None not in (before.get(name), after[name]) and before[name] != after[name]
    ]


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value
