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

from autodip_zarr.domain import Header, MetadataText
from autodip_zarr.metadata import load_vocabulary, read_acquisition
from tests.metadata.scoring import FIELDS, Judged, corpus_headers, judge_corpus, judge_reference, score

HEADERS = 10_000
CORES = 2


def print_scores(title: str, judged: list[Judged]) -> None:
    """Print precision and recall of each field, and every mistake."""
    print(f"\n{title}: {len({one.header for one in judged})} headers, {len(judged)} channels")
    print(f"  {'field':<11} {'precision':>9} {'recall':>7} {'right':>6} {'wrong':>6} {'missed':>7}")
    for field in FIELDS:
        counted = score(judged, field)
        rates = f"{counted.precision:>9.3f} {counted.recall:>7.3f}"
        print(f"  {field:<11} {rates} {counted.right:>6} {counted.wrong:>6} {counted.missed:>7}")
    for one in judged:
        for field in FIELDS:
            truth, found = one.pair(field)
            if truth != found:
                print(f"  {one.header}[{one.found.index}] {field}: {found}, not {truth}")


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


def main() -> None:
    """Print coverage and speed."""
    print_scores("corpus", list(judge_corpus()))
    if len(sys.argv) > 1:
        print_scores("reference", list(judge_reference(Path(sys.argv[1]))))
    started = time.perf_counter()
    shares = [range(start, HEADERS, CORES) for start in range(CORES)]
    with ProcessPoolExecutor(CORES) as pool:
        channels = sum(pool.map(inspect_many, shares))
    seconds = time.perf_counter() - started
    print(f"\nspeed: {HEADERS} headers, {channels} channels, {CORES} processes: {seconds:.1f} s (goal: 60)")


if __name__ == "__main__":
    main()
