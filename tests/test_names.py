"""Names are imported by one rule, and only those that other modules use are public."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("autodip_zarr", "benchmarks", "calibration", "docs", "examples", "tests")


def dotted(path: Path) -> str:
    """Return the name by which a module is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {
    dotted(path): ast.parse(path.read_text(encoding="utf-8"))
    for place in PLACES
    for path in sorted((ROOT / place).rglob("*.py"))
}


def imports(module: str) -> Iterator[tuple[str, str, str]]:
    """Yield module, name and name here of what a module imports from the package by name."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "autodip_zarr":
            yield from ((str(node.module), one.name, one.asname or one.name) for one in node.names)


def names_used(module: str) -> Iterator[tuple[str, str]]:
    """Yield module and name of what a module uses of others: imported by name, or of an imported module."""
    modules = {here: f"{home}.{name}" for home, name, here in imports(module) if f"{home}.{name}" in TREES}
    yield from ((home, name) for home, name, _ in imports(module))
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".setattr"):
            place, name = node.args[:2]
            if isinstance(place, ast.Name) and place.id in modules and isinstance(name, ast.Constant):
                yield modules[place.id], str(name.value)


def defined(module: str) -> Iterator[str]:
    """Yield the functions and constants at the top of a module; types are public by what they are seen in."""
    for node in TREES[module].body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [one.id for one in targets if isinstance(one, ast.Name)]
            yield from (name for name in names if name.isupper() or name.islower())


def is_package(module: str) -> bool:
    return (ROOT.joinpath(*module.split(".")) / "__init__.py").exists()


def test_no_module_imports_a_private_name_of_another() -> None:
    found = [(module, name) for module in TREES for _, name, _ in imports(module) if name.startswith("_")]
    assert [one for one in found if not one[1].startswith("__")] == []


def test_what_only_its_own_module_uses_is_private() -> None:
    used = {one for module in TREES for one in names_used(module)}
    ours = [one for one in TREES if one.startswith("autodip_zarr") and not is_package(one)]
    public = [(module, name) for module in ours for name in defined(module) if not name.startswith("_")]
    assert [one for one in public if one not in used] == []


def test_modules_are_imported_as_modules_only_where_a_test_replaces_something_in_them() -> None:
    for module, tree in TREES.items():
        whole = {
            here
            for home, name, here in imports(module)
            if f"{home}.{name}" in TREES and name not in {one for _, one in exported(home)}
        }
        text = ast.unparse(tree)
        if module.startswith("tests."):
            whole = {here for here in whole if not is_replaced_in(here, text)}
        assert whole == set(), f"{module} imports these as modules"


def exported(package: str) -> Iterator[tuple[str, str]]:
    """Yield what a package imports into itself, by which a function may hide the module of its name."""
    yield from ((home, name) for home, name, _ in imports(package))


def is_replaced_in(module: str, text: str) -> bool:
    """Whether a test hands the module to ``setattr``, by itself or in a loop over several."""
    loops = [line for line in text.splitlines() if line.lstrip().startswith("for module in (")]
    return f"setattr({module}, " in text or any(module in line for line in loops)
