"""Headers of many writers are understood as a microscopist understands them."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

from autodip_zarr.metadata import load_vocabulary, read_acquisition

from .scoring import (
    CORPUS,
    FIELDS,
    MADE,
    corpus_headers,
    judge_corpus,
    judge_real,
    judge_reference,
    mistakes,
    score,
)
from .values import channel

JUDGED = list(judge_corpus())
PRECISION = {"microscope": 1.0, "contrast": 0.98, "specimen": 0.98, "organism": 1.0}
RECALL = {"microscope": 0.95, "contrast": 0.95, "specimen": 0.95, "organism": 0.95}


def test_the_corpus_is_large_and_its_truth_complete() -> None:
    assert len(corpus_headers()) >= 60
    assert len(JUDGED) >= 150
    assert all(len(one.truth) == 1 + len(FIELDS) for one in JUDGED)
    known = {(term.field, term.term) for term in load_vocabulary().terms}
    for one in JUDGED:
        for field in FIELDS:
            truth, _ = one.pair(field)
            terms = (truth or "").removeprefix("?").split("|")
            listed = truth is None or all((field, term) in known for term in terms)
            assert listed or one.header == "organism_rare", (one.header, truth)


@pytest.mark.parametrize("field", FIELDS)
def test_precision_and_recall(field: str) -> None:
    result = score(JUDGED, field)
    assert result.precision >= PRECISION[field], mistakes(JUDGED, field)
    assert result.recall >= RECALL[field], mistakes(JUDGED, field)
    assert result.right >= 30


def test_channel_names_alone() -> None:
    """Each name is the only thing that is known of its channel."""
    lines = (CORPUS / "names.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert len(rows) >= 90
    wrong = []
    for name, contrast, structure in rows:
        found = channel(f"Name={quoteattr(name)}")
        if (found.contrast or "-", found.specimen or "-") != (contrast, structure):
            wrong.append((name, found.contrast, found.specimen))
    assert wrong == []


def test_names_are_kept() -> None:
    assert [one.found.name for one in JUDGED] == [one.truth[0] for one in JUDGED]


@pytest.mark.shared
def test_reference_headers(shared: Path) -> None:
    judged = list(judge_reference(shared / "data"))
    assert len({one.header for one in judged}) >= 39
    for field in FIELDS:
        assert mistakes(judged, field) == []
    assert [one.found.name for one in judged] == [one.truth[0] for one in judged]


def test_a_broken_document_beside_the_image_is_a_warning() -> None:
    acquisition = read_acquisition(corpus_headers()["crate_broken"], load_vocabulary())
    assert "no readable JSON" in acquisition.warnings[0]


def test_words_that_the_schema_does_not_know_are_a_warning() -> None:
    acquisition = read_acquisition(corpus_headers()["invalid_mode"], load_vocabulary())
    assert any("does not follow the OME schema" in warning for warning in acquisition.warnings)


LEAST = {  # what was reached on headers of people who had not seen the reader, once they were worked through
    "archive": {"microscope": (0.99, 0.99), "contrast": (0.99, 0.99), "specimen": (0.96, 0.94)},
    "archive2": {"microscope": (0.99, 0.99), "contrast": (0.99, 0.99), "specimen": (0.97, 0.94)},
    "mixed": {"microscope": (0.97, 0.91), "contrast": (0.99, 0.97), "specimen": (0.99, 0.81)},
    "vendor": {"microscope": (0.96, 0.95), "contrast": (0.99, 0.99), "specimen": (0.99, 0.96)},
}


@pytest.mark.parametrize("name", LEAST)
def test_headers_that_others_made(name: str) -> None:
    judged = list(judge_real(MADE / name))
    assert len({one.header for one in judged}) >= 40
    for field, (precision, recall) in LEAST[name].items():
        found = score(judged, field)
        assert found.precision >= precision, mistakes(judged, field)
        assert found.recall >= recall, mistakes(judged, field)


@pytest.mark.shared
def test_real_headers(shared: Path) -> None:
    judged = list(judge_real(shared / "data" / "headers"))
    assert len({one.header for one in judged}) >= 80
    for field, least in {"microscope": 0.99, "contrast": 0.98, "specimen": 0.97, "organism": 0.99}.items():
        found = score(judged, field)
        assert found.precision >= least, mistakes(judged, field)
        assert found.recall >= least, mistakes(judged, field)
