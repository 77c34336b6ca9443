"""Run the tests that call a changed function, in a copy of the working tree and a process of their own."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import pytest
from hypothesis import Phase, settings

from benchmarks.mutations import ROOT, Mutant

_IMPORTS: Final = "while tests are imported"
_CACHED: Final = type(functools.cache(len))
_SLACK_S: Final = 20.0
_SLOWER: Final = 4.0
"""Tests that take so many times as long as without a mutant, and the slack, are stopped: it is killed."""


@dataclass(frozen=True)
class Part:
    """Modules that are changed together, and the tests that are to notice."""

    sources: tuple[str, ...]
    """Patterns of files below ``autodip_zarr``."""
    tests: str
    """Files below ``tests`` without ``test_`` and ``.py``, or folders."""
    without: str = ""
    """Tests that take too long for this, in the words of ``pytest -k``."""


class _Pytest:
    """Takes the same examples in every process, makes no failing one smaller, and picks the chosen tests."""

    def __init__(self, chosen: dict[str, float] | None) -> None:
        self.chosen = chosen

    def pytest_sessionstart(self) -> None:
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", deadline=None, derandomize=True, database=None, phases=phases)
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.chosen is not None:
            seconds = self.chosen
            items[:] = sorted(
                (one for one in items if one.nodeid in seconds), key=lambda one: seconds[one.nodeid]
            )


class _Watch:
    """Notes of each test how long it takes, and which functions of the program it calls."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.program = str(tree / "autodip_zarr")
        self.called: set[tuple[str, int]] = set()
        self.found: dict[str, tuple[float, list[tuple[str, int]]]] = {}

    @contextmanager
    def watching(self, name: str) -> Iterator[None]:
        """Note what is called within under a name."""
        self.called = set()
        start = time.monotonic()
        for switch in (sys.setprofile, threading.setprofile):
            switch(self._note)
        try:
            yield
        finally:
            for switch in (sys.setprofile, threading.setprofile):
                switch(None)
            self.found[name] = (time.monotonic() - start, sorted(self.called))

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(self.program):
            self.called.add(
                (os.path.relpath(frame.f_code.co_filename, self.tree), frame.f_code.co_firstlineno)
            )

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        with self.watching(_IMPORTS):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        for module in [one for name, one in sys.modules.items() if name.startswith("autodip_zarr")]:
            for kept in vars(module).values():
                if isinstance(kept, _CACHED):
                    kept.cache_clear()  # else only the first test would be seen to call it
        with self.watching(item.nodeid):
            return (yield)

    def pytest_sessionfinish(self) -> None:
        (self.tree / "calls.json").write_text(json.dumps(self.found))


class Copy:
    """A copy of the working tree in which the tests of a part run."""

    def __init__(self, folder: Path, part: Part) -> None:
        self.tree = folder / "tree"
        self.part = part
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
        for one in listed.split("\0"):
            if (ROOT / one).is_file():
                (self.tree / one).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / one, self.tree / one)
        (folder / "shared").symlink_to(ROOT.parent / "shared")
        files = [self.tree / "tests" / name for name in part.tests.split()]
        found = [str(one if one.is_dir() else one.with_name(f"test_{one.name}.py")) for one in files]
        if self._outcome(3600, found, _Pytest(None), _Watch(self.tree)) != "passed":
            msg = f"the tests fail without any mutant:\n{(self.tree / 'output.txt').read_text()}"
            raise SystemExit(msg)
        self.calls = json.loads((self.tree / "calls.json").read_text())
        self.imports = self.calls.pop(_IMPORTS)[1]
        sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"  # files change in a moment

    def outcome(self, mutant: Mutant) -> str:
        """Return what the tests that call the changed function come to, in one or two words."""
        place = [mutant.path, mutant.function]
        tests = {
            name: seconds
            for name, (seconds, called) in self.calls.items()
            if mutant.function is None or place in called or place in self.imports
        }
        if not tests:
            return "not called"
        target = self.tree / mutant.path
        for stale in (target.parent / "__pycache__").glob(f"{target.stem}.*"):
            stale.unlink()
        target.write_bytes(mutant.source())
        try:
            files = dict.fromkeys(name.partition("::")[0] for name in tests)
            return self._outcome(_SLACK_S + _SLOWER * sum(tests.values()), [*files], _Pytest(tests))
        finally:
            shutil.copy2(ROOT / mutant.path, target)

    def _outcome(self, limit_s: float, files: Sequence[str], *plugins: object) -> str:
        child = os.fork()
        if child == 0:
            self._run_tests(files, plugins)
        end = time.monotonic() + limit_s
        while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
            time.sleep(0.02)
        if ended[0]:
            return "passed" if ended[1] == 0 else "failed"
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "stopped"

    def _run_tests(self, files: Sequence[str], plugins: Sequence[object]) -> None:
        """Run the tests in this process, and end it."""
        code = 1
        try:
            os.setpgid(0, 0)
            os.chdir(self.tree)
            os.environ["PYTHONPATH"] = sys.path[0] = str(self.tree)
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # their modules are loaded already
            for output in (1, 2):
                os.dup2(os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), output)
            chosen = ["-k", f"not ({self.part.without})"] if self.part.without else []
            options = ["-q", "-x", "-p", "no:cacheprovider", "-m", "not soak", *chosen]
            code = int(pytest.main([*options, *files], plugins=plugins))
        finally:
            sys.stdout.flush()
            os._exit(code)
