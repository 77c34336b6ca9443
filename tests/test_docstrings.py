"""What the examples in docstrings show is what comes out."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import autodip_zarr


def test_examples_in_docstrings_are_true() -> None:
    names = [found.name for found in pkgutil.walk_packages(autodip_zarr.__path__, "autodip_zarr.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    ran = {module.__name__: doctest.testmod(module) for module in modules}
    assert [name for name, result in ran.items() if result.failed] == []
    assert sum(result.attempted for result in ran.values()) > 10
