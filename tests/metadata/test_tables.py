"""The page of the vocabulary is current."""

from __future__ import annotations

from pathlib import Path

from autodip_zarr.metadata import load_vocabulary, vocabulary_tables

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "vocabulary.md"


def test_the_page_follows_from_the_data() -> None:
    assert PAGE.read_text(encoding="utf-8") == vocabulary_tables(load_vocabulary())


def test_every_term_and_word_is_on_the_page() -> None:
    page = vocabulary_tables(load_vocabulary())
    for term in load_vocabulary().terms:
        assert f"| `{term.term}` |" in page
        assert all(word in page for word in (*term.synonyms, *term.exact, *term.models))
