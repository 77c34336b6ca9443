"""The methods paragraph of a paper, from what results say of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autodip_zarr.report.citation.references import REFERENCES
from autodip_zarr.run.results.review import ReviewedChannel, ReviewedImage


@dataclass(frozen=True)
class CitedGroup:
    """Channels of one kind that were denoised in the same way."""

    microscope: str | None
    """Imaging modality, as understood then."""
    specimen: str | None
    """Labelled structure, as understood then."""
    group: str
    """Calibration group that gave the parameters, for example ``confocal+nucleus``."""
    images: int
    """Images with such a channel."""
    planes: int
    """Planes that were denoised."""


@dataclass(frozen=True)
class CitedMethod:
    """Images that were denoised in the same way."""

    text: str
    """The paragraph."""
    references: tuple[str, ...]
    """Keys of `REFERENCES` that it cites, in their order."""
    images: int
    """Images."""
    planes: int
    """Planes that were denoised."""
    groups: tuple[CitedGroup, ...]
    """Kinds of channels, the most planes first."""


def cited_methods(images: Iterable[ReviewedImage]) -> list[CitedMethod]:
    """Return a paragraph for each way in which images were denoised, the most images first."""
    alike: dict[tuple[str, ...], list[ReviewedImage]] = {}
    for image in images:
        alike.setdefault(_way(image), []).append(image)
    return [_method(ours) for ours in sorted(alike.values(), key=len, reverse=True)]


def _way(image: ReviewedImage) -> tuple[str, ...]:
    names = ("preset", "seed", "precision", "starts", "mixed", "filters", "stop", "sequence", "software")
    return (*(str(image.recipe.get(name)) for name in names), *_tables(image))


def _method(images: Sequence[ReviewedImage]) -> CitedMethod:
    recipe = images[0].recipe
    groups = _groups(images)
    planes = sum(group.planes for group in groups)
    sentences = (
        _program(recipe),
        *_fits(recipe, images),
        *_mixing(recipe, images),
        _counts(len(images), groups, is_matched=recipe.get("starts") != 0),
    )
    text = " ".join(sentences)
    keys = tuple(key for key, one in REFERENCES.items() if one.cited in text)
    return CitedMethod(text, keys, len(images), planes, groups)


def _program(recipe: Mapping[str, Any]) -> str:
    software = recipe.get("software")
    versions = dict(software) if isinstance(software, dict) else {}
    ours = versions.pop("autodip-zarr", "of an unknown version")
    others = ", ".join(f"{name} {version}" for name, version in versions.items())
    made = f"Images were denoised plane by plane with autodip-zarr {ours}" + (
        f" ({others})" if others else ""
    )
    return f"{made}, preset {recipe.get('preset')}, seed {recipe.get('seed')}."


def _fits(recipe: Mapping[str, Any], images: Sequence[ReviewedImage]) -> Iterator[str]:
    starts = recipe.get("starts")
    if starts == 0:
        return
    fits = "one fit" if starts == 1 else f"{starts} independent fits, averaged"
    table = "; ".join(dict.fromkeys(one for image in images for one in _tables(image)))
    least, most = recipe.get("least_iterations"), recipe.get("most_iterations")
    is_fixed = isinstance(least, int) and least == most and least > 0
    prior, source = REFERENCES["ulyanov2018"].cited, REFERENCES["autodip"].cited
    yield (
        f"Each plane was represented by a Deep Image Prior ({prior}), {fits}, without training data."
        " Network and number of iterations were transferred from calibration images of the same"
        f" microscope and labelled structure, as far as the metadata tell ({source}; {table})."
    )
    if is_fixed:
        smaller = ", fewer for smaller ones" if recipe.get("size_exponent") else ""
        yield (
            f"That number was brought to {least}, raised fourfold at most, for a field of 512 x 512"
            f" pixels{smaller}."
        )
    if isinstance(recipe.get("sequence"), dict):
        axis = recipe["sequence"].get("axis")
        yield f"Planes along {axis} were fitted on from the networks of their neighbours."
    if recipe.get("stop") == "auto":
        yield "Each fit was stopped by its own outputs, between half and twice that number."


def _mixing(recipe: Mapping[str, Any], images: Sequence[ReviewedImage]) -> Iterator[str]:
    by_error = f"by the mean squared error, estimated from the plane alone ({REFERENCES['ramani2008'].cited})"
    filters = (
        f"Gaussian blurs, non-local means ({REFERENCES['buades2011'].cited}), total variation"
        f" ({REFERENCES['chambolle2004'].cited}) and, where noise is correlated, thresholds of block cosine"
        f" transforms ({REFERENCES['yu2011'].cited})"
    )
    if recipe.get("starts") == 0:
        yield f"Each plane is a mixture of classical filters, chosen {by_error}: {filters}."
        return
    if not recipe.get("mixed"):
        return
    yield f"The iteration whose output was taken was chosen {by_error}."
    if recipe.get("filters"):
        share = _mean_share(images)
        told = "" if share is None else f"; the mean share of the prior was {100 * share:.0f}%"
        yield f"In the same way the output was mixed with classical filters{told}: {filters}."


def _mean_share(images: Sequence[ReviewedImage]) -> float | None:
    """Return the mean share of the prior over the planes that tell one."""
    told = [(c.denoised, c.numbers["prior_share"]) for c in _denoised(images) if "prior_share" in c.numbers]
    planes = sum(count for count, _ in told)
    return sum(count * share for count, share in told) / planes if planes else None


def _denoised(images: Sequence[ReviewedImage]) -> list[ReviewedChannel]:
    return [channel for image in images for channel in image.channels if channel.denoised]


def _groups(images: Sequence[ReviewedImage]) -> tuple[CitedGroup, ...]:
    found: dict[tuple[str | None, str | None, str], list[ReviewedChannel]] = {}
    holders: dict[tuple[str | None, str | None, str], set[int]] = {}
    for number, image in enumerate(images):
        for channel in _denoised([image]):
            kind = (channel.microscope, channel.specimen, channel.group or "global")
            found.setdefault(kind, []).append(channel)
            holders.setdefault(kind, set()).add(number)
    made = [
        CitedGroup(*kind, len(holders[kind]), sum(channel.denoised for channel in channels))
        for kind, channels in found.items()
    ]
    return tuple(sorted(made, key=lambda group: -group.planes))


def _counts(images: int, groups: Sequence[CitedGroup], *, is_matched: bool) -> str:
    parts = [
        f"{group.microscope or 'unknown microscope'}, {group.specimen or 'unknown structure'}"
        f"{f' (parameters of {_calibrated(group.group)})' if is_matched else ''}:"
        f" {_number(group.planes, 'plane')} of {_number(group.images, 'image')}"
        for group in groups
    ]
    planes = sum(group.planes for group in groups)
    return f"In all, {_number(planes, 'plane')} of {_number(images, 'image')}: {'; '.join(parts)}."


def _calibrated(group: str) -> str:
    return "all calibration images" if group == "global" else group


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _tables(image: ReviewedImage) -> tuple[str, ...]:
    """Return the tables of the parameters, with version, first digits of the digest, and metric."""
    channels = image.recipe.get("channels")
    found: dict[str, None] = {}
    for channel in channels if isinstance(channels, list) else ():
        match = channel.get("match") if isinstance(channel, dict) else None
        table = match.get("table") if isinstance(match, dict) else None
        if isinstance(match, dict) and isinstance(table, dict):
            digest = str(table.get("sha256"))[:12]
            name = f"calibration table {table.get('name')} {table.get('version')}, sha256 {digest}"
            found[f"{name}, metric {match.get('metric')}"] = None
    return tuple(found)


def reference_lines(methods: Iterable[CitedMethod]) -> list[str]:
    """Return the list of references of some paragraphs."""
    return [REFERENCES[key].full for key in _keys(methods)]


def bibtex(methods: Iterable[CitedMethod]) -> str:
    """Return the references of some paragraphs as BibTeX."""
    return "\n".join(REFERENCES[key].bibtex(key) for key in _keys(methods))


def _keys(methods: Iterable[CitedMethod]) -> list[str]:
    cited = {key for method in methods for key in method.references}
    return [key for key in REFERENCES if key in cited]
