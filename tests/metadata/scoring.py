"""How well headers are understood, measured against what a microscopist says about them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autodip_zarr.domain import ChannelMetadata, Header, MetadataText, TextKind
from autodip_zarr.metadata import load_vocabulary, read_acquisition, read_ome_xml
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.inspect import InspectedImage, Inspector

from .values import header

CORPUS = Path(__file__).with_name("corpus")
MADE = CORPUS.with_name("made")
"""Headers of people who had not seen the reader."""
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
    """Name, microscope, contrast, specimen and organism; ``None`` where the header does not tell.

    ``a|b`` is either of two, ``?a`` may be found or not, ``*`` is free.
    """
    found: ChannelMetadata
    """What was understood."""

    def pair(self, field: str) -> tuple[str | None, str | None]:
        """Return the truth and the finding of a field."""
        return self.truth[1 + FIELDS.index(field)], getattr(self.found, field)

    def is_found(self, field: str) -> bool:
        """Whether a term was found that is true."""
        truth, found = self.pair(field)
        return found is not None and truth is not None and found in truth.removeprefix("?").split("|")

    def is_wrong(self, field: str) -> bool:
        """Whether a term was found that is not true."""
        truth, found = self.pair(field)
        return found is not None and truth != "*" and not self.is_found(field)

    def is_told(self, field: str) -> bool:
        """Whether the header tells it without doubt."""
        truth = self.pair(field)[0]
        return truth is not None and truth[:1] not in {"?", "*"}


@dataclass(frozen=True)
class Score:
    """Precision and recall of one field."""

    right: int
    """Channels whose term was found."""
    wrong: int
    """Channels with another term than the true one, or with a term where the header tells none."""
    missed: int
    """Channels whose term the header tells without doubt, and that was not found."""
    told: int
    """Channels whose term the header tells without doubt."""

    @property
    def precision(self) -> float:
        """Right among the found; 1 where nothing was found."""
        found = self.right + self.wrong
        return self.right / found if found else 1.0

    @property
    def recall(self) -> float:
        """Right among those that the headers tell; 1 where they tell none."""
        return (self.told - self.missed) / self.told if self.told else 1.0


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


def judge_real(folder: Path) -> Iterator[Judged]:
    """Inspect the first image of every real header of a folder, and put it beside its ``truth.json``."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    for name, entry in truth.items():
        inspected = next(iter(Inspector([str(folder / name)], Choices())))
        if not isinstance(inspected, InspectedImage):
            raise ValueError(f"{name}: {inspected.reason}")
        found = inspected.acquisition.channels
        yield from _judge(name, [["", *one] for one in entry["channels"]], found)


def score(judged: list[Judged], field: str) -> Score:
    """Count right, wrong and missed terms of a field."""
    told = [one for one in judged if one.is_told(field)]
    return Score(
        right=sum(one.is_found(field) for one in judged),
        wrong=sum(one.is_wrong(field) for one in judged),
        missed=sum(not one.is_found(field) for one in told),
        told=len(told),
    )


def mistakes(judged: list[Judged], field: str) -> list[str]:
    """Return what was found wrong or not found, in words."""
    return [
        f"{one.header}[{one.found.index}] {one.found.name!r} {field}: {found}, not {truth}"
        for one in judged
        for truth, found in [one.pair(field)]
        if one.is_wrong(field) or (one.is_told(field) and not one.is_found(field))
    ]


def _judge(name: str, truth: list[list[str]], channels: tuple[ChannelMetadata, ...]) -> Iterator[Judged]:
    for expected, found in zip(truth, channels, strict=True):
        yield Judged(name, tuple(one or None for one in expected), found)


def _text(path: Path) -> MetadataText:
    kind = KINDS[path.name.split(".", 1)[1]]
    return MetadataText(kind, path.name, path.read_text(encoding="utf-8"))
