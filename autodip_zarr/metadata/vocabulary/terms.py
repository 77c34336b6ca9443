"""Terms and their spellings, and which of them a text of a header names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autodip_zarr.metadata.vocabulary.isotopes import without_isotope
from autodip_zarr.metadata.vocabulary.spelling import nearest
from autodip_zarr.metadata.vocabulary.words import MAX_TEXT, compact, find_words, segments, split_words

__all__ = ["FLUOROPHORE", "IGNORE", "IGNORED", "MASS_CYTOMETRY", "SECTIONS", "Term", "Vocabulary"]

SECTIONS = ("microscope", "contrast", "specimen", "fluorophore", "organism", "ignore")
FLUOROPHORE = "fluorophore"
MASS_CYTOMETRY = "mass_cytometry"
"""The one modality that is no microscope: antibodies with isotopes, counted ion by ion."""
IGNORE = "ignore"
IGNORED = "-"  # where a phrase is passed over, the abbreviations around it are not trusted either

_FBBI = re.compile(r"(?:fbbi(?:[\s_:-]|%3a)*0*|^0*)(\d{1,8})(?!\d)", re.IGNORECASE)
_TAXON = re.compile(
    r"(?:tax(?:on(?:omy)?)?(?:id)?|txid|ncbi)[\s_:=]*(?:txid)?[\s_:=]*(\d+)|^\s*(\d+)\s*$", re.IGNORECASE
)
_NEUTRAL = re.compile(r"^(?:ch|c|cam|camera|channel|track|t|z|w|series|image)?\d*[xn]?$")
_BINOMIAL = re.compile(r"^[A-Z][a-z]{2,} [a-z]{3,}( [a-z]{3,})?$")
_PIECE = re.compile(r"[\s;:,/|()\[\]+&_]+")
_PARENTHESES = re.compile(r"\([^()]*\)")
_TRANSGENE = re.compile(r"\bTg\([^()]*\)")
_FILTER_SET = re.compile(r"\b\d{2} ?HE\b")
"""Filter sets of Zeiss, high efficiency; no haematoxylin."""
_PHASE_RING = re.compile(r"Ph ?[1-4L]")
_PHASE_RINGS = {"contrast": ("transmitted",), "microscope": ("phase",)}
"""Rings of phase-contrast objectives as they are engraved; pH3 is a histone."""
_OF_WHAT = frozenset(
    {"microscope", "image", "sample", "specimen", "acquisition", "experiment", "study", "assay"}
)
"""Words that say in a key what its other words are of: ``Microscope Contrast Method``."""
_NAME_PIECE = re.compile(r"[^0-9A-Za-z]+")
_LASER_LINE = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Za-z]{1,8}[ _-]*)?"
    r"(?:405|440|442|445|454|458|470|473|476|477|488|491|496|505|514|515|532|543|546|552|555|559|560|561|568"
    r"|592|594|605|633|635|637|638|640|642|647|660|670|685|705|730|750|785)(?:\s?nm)?(?![A-Za-z0-9])"
)
_DYE_NUMBER = re.compile(r"^(3[3-9]\d|[4-7]\d\d|8[0-2]\d)$")


@dataclass(frozen=True)
class Term:
    """One term of the vocabulary, with all that is recognised as it."""

    field: str
    """Section: ``microscope``, ``contrast``, ``specimen``, ``fluorophore``, ``organism`` or ``ignore``."""
    term: str
    """Name used in the program."""
    name: str = ""
    """Name for people."""
    contrast: str = ""
    """Contrast that the term implies; empty for none."""
    fbbi: tuple[str, ...] = ()
    """Ids of the Biological Imaging Methods ontology, eight digits."""
    taxon: tuple[str, ...] = ()
    """Ids of the NCBI taxonomy."""
    synonyms: tuple[str, ...] = ()
    """Recognised as a whole field, and as words inside a longer text."""
    exact: tuple[str, ...] = ()
    """Recognised only as a whole field or a part of it between separators."""
    models: tuple[str, ...] = ()
    """Names of instruments that work this way only."""
    cell_lines: tuple[str, ...] = ()
    """Cell lines of an organism."""
    families: tuple[str, ...] = ()
    """Names of dyes that are followed by a wavelength."""
    generalises_to: tuple[str, ...] = ()
    """Terms whose calibration may stand in, nearest first."""
    done_with: tuple[str, ...] = ()
    """Terms of the instruments that it is done with."""
    excludes: tuple[str, ...] = ()
    """Contrasts that it cannot have."""
    patterns: tuple[str, ...] = ()
    """Words with a number (``#``) or a letter (``@``) in them: families of proteins, lines of a laser."""

    def spellings(self) -> tuple[str, ...]:
        """All texts that are recognised as a whole field, beside ids."""
        return (self.term, *((self.name,) if self.name else ()), *self.synonyms, *self.exact)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """All terms, with the indices by which they are looked up; compared by identity."""

    terms: tuple[Term, ...]
    """Every term."""
    keys: Mapping[str, str]
    """Field that a key of an annotation speaks about, by compact spelling."""
    fields: Mapping[str, Mapping[str, str]]
    """Term by compact spelling of a whole field, per section."""
    words: Mapping[str, Mapping[str, str]]
    """Term by compact spelling inside of a text, per section, and for ``models`` and ``cell_lines``."""
    patterns: Mapping[str, tuple[tuple[re.Pattern[str], str], ...]]
    """Expressions over compact words with their terms, per section."""
    spellings: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Words by what is left of them without a letter, per section."""
    ids: Mapping[str, Mapping[str, str]]
    """Term by FBbi id (``microscope``, ``contrast``) or taxon id (``organism``)."""

    def lookup(self, field: str, text: str) -> str | None:
        """Return the term that a whole field means, or ``None``.

        Ids in any of their spellings are understood, for organisms also a binomial that is not listed.
        """
        text = text[:MAX_TEXT]
        number = self.fbbi(text) if field in {"microscope", "contrast"} else self.taxon(text)
        if number is not None and number in self.ids.get(field, {}):
            return self.ids[field][number]
        for segment in segments(text):
            if segment in self.fields[field]:
                return self.fields[field][segment]
        if field != "organism":
            return None
        named = tuple(dict.fromkeys(find_words(text, self.words[field])))
        if len(named) == 1:
            return named[0]
        return text.strip() if _BINOMIAL.match(text.strip()) else None

    def search(self, field: str, text: str) -> tuple[str, ...]:
        """Return the distinct terms of one section that a free text names, in order of appearance."""
        text = _FILTER_SET.sub(" ", without_isotope(text[:MAX_TEXT]))
        if _PHASE_RING.fullmatch(text.strip()):
            return _PHASE_RINGS.get(field, ())
        if field == "contrast" and self._is_structure(text):  # pH3 is a histone, whatever Ph 3 is
            return ()
        found = self._search(field, text)
        if len(found) > 1 and field == "specimen" and "(" in text:
            return self._of_both(text) or found
        return found or self._search(field, self._corrected(field, text))

    def _of_both(self, text: str) -> tuple[str, ...]:
        """Return the one structure in parentheses, which is what a dye means there, or else the one outside.

        ``propidium iodide (cell walls)``, ``GCaMP6s (calcium in neurons)``.
        """
        inside = self._search("specimen", " ".join(_PARENTHESES.findall(text)))
        outside = self._search("specimen", _PARENTHESES.sub(" ", text))
        return next((found for found in (inside, outside) if len(found) == 1), ())

    def _is_structure(self, text: str) -> bool:
        name = compact(text)
        return name in self.fields["specimen"] and name not in self.fields["contrast"]

    def _search(self, field: str, text: str) -> tuple[str, ...]:
        known = self.fields[field]
        if compact(text) in known:
            return (known[compact(text)],)
        inside = find_words(text, self.words[field])
        if IGNORED in inside:
            return tuple(dict.fromkeys(term for term in inside if term not in {"", IGNORED}))
        found = [known[one] for one in segments(text) if one in known]
        words = [one for one in map(compact, text.split()) if not _NEUTRAL.match(one)]
        if not found and words and all(one in known for one in words):
            found = [known[one] for one in words]
        if not found:
            found = [term for term in inside if term]
        if not found:
            found = list(self._by_pattern(field, text))
        if not found and field == "specimen":
            found = [term for word in text.split() for term in self._tagged(compact(word))]
        return tuple(dict.fromkeys(found))

    def _tagged(self, word: str) -> Iterator[str]:
        """Yield the structure of a label that is written together with its tag, as in ``H2BmCherry``."""
        for cut in range(3, len(word) - 2):
            for label, tag in ((word[:cut], word[cut:]), (word[cut:], word[:cut])):
                if tag in self.fields[FLUOROPHORE] and label in self.fields["specimen"]:
                    yield self.fields["specimen"][label]

    def _by_pattern(self, field: str, text: str) -> Iterator[str]:
        """Yield the terms of words such as ``Nup153``, ``CENP-A`` or ``Conf640``."""
        for word in _PIECE.split(_TRANSGENE.sub(" ", text)):  # a promoter tells no place in the cell
            for one in dict.fromkeys((word, *word.split("-"))):
                for pattern, term in self.patterns.get(field, ()):
                    if pattern.fullmatch(compact(one)):
                        yield term

    def _corrected(self, field: str, text: str) -> str:
        """Return a text in which unknown words stand as the only known one that is a letter away."""
        index = self.spellings.get(field, {})
        words = text.split()
        for position, word in enumerate(words):
            near = nearest(compact(word), index)
            if len({self.words[field][one] for one in near}) == 1:
                words[position] = near[0]
        return " ".join(words)

    def pieces(self, field: str, text: str) -> tuple[str, ...]:
        """Return the distinct terms that pieces of a name mean, each as a whole field (``07_TEM_8000x``)."""
        known = self.fields[field]
        found = [known[one] for one in map(compact, _NAME_PIECE.split(text[:MAX_TEXT])) if one in known]
        return tuple(dict.fromkeys((*found, *self.search_names(field, text))))

    def search_names(self, section: str, text: str) -> tuple[str, ...]:
        """Return the distinct terms of a section that stand in a text with a name that is unmistakable.

        Sections are those of the vocabulary, ``models`` and ``cell_lines``.
        """
        found = find_words(text, self.words[section])
        if section == "microscope" and _PHASE_RING.fullmatch(text.strip()):
            return _PHASE_RINGS["microscope"]
        named = tuple(dict.fromkeys(term for term in found if term not in {"", IGNORED}))
        return named or tuple(
            dict.fromkeys(self._by_pattern(section, text) if section == "microscope" else ())
        )

    def has_fluorophore(self, text: str) -> bool:
        """Whether a text names a dye or a fluorescent protein."""
        if find_words(text, self.words[FLUOROPHORE]):
            return True
        if any(one in self.fields[FLUOROPHORE] for one in segments(text)):
            return True
        parts = split_words(text).parts
        return any(
            "".join(parts[start:position]) in self.fields["families"]
            for position, part in enumerate(parts)
            if _DYE_NUMBER.match(part)
            for start in range(max(0, position - 3), position)
        )

    @staticmethod
    def is_laser_line(text: str) -> bool:
        """Whether a word of a name is the wavelength of a laser that microscopes have (``Conf640``)."""
        return _LASER_LINE.search(text) is not None

    def key_field(self, key: str) -> str | None:
        """Return what a key of an annotation speaks about, or ``None``."""
        field = self.keys.get(compact(key))
        first, _, rest = key.strip().partition(" ")
        if field is not None or compact(first) not in _OF_WHAT or " " not in rest.strip():
            return field
        qualified = self.keys.get(compact(rest))
        return qualified if qualified in {"microscope", "contrast", "organism"} else None

    def is_name(self, field: str, text: str) -> bool:
        """Whether a whole text is an unmistakable name of a term."""
        return bool(self.words[field].get(compact(text), IGNORED).strip(IGNORED))

    def technique(self, name: str) -> str | None:
        """Return the way to use transmitted light that a whole name means (``PH``, ``BF``), or ``None``."""
        term = self.fields["microscope"].get(compact(name))
        is_one = term is not None and self.implied_contrast("microscope", term) == "transmitted"
        return term if is_one else None

    def implied_contrast(self, field: str, term: str) -> str | None:
        """Return the contrast that a term implies, or ``None``."""
        for one in self.terms:
            if one.field == field and one.term == term:
                return one.contrast or None
        return None

    def relations(self) -> Mapping[str, tuple[str, ...]]:
        """Terms that may stand in for a term, nearest first."""
        return {one.term: one.generalises_to for one in self.terms if one.generalises_to}

    def excluded_contrasts(self, term: str) -> tuple[str, ...]:
        """Return the contrasts that a modality cannot have."""
        return next((one.excludes for one in self.terms if one.term == term and one.excludes), ())

    def done_with(self, term: str) -> tuple[str, ...]:
        """Return the instruments that a modality is done with."""
        return next((one.done_with for one in self.terms if one.term == term and one.done_with), ())

    def related(self, one: str, other: str) -> bool:
        """Whether one term is a special form of the other, in either direction."""
        relations = self.relations()
        return other in relations.get(one, ()) or one in relations.get(other, ())

    @staticmethod
    def fbbi(text: str) -> str | None:
        """Return the eight digits of an FBbi id in any of its spellings, or ``None``."""
        match = _FBBI.search(text[:MAX_TEXT].strip())
        return match.group(1).zfill(8) if match else None

    @staticmethod
    def taxon(text: str) -> str | None:
        """Return the number of an NCBI taxon id in any of its spellings, or ``None``."""
        match = _TAXON.search(text[:MAX_TEXT].strip())
        return (match.group(1) or match.group(2)).lstrip("0") if match else None
