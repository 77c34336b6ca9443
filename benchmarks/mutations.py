"""Small changes of a module, one at a time: of comparisons, conditions, operators, numbers and statements."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    path: str
    """The module, from the root of the repository."""
    line: int
    """Where, counted from 1."""
    span: tuple[int, int]
    """First byte that is replaced, and the first after them."""
    text: str
    """What comes in their place."""
    function: int | None
    """First line of the function around it, decorators included; ``None`` where there is none."""

    def source(self) -> bytes:
        """Return the changed module."""
        plain = (ROOT / self.path).read_bytes()
        return plain[: self.span[0]] + self.text.encode() + plain[self.span[1] :]

    def __str__(self) -> str:
        before = (ROOT / self.path).read_bytes()[slice(*self.span)].decode()
        return f"{self.path}:{self.line}: {' '.join(before.split())}  ->  {self.text}"


_OPERATORS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or,
    ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip
_OF_BRANCHES: Final = (ast.Assign, ast.AugAssign, ast.Return, ast.Raise)


def mutants(path: str) -> list[Mutant]:
    """Return every mutant of a module, from top to bottom."""
    source = (ROOT / path).read_bytes()
    tree = ast.parse(source)
    functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node, text in _changes(tree, in_branch=False):
        span = (
            starts[node.lineno - 1] + node.col_offset,
            starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0),
        )
        around = [one for one in functions if one.body[0].lineno <= node.lineno <= (one.end_lineno or 0)]
        first = min(
            (min([one.lineno, *(d.lineno for d in one.decorator_list)]) for one in around), default=None
        )
        found.append(Mutant(path, node.lineno, span, text, first))
    return sorted(found, key=lambda one: (one.span, one.text))


def _changes(node: ast.AST, *, in_branch: bool) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Yield what can be replaced below a node, and by what; types, decorators and messages are left alone."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.expr):
        yield from ((node, text) for text in _expressions(node))
    if isinstance(node, (ast.Expr, *_OF_BRANCHES) if in_branch else ast.Expr):
        yield node, "pass"
    if isinstance(node, ast.If | ast.IfExp | ast.While | ast.comprehension):
        tests = node.ifs if isinstance(node, ast.comprehension) else [node.test]
        yield from ((test, f"(not ({ast.unparse(test)}))") for test in tests)
    branch = isinstance(node, ast.If | ast.For | ast.While | ast.ExceptHandler)
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        for child in () if name in {"annotation", "returns", "decorator_list"} else children:
            left_alone = isinstance(child, ast.JoinedStr) or getattr(child, "arg", None) == "strict"
            if isinstance(child, ast.AST) and not left_alone:
                yield from _changes(child, in_branch=branch)


def _expressions(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=bool(value)):
            yield str(not value)
        case ast.Constant(value=int(value)):
            yield from (f"({value + 1})", f"({value - 1})")
        case ast.Constant(value=float(value)):
            yield from (f"({value * 2})", f"({value / 2})") if value else ("1.0",)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.BoolOp() | ast.BinOp() if type(node.op) in _OPERATORS:
            changed = copy.deepcopy(node)
            changed.op = _OPERATORS[type(node.op)]()  # type: ignore[assignment]
            yield f"({ast.unparse(changed)})"
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                compared = copy.deepcopy(node)
                compared.ops[index] = _OPERATORS[type(operator)]()  # type: ignore[call-overload]
                yield f"({ast.unparse(compared)})"
