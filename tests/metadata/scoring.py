"""How well headers are understood, measured against what a microscopist says about them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autodip_zarr.domain import ChannelMetadata, Header, MetadataText, TextKind
from autodip_zarr.metadata import load_vocabulary, read_acquisition, read_ome_xml

from .values import header

CORPUS = Path(__file__).with_name("corpus")
TRUTH = CORPUS / "truth.toml"
REFERENCE = CORPUS / "reference.toml"
FIELDS = ("microscope", "contrast", "specimen", "organism")
KINDS: dict[str, TextKind] = {
    "ome.xml": "ome-xml",
    "ro-crate.json": "ro-crate-json",
    "zattrs.json": "zarr-attributes-json",
}


@dataclass(frozen=True)
class Judged:
    """One channel, as it was understood and as it is."""

    header: str
    """Name of the header."""
    truth: tuple[str | None, ...]
    """Name, microscope, contrast, specimen and organism; ``None`` where the header does not tell."""
    found: ChannelMetadata
    """What was understood."""

    def pair(self, field: str) -> tuple[str | None, str | None]:
        """Return the truth and the finding of a field."""
        return self.truth[1 + FIELDS.index(field)], getattr(self.found, field)


@dataclass(frozen=True)
class Score:
    """Precision and recall of one field."""

    right: int
    """Channels whose term was found."""
    wrong: int
    """Channels with another term than the true one, or with a term where the header tells none."""
    missed: int
    """Channels whose term was not found."""

    @property
    def precision(self) -> float:
        """Right among the found; 1 where nothing was found."""
        found = self.right + self.wrong
        return self.right / found if found else 1.0

    @property
    def recall(self) -> float:
        """Right among those that the headers tell; 1 where they tell none."""
        told = self.right + self.missed
        return self.right / told if told else 1.0


def corpus_headers() -> dict[str, Header]:
    """Return the headers of the corpus as a store would give them."""
    found = {}
    for name, entry in tomllib.loads(TRUTH.read_text(encoding="utf-8")).items():
        texts = tuple(_text(CORPUS / file) for file in entry["texts"])
        labels = tuple(label or None for label in entry.get("labels", [""] * len(entry["channels"])))
        found[name] = header(texts, labels)
    return found


def judge_corpus() -> Iterator[Judged]:
    """Understand every header of the corpus and put it beside the truth."""
    truth = tomllib.loads(TRUTH.read_text(encoding="utf-8"))
    for name, one in corpus_headers().items():
        channels = read_acquisition(one, load_vocabulary()).channels
        yield from _judge(name, truth[name]["channels"], channels)


def judge_reference(data: Path) -> Iterator[Judged]:
    """Understand the first image of every reference header below a folder and put it beside the truth."""
    for name, entry in tomllib.loads(REFERENCE.read_text(encoding="utf-8")).items():
        channels = read_ome_xml(_text(data / name), load_vocabulary())[0].channels
        yield from _judge(name, entry["channels"], channels)


def score(judged: list[Judged], field: str) -> Score:
    """Count right, wrong and missed terms of a field."""
    pairs = [one.pair(field) for one in judged]
    return Score(
        right=sum(truth is not None and truth == found for truth, found in pairs),
        wrong=sum(found is not None and truth != found for truth, found in pairs),
        missed=sum(truth is not None and truth != found for truth, found in pairs),
    )


def _judge(name: str, truth: list[list[str]], channels: tuple[ChannelMetadata, ...]) -> Iterator[Judged]:
    for expected, found in zip(truth, channels, strict=True):
        yield Judged(name, tuple(one or None for one in expected), found)


def _text(path: Path) -> MetadataText:
    kind = KINDS[path.name.split(".", 1)[1]]
    return MetadataText(kind, path.name, path.read_text(encoding="utf-8"))
