"""From clues to a verdict: what each text means, and which of them is believed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal

from autodip_zarr.domain import ChannelMetadata, Evidence
from autodip_zarr.metadata.vocabulary.terms import MASS_CYTOMETRY, Vocabulary
from autodip_zarr.metadata.vocabulary.words import MAX_TEXT, compact

__all__ = ["FIELDS", "Clue", "Reading", "Trust", "in_order", "overrule", "resolve", "specific", "terms_of"]

FIELDS = ("microscope", "contrast", "specimen", "organism")

Reading = Literal["term", "words", "prose", "model", "cell_line", "value"]
"""``term``: a whole field; ``words``: a short text; ``prose``: one whose abbreviations may mean anything
(``Ex/Em``); ``model``: an instrument; ``value``: understood already."""

_ANTIBODY = re.compile(
    r"\banti[- ]?\w+|\b\w+[- ]anti\b"
    r"|\b\w+\s+(?:monoclonal|polyclonal|antibod\w*|ig[gmy]\b|serum|secondary|primary)",
    re.IGNORECASE,
)
"""Antibodies, which are raised in animals that are not in the image."""

_SPINNING_DISK_ID = "00000253"


class Trust(IntEnum):
    """How far each kind of source is believed, 0 to 100."""

    ORDER = 100  # the command line
    MAPPING = 99  # a table of corrections
    STATED = 98  # the attribute that the schema has for it
    CURATED = 95  # an annotation of this very channel
    ONTOLOGY = 90  # an id of an ontology
    ANNOTATION = 80  # a key-value pair of the image, the well or the plate
    LABEL = 75  # names that people gave the channel
    PHYSICS = 70  # illumination, pinhole, wavelengths
    ORIGINAL = 60  # metadata of the vendor that was kept beside the schema
    NAMED = 55  # a modality in the name of a channel
    MODEL = 50  # names of instruments
    DYE = 45  # fluorophore, for the contrast
    PROSE = 35  # descriptions, tags, comments
    IMPLIED = 20  # what another term implies
    SIBLING = 15  # what the other channels of the image are
    GUESS = 10  # file names, by the user's own patterns


@dataclass(frozen=True)
class Clue:
    """One text of a header that may say something about a channel."""

    field: str
    """What it may speak about: ``microscope``, ``contrast``, ``specimen`` or ``organism``."""
    raw: str
    """The text as found."""
    source: str
    """File and XPath or JSON path."""
    trust: int
    """0 to 100."""
    reading: Reading = "term"
    """How to read it."""
    value: str | None = None
    """The term, where the reader knows it already (``reading`` is ``value``)."""
    quiet: bool = False
    """Whether it is dropped where nothing is understood, because it usually speaks about something else."""
    against: tuple[str, ...] = ()
    """Terms that it contradicts without saying what is true instead."""
    is_shared: bool = False
    """Whether it speaks about the whole image or study, so that of several only some are of the channel."""


def resolve(index: int, name: str | None, clues: Iterable[Clue], vocabulary: Vocabulary) -> ChannelMetadata:
    """Understand the clues of one channel and let the most trusted ones decide.

    Parameters
    ----------
    index : int
        Position along the channel axis.
    name : str or None
        Name of the channel.
    clues : iterable of Clue
        Everything that may speak about it, the more specific of equal trust first.
    vocabulary : Vocabulary
        What the words mean.

    Returns
    -------
    ChannelMetadata
        Terms, evidence in falling order of trust within each field, and contradictions in words.
    """
    conflicts: list[str] = []
    clues = list(clues)
    understood = [one for clue in clues for one in _understand(clue, vocabulary, conflicts)]
    evidence = list(dict.fromkeys(understood))
    decided: dict[str, str | None] = {}
    for field in FIELDS:
        if field == "contrast":
            evidence += _implied(evidence, decided, vocabulary)
        if field == "specimen" and decided["contrast"] not in {"fluorescence", None}:
            # what prose names is labelled in fluorescence alone; electrons show all of the cell
            evidence = [one for one in evidence if one.field != field or one.trust > Trust.PROSE]
        if field == "specimen" and decided["contrast"] == "transmitted":
            # the filter that stays in place behind a lamp stains nothing: "TL-Brightfield - DAPI"
            evidence = [one for one in evidence if one.field != field or not _names_lamp(one, vocabulary)]
        decided[field] = _decide(field, _possible(field, evidence, vocabulary), vocabulary, conflicts)
    camera = next(
        (one for one in clues if "confocal" in one.against and "widefield" not in one.against), None
    )
    if camera is not None and _may_be_disk(evidence, decided):
        raw = f"confocal with a camera ({camera.raw})"
        evidence.append(Evidence("microscope", "spinning_disk", camera.source, raw, int(camera.trust)))
        decided["microscope"] = "spinning_disk"
    conflicts += _two_photon_mistaken(evidence)
    conflicts += [
        f"{clue.field}: {clue.raw!r} ({clue.source}) speaks against {decided[clue.field]}, which is taken"
        for clue in clues
        if decided[clue.field] in clue.against
    ]
    mass = next((one for one in evidence if one.value == MASS_CYTOMETRY and one.trust > Trust.PROSE), None)
    if mass is not None:
        decided |= {"microscope": None, "contrast": None}
        conflicts = [one for one in conflicts if not one.startswith(("microscope:", "contrast:"))]
        conflicts.append(
            f"contrast: {mass.raw!r} ({mass.source}) is mass cytometry: no microscope, and no light"
        )
    return ChannelMetadata(
        index=index,
        name=name,
        microscope=decided["microscope"],
        contrast=decided["contrast"],
        specimen=decided["specimen"],
        organism=decided["organism"],
        evidence=in_order(evidence),
        conflicts=tuple(dict.fromkeys(conflicts)),
    )


def in_order(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Return evidence by field, and in falling order of trust within each field."""
    return tuple(sorted(evidence, key=lambda one: (FIELDS.index(one.field), -one.trust)))


