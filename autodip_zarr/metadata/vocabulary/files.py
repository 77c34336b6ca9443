"""Vocabulary files: read strictly, merged, indexed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

from autodip_zarr.errors import TableError
from autodip_zarr.metadata.vocabulary.spelling import spellings
from autodip_zarr.metadata.vocabulary.terms import FLUOROPHORE, IGNORE, IGNORED, SECTIONS, Term, Vocabulary
from autodip_zarr.metadata.vocabulary.words import compact
from autodip_zarr.regular_files import read_regular

__all__ = ["load_vocabulary"]

_SHIPPED = Path(__file__).with_name("vocabulary.toml")
_KEY_FIELDS = ("microscope", "model", "contrast", "organism", "cell_line", "channels", "structure", "remark")
_SHORTEST_LINE = 4
"""Shorter names of cell lines (S2, 3T3) are numbers of figures in prose."""

_HOSTS = frozenset(
    {"rabbit", "chicken", "chick", "sheep", "hamster", "horse", "bovine", "cattle", "swine", "porcine"}
    | {"canine", "vervet", "roundworm", "nematode", "tomato", "maize", "tobacco", "danio"}
)
"""Animals that antibodies and sera come from, and words that mean other things in prose (tdTomato)."""

_TEXT_KEYS = ("term", "name", "contrast")
_LIST_KEYS = tuple(one.name for one in fields(Term) if one.name not in {"field", *_TEXT_KEYS})


def load_vocabulary(extra: Path | None = None) -> Vocabulary:
    """Read the shipped vocabulary, and a user's own beside it.

    Parameters
    ----------
    extra : Path, optional
        TOML file of the same form; its entries add to the shipped terms of the same name, or are new terms.
        A word that the shipped vocabulary takes for another term means what this file says.

    Raises
    ------
    TableError
        If a file is not valid, or one spelling would mean two terms of one section.
    """
    if extra is None:
        return _shipped()
    try:
        content = read_regular(extra)
    except OSError as error:
        raise TableError(str(extra), f"cannot be read ({error.strerror})", "a vocabulary in TOML") from error
    own = _read(content, str(extra))
    shipped = _read(_SHIPPED.read_bytes(), str(_SHIPPED))
    return _build((*(_without(entry, own) for entry in shipped), *own))


def _without(entry: _Entry, own: tuple[_Entry, ...]) -> _Entry:
    """Return a shipped entry without the words that entries of the user give to another term."""
    taken = {
        compact(word)
        for one in own
        if one.section == entry.section != "keys" and one.texts["term"] != entry.texts["term"]
        for word in (
            one.texts["term"],
            one.texts.get("name", ""),
            *(w for ws in one.lists.values() for w in ws),
        )
    }
    lists = {
        name: tuple(word for word in words if compact(word) not in taken)
        for name, words in entry.lists.items()
    }
    return replace(entry, lists=lists)


@lru_cache(maxsize=1)
def _shipped() -> Vocabulary:
    return _build(_read(_SHIPPED.read_bytes(), str(_SHIPPED)))


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
    except (ValueError, RecursionError) as error:  # broken TOML, no UTF-8, nesting beyond all bounds
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
    if name not in _KEY_FIELDS:
        raise TableError(where, "an unknown field", f"one of {', '.join(_KEY_FIELDS)}")
    return _Entry(where, "keys", {"term": name}, {"synonyms": _list(where, words)})


def _entry(where: str, section: str, value: object) -> _Entry:
    if not isinstance(value, dict) or not isinstance(value.get("term"), str):
        raise TableError(where, "no 'term'", "a table with the name of the term")
    for key in value:
        if key not in (*_TEXT_KEYS, *_LIST_KEYS):
            raise TableError(
                where, f"an unknown key {key!r}", f"one of {', '.join((*_TEXT_KEYS, *_LIST_KEYS))}"
            )
    for key in _TEXT_KEYS:
        if not isinstance(value.get(key, ""), str):
            raise TableError(f"{where}: {key}", repr(value[key]), "a text")
    texts = {key: value[key] for key in _TEXT_KEYS if key in value}
    return _Entry(
        where, section, texts, {k: _list(f"{where}: {k}", value[k]) for k in _LIST_KEYS if k in value}
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
        words=(words := _word_indices(terms)),
        patterns={section: _patterns(terms, section) for section in SECTIONS},
        spellings={section: spellings(words[section]) for section in ("microscope", "contrast", "specimen")},
        ids={
            "microscope": _distinct((t.term, n) for t in terms if t.field == "microscope" for n in t.fbbi),
            "contrast": _contrast_ids(terms),
            "organism": _distinct((t.term, n) for t in terms if t.field == "organism" for n in t.taxon),
        },
    )


def _patterns(terms: tuple[Term, ...], section: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Compile one expression for each term of a section that has patterns."""
    found = []
    for term in terms:
        if term.field == section and term.patterns:
            spelled = "|".join(map(_expression, term.patterns))
            found.append((re.compile(spelled), term.term))
    return tuple(found)


def _expression(pattern: str) -> str:
    """Return the expression of a pattern: ``#`` is a number, maybe with a letter behind, ``@`` a letter."""
    parts = re.split("([#@])", pattern)
    return "".join({"#": r"\d{1,4}[a-z]?", "@": r"[a-z]\d{0,2}"}.get(one, compact(one)) for one in parts)


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
        IGNORE: spelled[IGNORE],
        "models": _index(terms, "models"),
        "cell_lines": (lines := _index(terms, "cell_lines")),
        "organism_names": {
            **{one: term for one, term in lines.items() if len(one) >= _SHORTEST_LINE},
            **{one: term for one, term in spelled["organism"].items() if one not in _HOSTS and len(one) >= 5},
            **{compact(t.term): t.term for t in terms if t.field == "organism" and " " in t.term},
        },
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
