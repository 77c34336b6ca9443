"""Pairs of noisy and clean images: which belong together, and whether they can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from autodip_zarr.domain import Header, ImageRef, Skipped
from autodip_zarr.errors import AutodipError, OptionError
from autodip_zarr.provenance import public_uri
from autodip_zarr.run.sources.overrides import Knowledge, UnderstoodImage
from autodip_zarr.stores import read_header, walk, walk_pictures
from autodip_zarr.stores.access.place import open_place

_SUFFIX = re.compile(r"(\.ome)?\.(tiff?|tf2|tf8|btf|png|zarr|ozx)(\.zip)?$", re.IGNORECASE)
_AXES = "tczyx"


@dataclass(frozen=True)
class Pair:
    """A noisy image and the clean one of the same scene."""

    noisy: UnderstoodImage
    """The noisy image, and what is known of its channels."""
    clean: Header
    """The clean image, of the same size along every axis."""


def find_pairs(noisy: Sequence[str], clean: Sequence[str], knowledge: Knowledge) -> Iterator[Pair | Skipped]:
    """Yield the pairs in some files and folders, and what has no partner or cannot be compared.

    Parameters
    ----------
    noisy, clean : sequence of str
        Files (PNG, TIFF, OME-TIFF), OME-Zarr images and folders of these; the first of the one belongs to
        the first of the other. Images of folders are paired by their path below the folder, apart from
        the ending; one clean image beside a folder is the partner of all images in it but itself.
    knowledge : Knowledge
        Reads the metadata of the noisy images.

    Raises
    ------
    OptionError
        If there are not as many of the one as of the other.
    """
    if len(noisy) != len(clean):
        found = f"{len(noisy)} noisy and {len(clean)} clean"
        raise OptionError("--noisy, --clean", found, "as many of the one as of the other")
    for one, other in zip(noisy, clean, strict=True):
        yield from _pairs_of(one, other, knowledge)


def _pairs_of(noisy: str, clean: str, knowledge: Knowledge) -> Iterator[Pair | Skipped]:
    left, right = _Images.of(noisy), _Images.of(clean)
    yield from (*left.skipped, *right.skipped)
    if not (left.refs and right.refs):
        return
    left, right = _by_one(left, right)
    for name, ref in left.refs.items():
        partner = right.refs.get(name)
        if partner is None:
            yield _alone(ref, name, clean)
            continue
        try:
            yield _pair(ref, partner, knowledge)
        except AutodipError as error:
            yield Skipped(public_uri(ref.source), str(error), is_error=True)
    yield from (_alone(ref, name, noisy) for name, ref in right.refs.items() if name not in left.refs)


def _by_one(left: _Images, right: _Images) -> tuple[_Images, _Images]:
    """Let one image that was named itself be the partner of all on the other side, whatever their names."""
    if list(right.refs) == [""]:
        clean = right.refs[""]
        captures = {name: ref for name, ref in left.refs.items() if ref != clean} or left.refs
        return _Images(captures, ()), _Images(dict.fromkeys(captures, clean), ())
    if list(left.refs) == [""] and len(right.refs) == 1:
        return left, _Images({"": next(iter(right.refs.values()))}, ())
    return left, right


def _alone(ref: ImageRef, name: str, where: str) -> Skipped:
    what = f"no image is named {name!r} there" if name else "it holds several images"
    return Skipped(public_uri(ref.source), f"has no partner in {public_uri(where)}: {what}", is_error=True)


def _pair(noisy: ImageRef, clean: ImageRef, knowledge: Knowledge) -> Pair:
    if noisy == clean:
        raise OptionError("--clean", "is the noisy image itself", "another image of the same scene")
    noisy, clean = (replace(one, given_axes=knowledge.given.axes) for one in (noisy, clean))
    understood, header = knowledge.understand(read_header(noisy)), read_header(clean)
    sizes, others = ({axis: one.size(axis) for axis in _AXES} for one in (understood.header, header))
    if sizes != others:
        found, expected = (
            " ".join(f"{axis}={size}" for axis, size in one.items()) for one in (others, sizes)
        )
        raise OptionError(f"clean image {public_uri(clean.source)}", found, f"{expected}, as the noisy one")
    return Pair(understood, header)


@dataclass(frozen=True)
class _Images:
    """The images of one source, by the name under which they are paired."""

    refs: dict[str, ImageRef]
    """References by name; the name of a source that is one image itself is empty."""
    skipped: tuple[Skipped, ...]
    """What cannot be read, or has the name of another."""

    @classmethod
    def of(cls, source: str) -> _Images:
        try:
            pictures = list(walk_pictures(source))
            root = open_place(source).uri.rstrip("/")
        except AutodipError as error:
            return cls({}, (Skipped(public_uri(source), str(error), is_error=True),))
        found = [] if pictures and pictures[0].uri == root else list(walk([source]))
        # the walk does not know of pictures, and says of a folder of nothing else that it holds no image
        skipped = [
            item
            for item in found
            if isinstance(item, Skipped) and not (pictures and item.source == public_uri(source))
        ]
        refs: dict[str, ImageRef] = {}
        for ref in (*(item for item in found if isinstance(item, ImageRef)), *pictures):
            name = _name(ref, root)
            if name in refs:
                reason = f"has the name of {public_uri(refs[name].source)} apart from the ending"
                skipped.append(Skipped(public_uri(ref.source), reason, is_error=True))
            else:
                refs[name] = ref
        return cls(refs, tuple(skipped))


def _name(ref: ImageRef, root: str) -> str:
    """Return the path of an image below a source, without endings."""
    uri = ref.uri.rstrip("/")
    if uri != root and uri.startswith(f"{root}/"):
        outer, inner = _SUFFIX.sub("", uri[len(root) + 1 :]), ref.group
    else:  # the source is the file, the store, or a group inside the store
        outer, inner = "", ref.source.removeprefix(root).strip("/")
    series = "" if ref.series is None else str(ref.series)
    return "/".join(part for part in (outer, inner, series) if part)