def overrule(channel: ChannelMetadata, said: Sequence[Evidence], vocabulary: Vocabulary) -> ChannelMetadata:
    """Let what a person says about a channel decide over what was read.

    Contradictions of the fields that are said are settled thereby, and left out; what was read stays in the
    evidence. The contrast follows from what is said, unless the metadata tells it in its own right.

    Parameters
    ----------
    channel : ChannelMetadata
        As read.
    said : sequence of Evidence
        What the person says; the later of two of one field wins. A value of ``None`` takes a value back.
    vocabulary : Vocabulary
        What terms imply.
    """
    last = {one.field: one for one in said}
    if not last:
        return channel
    decided = {field: getattr(channel, field) for field in FIELDS} | {f: one.value for f, one in last.items()}
    read = list(channel.evidence)
    conflicts = [one for one in channel.conflicts if one.split(":", 1)[0] not in last]
    if "contrast" not in last:
        read = [one for one in read if not _is_obsolete(one, channel, decided)]
        read += _implied(list(last.values()), decided, vocabulary)
        contradictions: list[str] = []
        decided["contrast"] = _decide("contrast", read, vocabulary, contradictions)
        if decided["contrast"] != channel.contrast:
            conflicts = [one for one in conflicts if not one.startswith("contrast:")]
        conflicts += contradictions
    evidence = in_order((*last.values(), *read))
    return replace(channel, **decided, evidence=evidence, conflicts=tuple(dict.fromkeys(conflicts)))


def _is_obsolete(one: Evidence, channel: ChannelMetadata, decided: dict[str, str | None]) -> bool:
    """Whether a contrast only followed from a microscope that is not believed any more."""
    if one.field != "contrast" or one.trust != Trust.IMPLIED or decided["microscope"] == channel.microscope:
        return False
    return any(
        (clue.source, clue.raw) == (one.source, one.raw)
        for clue in channel.evidence
        if clue.field == "microscope" and clue.value == channel.microscope
    )


