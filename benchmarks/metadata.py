"""How well and how fast headers are understood: precision and recall over the corpus, headers per minute.

Run from the top of the checkout: ``python -m benchmarks.metadata [FOLDER]``, where FOLDER holds the reference
headers (``ome-xml``, ``ome-zarr``), if they are at hand.
"""

from __future__ import annotations

import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from autodip_zarr.domain import Header, MetadataText
from autodip_zarr.metadata import load_vocabulary, read_acquisition
from autodip_zarr.report.inspection import InspectionTable
from autodip_zarr.run.choices import Choices
from autodip_zarr.run.planning.inspect import InspectedImage, Inspector
from tests.metadata.scoring import (
    FIELDS,
    MADE,
    Judged,
    corpus_headers,
    judge_corpus,
    judge_real,
    judge_reference,
    mistakes,
    score,
)

HEADERS = 10_000
FILES = 1_000
CORES = 2


def print_scores(title: str, judged: list[Judged]) -> None:
    """Print precision and recall of each field, and every mistake."""
    print(f"\n{title}: {len({one.header for one in judged})} headers, {len(judged)} channels")
    print(f"  {'field':<11} {'precision':>9} {'recall':>7} {'right':>6} {'wrong':>6} {'missed':>7}")
    for field in FIELDS:
        counted = score(judged, field)
        rates = f"{counted.precision:>9.3f} {counted.recall:>7.3f}"
        print(f"  {field:<11} {rates} {counted.right:>6} {counted.wrong:>6} {counted.missed:>7}")
    for field in FIELDS:
        for mistake in mistakes(judged, field):
            print(f"  {mistake}")


def inspect_many(numbers: range) -> int:
    """Understand as many headers of the corpus, each with a size of its own, so that no cache can help."""
    vocabulary = load_vocabulary()
    headers = list(corpus_headers().values())
    channels = 0
    for number in numbers:
        header = _distinct(headers[number % len(headers)], number)
        channels += len(read_acquisition(header, vocabulary).channels)
    return channels


def _distinct(header: Header, number: int) -> Header:
    def changed(text: MetadataText) -> MetadataText:
        size = re.sub(r'SizeX="\d+"', f'SizeX="{number + 1}"', text.content)
        return replace(text, source=f"{number}/{text.source}", content=size)

    return replace(header, texts=tuple(changed(text) for text in header.texts))


def write_headers(folder: Path) -> list[str]:
    """Write headers of the corpus as files, each with a size of its own."""
    texts = [text for header in corpus_headers().values() for text in header.texts if text.kind == "ome-xml"]
    paths: list[str] = []
    for number in range(FILES):
        header = re.sub(r'SizeX="\d+"', f'SizeX="{number + 1}"', texts[number % len(texts)].content)
        path = folder / f"{number}.ome.xml"
        path.write_text(header, encoding="utf-8")
        paths.append(str(path))
    return paths


def write_table(paths: list[str], choices: Choices) -> tuple[str, int, float]:
    """Inspect files in one process; return the table, the number of its images, and the seconds."""
    started = time.perf_counter()
    table = InspectionTable()
    for item in Inspector(paths, choices):
        if isinstance(item, InspectedImage):
            table.add(item)
    text = table.text()
    return text, table.images, time.perf_counter() - started


def print_tables() -> None:
    """Print how long ``inspect --table`` takes for files, and with the table given back as a mapping."""
    with TemporaryDirectory() as name:
        paths = write_headers(Path(name))
        text, images, seconds = write_table(paths, Choices())
        print(f"inspect --table: {FILES} files, {images} images, 1 process: {seconds:.1f} s")
        mapping = Path(name) / "table.csv"
        mapping.write_text(text, encoding="utf-8", newline="")
        _, _, seconds = write_table(paths, Choices(mapping=str(mapping)))
        print(f"the same with --mapping of {text.count(chr(10)) - 1} rows: {seconds:.1f} s")


def main() -> None:
    """Print coverage and speed."""
    print_scores("corpus", list(judge_corpus()))
    for folder in sorted(MADE.iterdir()):
        print_scores(f"made by others: {folder.name}", list(judge_real(folder)))
    if len(sys.argv) > 1:
        print_scores("reference", list(judge_reference(Path(sys.argv[1]))))
        print_scores("real headers", list(judge_real(Path(sys.argv[1]) / "headers")))
    started = time.perf_counter()
    shares = [range(start, HEADERS, CORES) for start in range(CORES)]
    with ProcessPoolExecutor(CORES) as pool:
        channels = sum(pool.map(inspect_many, shares))
    seconds = time.perf_counter() - started
    print(f"\nspeed: {HEADERS} headers, {channels} channels, {CORES} processes: {seconds:.1f} s (goal: 60)")
    print_tables()


if __name__ == "__main__":
    main()
