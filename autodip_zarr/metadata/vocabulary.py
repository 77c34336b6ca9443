"""The vocabulary: what the words of headers mean, as data."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from autodip_zarr.errors import TableError

from .words import compact, find_words, segments, split_words

__all__ = ["Term", "Vocabulary", "load_vocabulary"]

SHIPPED = Path(__file__).with_name("vocabulary.toml")
SECTIONS = ("microscope", "contrast", "specimen", "fluorophore", "organism", "ignore")
KEY_FIELDS = ("microscope", "model", "contrast", "organism", "cell_line", "channels", "structure")
FLUOROPHORE = "fluorophore"
IGNORE = "ignore"
IGNORED = "-"  # where a phrase is passed over, the abbreviations around it are not trusted either

FBBI = re.compile(r"(?:fbbi(?:[\s_:-]|%3a)*0*|^0*)(\d{1,8})(?!\d)", re.IGNORECASE)
TAXON = re.compile(
    r"(?:tax(?:on(?:omy)?)?(?:id)?|txid|ncbi)[\s_:=]*(?:txid)?[\s_:=]*(\d+)|^\s*(\d+)\s*$", re.IGNORECASE
)
NEUTRAL = re.compile(r"^(?:ch|c|cam|camera|channel|track|t|z|w|series|image)?\d*[xn]?$")
BINOMIAL = re.compile(r"^[A-Z][a-z]{2,} [a-z]{3,}( [a-z]{3,})?$")
DYE_NUMBER = re.compile(r"^(3[3-9]\d|[4-7]\d\d|8[0-2]\d)$")


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

    def spellings(self) -> tuple[str, ...]:
        """All texts that are recognised as a whole field, beside ids."""
        return (self.term, *((self.name,) if self.name else ()), *self.synonyms, *self.exact)


TEXT_KEYS = ("term", "name", "contrast")
LIST_KEYS = tuple(one.name for one in fields(Term) if one.name not in {"field", *TEXT_KEYS})


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
    ids: Mapping[str, Mapping[str, str]]
    """Term by FBbi id (``microscope``, ``contrast``) or taxon id (``organism``)."""

    def lookup(self, field: str, text: str) -> str | None:
        """Return the term that a whole field means, or ``None``.

        Ids in any of their spellings are understood, for organisms also a binomial that is not listed.
        """
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
        return text.strip() if BINOMIAL.match(text.strip()) else None

    def search(self, field: str, text: str) -> tuple[str, ...]:
        """Return the distinct terms of one section that a free text names, in order of appearance."""
        known = self.fields[field]
        if compact(text) in known:
            return (known[compact(text)],)
        inside = find_words(text, self.words[field])
        if IGNORED in inside:
            return tuple(dict.fromkeys(term for term in inside if term not in {"", IGNORED}))
        found = [known[one] for one in segments(text) if one in known]
        words = [one for one in map(compact, text.split()) if not NEUTRAL.match(one)]
        if not found and words and all(one in known for one in words):
            found = [known[one] for one in words]
        if not found:
            found = [term for term in inside if term]
        if not found and field == "specimen":
            found = [term for word in text.split() for term in self._tagged(compact(word))]
        return tuple(dict.fromkeys(found))

    def _tagged(self, word: str) -> Iterator[str]:
        """Yield the structure of a label that is written together with its tag, as in ``H2BmCherry``."""
        for cut in range(3, len(word) - 2):
            for label, tag in ((word[:cut], word[cut:]), (word[cut:], word[:cut])):
                if tag in self.fields[FLUOROPHORE] and label in self.fields["specimen"]:
                    yield self.fields["specimen"][label]

    def search_names(self, section: str, text: str) -> tuple[str, ...]:
        """Return the distinct terms of a section that stand in a text with a name that is unmistakable.

        Sections are those of the vocabulary, ``models`` and ``cell_lines``.
        """
        found = find_words(text, self.words[section])
        return tuple(dict.fromkeys(term for term in found if term not in {"", IGNORED}))

    def has_fluorophore(self, text: str) -> bool:
        """Whether a text names a dye or a fluorescent protein."""
        if find_words(text, self.words[FLUOROPHORE]):
            return True
        parts = split_words(text).parts
        return any(
            "".join(parts[start:position]) in self.fields["families"]
            for position, part in enumerate(parts)
            if DYE_NUMBER.match(part)
            for start in range(max(0, position - 3), position)
        )

    def key_field(self, key: str) -> str | None:
        """Return what a key of an annotation speaks about, or ``None``."""
        return self.keys.get(compact(key))

    def implied_contrast(self, field: str, term: str) -> str | None:
        """Return the contrast that a term implies, or ``None``."""
        for one in self.terms:
            if one.field == field and one.term == term:
                return one.contrast or None
        return None

    def relations(self) -> Mapping[str, tuple[str, ...]]:
        """Terms that may stand in for a term, nearest first."""
        return {one.term: one.generalises_to for one in self.terms if one.generalises_to}

    def related(self, one: str, other: str) -> bool:
        """Whether one term is a special form of the other, in either direction."""
        relations = self.relations()
        return other in relations.get(one, ()) or one in relations.get(other, ())

    @staticmethod
    def fbbi(text: str) -> str | None:
        """Return the eight digits of an FBbi id in any of its spellings, or ``None``."""
        match = FBBI.search(text.strip())
        return match.group(1).zfill(8) if match else None

    @staticmethod
    def taxon(text: str) -> str | None:
        """Return the number of an NCBI taxon id in any of its spellings, or ``None``."""
        match = TAXON.search(text.strip())
        return (match.group(1) or match.group(2)).lstrip("0") if match else None


def load_vocabulary(extra: Path | None = None) -> Vocabulary:
    """Read the shipped vocabulary, and a user's own beside it.

    Parameters
    ----------
    extra : Path, optional
        TOML file of the same form; its entries add to the shipped terms of the same name, or are new terms.

    Raises
    ------
    TableError
        If a file is not valid, or one spelling would mean two terms of one section.
    """
    if extra is None:
        return _shipped()
    try:
        content = extra.read_bytes()
    except OSError as error:
        raise TableError(str(extra), f"cannot be read ({error.strerror})", "a vocabulary in TOML") from error
    return _build((*_read(SHIPPED.read_bytes(), str(SHIPPED)), *_read(content, str(extra))))


@lru_cache(maxsize=1)
def _shipped() -> Vocabulary:
    return _build(_read(SHIPPED.read_bytes(), str(SHIPPED)))


@dataclass(frozen=True)
class _Entry:
    """One entry of a file, with its place for messages."""

    where: str
    """File, section and position."""
    section: str
    """Section."""
    texts: Mapping[str, str]
    """Single values."""
    lists: Mapping[str, tuple[str, ...]]
    """Lists."""


def _read(content: bytes, where: str) -> tuple[_Entry, ...]:
    """Check one file and return its entries; keys of annotations come as entries of the section ``keys``."""
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(where, f"no TOML ({error})", "a vocabulary in TOML") from error
    entries: list[_Entry] = []
    for section, value in document.items():
        if section == "keys" and isinstance(value, dict):
            entries += [_key_entry(f"{where}: keys.{name}", name, words) for name, words in value.items()]
        elif section in SECTIONS and isinstance(value, list):
            entries += [_entry(f"{where}: {section}[{i}]", section, one) for i, one in enumerate(value)]
        else:
            raise TableError(
                f"{where}: {section}", type(value).__name__, f"[[{'|'.join(SECTIONS)}]] or [keys]"
            )
    return tuple(entries)


def _key_entry(where: str, name: str, words: object) -> _Entry:
    if name not in KEY_FIELDS:
        raise TableError(where, "an unknown field", f"one of {', '.join(KEY_FIELDS)}")
    return _Entry(where, "keys", {"term": name}, {"synonyms": _list(where, words)})


def _entry(where: str, section: str, value: object) -> _Entry:
    if not isinstance(value, dict) or not isinstance(value.get("term"), str):
        raise TableError(where, "no 'term'", "a table with the name of the term")
    for key in value:
        if key not in (*TEXT_KEYS, *LIST_KEYS):
            raise TableError(
                where, f"an unknown key {key!r}", f"one of {', '.join((*TEXT_KEYS, *LIST_KEYS))}"
            )
    for key in TEXT_KEYS:
        if not isinstance(value.get(key, ""), str):
            raise TableError(f"{where}: {key}", repr(value[key]), "a text")
    texts = {key: value[key] for key in TEXT_KEYS if key in value}
    return _Entry(
        where, section, texts, {k: _list(f"{where}: {k}", value[k]) for k in LIST_KEYS if k in value}
    )


def _list(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and compact(one) for one in value):
        raise TableError(where, repr(value)[:80], "a list of texts")
    return tuple(value)


def _build(entries: tuple[_Entry, ...]) -> Vocabulary:
    """Merge entries of the same term and index them."""
    merged: dict[tuple[str, str], dict[str, str | tuple[str, ...]]] = {}
    keys: dict[str, str] = {}
    for entry in entries:
        if entry.section == "keys":
            keys.update({compact(one): entry.texts["term"] for one in entry.lists["synonyms"]})
            continue
        term = merged.setdefault((entry.section, entry.texts["term"]), {})
        term.update(entry.texts)
        for name, values in entry.lists.items():
            term[name] = (*term.get(name, ()), *values)
    terms = tuple(Term(field=section, **values) for (section, _), values in merged.items())  # type: ignore[arg-type]
    return Vocabulary(
        terms=terms,
        keys=keys,
        fields={
            section: _index(terms, section) for section in (*SECTIONS, "families", "models", "cell_lines")
        },
        words=_word_indices(terms),
        ids={
            "microscope": _distinct((t.term, n) for t in terms if t.field == "microscope" for n in t.fbbi),
            "contrast": _contrast_ids(terms),
            "organism": _distinct((t.term, n) for t in terms if t.field == "organism" for n in t.taxon),
        },
    )


def _index(terms: tuple[Term, ...], section: str) -> dict[str, str]:
    if section in SECTIONS:
        return _distinct((t.term, compact(one)) for t in terms if t.field == section for one in t.spellings())
    return _distinct((t.term, compact(one)) for t in terms for one in getattr(t, section))


def _word_indices(terms: tuple[Term, ...]) -> dict[str, dict[str, str]]:
    """Index what is found inside of texts; dyes, which label nothing by themselves, map to an empty term."""
    spelled = {
        section: _distinct(
            (t.term, compact(one))
            for t in terms
            if t.field == section
            for one in ((t.term, *t.synonyms) if len(t.term) > 2 else t.synonyms)
        )
        for section in SECTIONS
    }
    dyes = dict.fromkeys(spelled[FLUOROPHORE], "")
    ignored = dict.fromkeys(spelled[IGNORE], IGNORED)
    labels = spelled["specimen"]
    return {
        **spelled,
        "specimen": {**dyes, **ignored, **labels},
        "models": _index(terms, "models"),
        "cell_lines": _index(terms, "cell_lines"),
    }


def _contrast_ids(terms: tuple[Term, ...]) -> dict[str, str]:
    """Contrast by FBbi id: stated, or implied by the microscope."""
    implied = {n: t.contrast for t in terms if t.field == "microscope" and t.contrast for n in t.fbbi}
    return {**implied, **_distinct((t.term, n) for t in terms if t.field == "contrast" for n in t.fbbi)}


def _distinct(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    """Build an index; one spelling for two terms is an error, because one of them would be lost."""
    index: dict[str, str] = {}
    for term, spelling in pairs:
        if index.setdefault(spelling, term) != term:
            raise TableError(
                "vocabulary",
                f"{spelling!r} means both {index[spelling]!r} and {term!r}",
                "one term for a spelling",
            )
    return index