def _understand(clue: Clue, vocabulary: Vocabulary, conflicts: list[str]) -> Iterator[Evidence]:
    """Yield the evidence of one clue; nothing for a quiet clue in vain."""
    terms = terms_of(clue, vocabulary)
    if len(terms) > 1:
        conflicts.append(
            f"{clue.field}: {clue.raw!r} ({clue.source}) names {' and '.join(terms)}; none is taken from it"
        )
        yield from _common_contrast(clue, terms, vocabulary)
    value = terms[0] if len(terms) == 1 else None
    if value is not None or not clue.quiet:
        yield Evidence(clue.field, value, clue.source, clue.raw, int(clue.trust))


def _common_contrast(clue: Clue, terms: tuple[str, ...], vocabulary: Vocabulary) -> Iterator[Evidence]:
    """Yield the contrast that all labels of a mixed channel imply."""
    implied = {vocabulary.implied_contrast(clue.field, term) for term in terms}
    for contrast in implied:
        if clue.field == "specimen" and len(implied) == 1 and contrast is not None:
            yield Evidence("contrast", contrast, clue.source, clue.raw, int(Trust.DYE))


def terms_of(clue: Clue, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the terms that a clue names, without those that another of them is a special form of.

    Parameters
    ----------
    clue : Clue
        The clue.
    vocabulary : Vocabulary
        What the words mean.
    """
    return specific(_terms(clue, vocabulary), vocabulary)


def _terms(clue: Clue, vocabulary: Vocabulary) -> tuple[str, ...]:
    if clue.reading == "value":
        return (clue.value,) if clue.value is not None else ()
    if clue.reading == "term":
        term = vocabulary.lookup(clue.field, clue.raw)
        return (term,) if term is not None else ()
    if clue.reading == "words":
        return vocabulary.search(clue.field, clue.raw)
    if clue.reading == "prose":
        if clue.field == "organism":
            return vocabulary.search_names("organism_names", _ANTIBODY.sub(" ", clue.raw[:MAX_TEXT]))
        return _without_harmonics(vocabulary.search_names(clue.field, clue.raw), vocabulary)
    if clue.reading == "model":
        return vocabulary.search_names("models", clue.raw) or vocabulary.search("microscope", clue.raw)
    return vocabulary.search_names("cell_lines", clue.raw)


def _without_harmonics(terms: tuple[str, ...], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Leave out signals that are seen beside fluorescence by an instrument that is named as well."""

    def is_beside(term: str) -> bool:
        instruments = set(vocabulary.done_with(term)) & set(terms)
        return bool(instruments) and "fluorescence" in vocabulary.excluded_contrasts(term)

    return tuple(term for term in terms if not is_beside(term))


def specific(terms: tuple[str, ...], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Leave out terms that another of them is a special form of.

    Parameters
    ----------
    terms : tuple of str
        Terms of one field.
    vocabulary : Vocabulary
        What is a special form of what.
    """
    if len(terms) < 2:
        return terms
    relations = vocabulary.relations()
    general = {parent for term in terms for parent in relations.get(term, ())}
    return tuple(term for term in terms if term not in general)


def _implied(
    evidence: list[Evidence], decided: dict[str, str | None], vocabulary: Vocabulary
) -> Iterator[Evidence]:
    """Yield the contrast that the microscope or a label of the channel implies."""
    for one in evidence:
        believed = one.field == "specimen" or one.value == decided.get(one.field)
        if one.value is None or not believed or one.field not in {"microscope", "specimen"}:
            continue
        if one.field == "specimen" and one.trust <= Trust.PROSE:
            continue
        contrast = vocabulary.implied_contrast(one.field, one.value)
        if contrast is not None:
            trust = Trust.DYE if one.field == "specimen" else Trust.IMPLIED
            yield Evidence("contrast", contrast, one.source, one.raw, int(trust))


def _names_lamp(one: Evidence, vocabulary: Vocabulary) -> bool:
    """Whether a text about the structure names a way to use transmitted light as well."""
    named = vocabulary.search_names("microscope", one.raw)
    return any(vocabulary.implied_contrast("microscope", term) == "transmitted" for term in named)


def _may_be_disk(evidence: list[Evidence], decided: dict[str, str | None]) -> bool:
    """Whether a channel is called confocal, and nothing says that it is scanned point by point."""
    said = [one for one in evidence if one.field == "microscope" and one.value == "confocal"]
    scans = any(
        one.raw.strip().replace(".", "").isdigit()  # a pinhole
        or any(word in compact(one.raw) for word in ("scan", "point", "lsm", "clsm"))
        for one in said
    )
    return (
        decided["microscope"] == "confocal" and not scans and max(one.trust for one in said) < Trust.ONTOLOGY
    )


def _possible(field: str, evidence: list[Evidence], vocabulary: Vocabulary) -> list[Evidence]:
    """Leave out a contrast that is only implied where the channel is said to be of a modality without it.

    A second harmonic has a wavelength of emission, too.
    """
    if field != "contrast":
        return evidence
    modalities = {
        one.value for one in evidence if one.field == "microscope" and one.value and one.trust > Trust.PROSE
    }
    excluded = {contrast for one in modalities for contrast in vocabulary.excluded_contrasts(one)}
    return [one for one in evidence if one.trust > Trust.IMPLIED or one.value not in excluded]


def _decide(field: str, evidence: list[Evidence], vocabulary: Vocabulary, conflicts: list[str]) -> str | None:
    """Return the most trusted term of a field, made more precise by what is compatible with it.

    A technique of contrast (bright field, phase, DIC) may be done on every stand. It yields to a modality
    that is said of the image or the channel, unless the schema's own attribute says the technique; the name
    of an instrument does not tell how it took a channel of transmitted light.
    """
    of_field = [one for one in evidence if one.field == field and one.value]
    told = any(one.trust > Trust.MODEL + 5 for one in of_field if not _is_technique(one, vocabulary))
    found = sorted(
        of_field,
        key=lambda one: (told and _is_technique(one, vocabulary) and one.trust < Trust.STATED, -one.trust),
    )
    if not found:
        return None
    best = found[0]
    for other in found[1:]:
        if other.value == best.value:
            continue
        if field == "microscope" and _compatible(best, other, vocabulary):
            if best.trust < Trust.STATED and _is_special(other, best, vocabulary):
                best = other
            continue
        if other.trust <= Trust.IMPLIED:
            continue
        conflicts.append(
            f"{field}: {best.raw!r} ({best.source}) says {best.value}, but "
            f"{other.raw!r} ({other.source}) says {other.value}; the former is trusted more and taken"
        )
    return best.value


def _is_special(other: Evidence, best: Evidence, vocabulary: Vocabulary) -> bool:
    """Whether one modality is the same as another and more: a spinning disk is a confocal.

    Phase contrast is wide-field and more where the channel itself is said to be that.
    """
    special = best.value in vocabulary.relations().get(str(other.value), ())
    return special and (not _is_technique(other, vocabulary) or other.trust > Trust.MODEL)


def _is_technique(one: Evidence, vocabulary: Vocabulary) -> bool:
    """Whether a modality is a technique of contrast with transmitted light."""
    return (
        one.field == "microscope" and vocabulary.implied_contrast(one.field, str(one.value)) == "transmitted"
    )


def _compatible(best: Evidence, other: Evidence, vocabulary: Vocabulary) -> bool:
    """Whether two modalities do not contradict each other.

    One may be a special form of the other, and a transmitted-light technique says how light gives contrast,
    not how the stand scans.
    """
    if _is_technique(best, vocabulary) or _is_technique(other, vocabulary):
        return True
    return vocabulary.related(str(best.value), str(other.value))


def _two_photon_mistaken(evidence: list[Evidence]) -> Iterator[str]:
    """Yield a warning where the id of spinning disk stands beside evidence of two-photon excitation."""
    mistaken = [one for one in evidence if one.field == "microscope" and _SPINNING_DISK_ID in one.raw]
    others = [one for one in evidence if one.field == "microscope" and one.value == "twophoton"]
    for one in mistaken[:1]:
        for other in others[:1]:
            yield (
                f"microscope: {one.raw!r} ({one.source}) is the id of spinning disk, but {other.raw!r} "
                f"({other.source}) says two-photon, for which archives are known to carry that id by mistake "
                "(two-photon is FBbi_00000254 or FBbi_00000255)"
            )
