"""Whatever a parser is given, nothing but its documented errors come out, and that in finite time.

Inputs that once did worse lie in ``corpus/<parser>/`` and are read again by every run of the tests. An input
that does worse now is named by the failing test, with the file to add there.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from .parsers import PARSERS, Parser

CORPUS = Path(__file__).with_name("corpus")
CASES = [(parser, path) for parser in PARSERS for path in sorted((CORPUS / parser.name).glob("*"))]
CPU_SECONDS = 20.0
"""Far above what any input of this size takes, even on a busy machine; a parser that needs more is stuck."""
QUICK = 28
"""Inputs of each parser in every run of the tests: some 500 in all."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Let tifffile not log what it meets."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    yield
    logging.getLogger("tifffile").setLevel(logging.NOTSET)


def fault_of(parser: Parser, content: Any) -> str | None:
    """Return what a parser did wrong with an input, in one line that is the same for the same fault."""
    started = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser.read(content)
    except parser.errors:
        pass
    except Exception as error:  # noqa: BLE001 - any other error is the fault that is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        own = [
            frame for frame in traceback.extract_tb(error.__traceback__) if "autodip_zarr/" in frame.filename
        ]
        at = own[-1] if own else last
        return f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
    return "takes too long" if time.process_time() - started > CPU_SECONDS else None


def stored(content: Any) -> tuple[bytes, str]:
    """Return an input as it lies in the corpus, and the ending of its name."""
    if isinstance(content, bytes):
        return content, ".bin"
    if isinstance(content, str):
        return content.encode("utf-8", "surrogatepass"), ".txt"
    return json.dumps(content).encode(), ".json"


def restored(path: Path) -> Any:
    """Return an input of the corpus as its parser takes it."""
    content = path.read_bytes()
    if path.suffix == ".bin":
        return content
    return json.loads(content) if path.suffix == ".json" else content.decode("utf-8", "surrogatepass")


def attack(parser: Parser, inputs: int, kept: Path) -> None:
    """Give a parser so many inputs, and fail with the smallest input of each fault."""
    found: dict[str, tuple[bytes, str]] = {}
    count = 0

    @settings(
        max_examples=inputs,
        database=None,
        derandomize=inputs <= QUICK,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(parser.inputs())
    def run(content: Any) -> None:
        nonlocal count
        count += 1
        fault = fault_of(parser, content)
        if fault is not None:
            size = stored(content)
            if fault not in found or len(size[0]) < len(found[fault][0]):
                found[fault] = size

    run()
    faults = []
    for number, (fault, (content, ending)) in enumerate(found.items()):
        path = kept / f"{parser.name}-{number}{ending}"
        path.write_bytes(content)
        faults.append(f"{fault}: {path}")
    print(f"{parser.name}: {count} inputs, {len(faults)} faults")  # noqa: T201 - shown by -rP
    assert not faults, "\n".join([f"{parser.name}: {count} inputs", *faults])


@pytest.mark.parametrize(
    ("parser", "path"), CASES, ids=[f"{parser.name}-{path.name}" for parser, path in CASES]
)
def test_what_once_did_harm_does_none(parser: Parser, path: Path) -> None:
    assert fault_of(parser, restored(path)) is None


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_some_inputs(parser: Parser, tmp_path: Path) -> None:
    attack(parser, QUICK, tmp_path)


def test_the_soak_has_a_hundred_thousand_inputs() -> None:
    assert sum(parser.share for parser in PARSERS) >= 100_000


@pytest.mark.soak
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_many_inputs(parser: Parser, tmp_path: Path) -> None:
    attack(parser, parser.share, tmp_path)
