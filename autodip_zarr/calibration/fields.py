"""Checks of single fields of a JSON document; each error names the file and the field."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from autodip_zarr.errors import TableError

__all__ = ["FieldReader", "parse_object"]


def parse_object(content: bytes, where: str) -> object:
    """Parse JSON in which no key comes twice in one object.

    Raises
    ------
    TableError
        If it is no such JSON.
    """
    try:
        found: object = json.loads(content, object_pairs_hook=lambda pairs: _unique(pairs, where))
    except (ValueError, RecursionError) as error:
        raise TableError(where, f"no JSON ({error})", "a JSON object in UTF-8") from error
    return found


def _unique(pairs: list[tuple[str, object]], where: str) -> dict[str, object]:
    """Build an object; a repeated key is an error because one of the values would be lost."""
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise TableError(where, f"the key {key!r} twice in one object", "every key once")
    return dict(pairs)


@dataclass(frozen=True)
class FieldReader:
    """Checks of single fields; each error names the file and the field."""

    where: str
    """Path, for messages."""

    def at(self, field: str) -> str:
        """Return file and field, for messages."""
        return f"{self.where}: {field}" if field else self.where

    def keys(
        self, value: object, field: str, expected: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> dict[str, object]:
        """Return an object that has all of these keys, perhaps some others, and nothing else."""
        if not isinstance(value, dict):
            raise TableError(self.at(field), f"{type(value).__name__}", "an object")
        for key in expected:
            if key not in value:
                raise TableError(self.at(field), f"no {key!r}", f"the keys {', '.join(expected)}")
        known = (*expected, *optional)
        for key in value:
            if key not in known:
                raise TableError(self.at(field), f"an unknown key {key!r}", f"the keys {', '.join(known)}")
        return value

    def equal(self, value: object, field: str, expected: str | int) -> None:
        """Refuse another value."""
        if value != expected or isinstance(value, bool):
            raise TableError(self.at(field), repr(value), repr(expected))

    def text(self, value: object, field: str) -> str:
        """Return a text that is not empty."""
        if not isinstance(value, str) or not value.strip():
            raise TableError(self.at(field), repr(value), "a text that is not empty")
        return value

    def texts(self, value: object, field: str, expected: tuple[str, ...]) -> dict[str, str]:
        """Return an object of texts."""
        value = self.keys(value, field, expected)
        return {key: self.text(value[key], f"{field}.{key}") for key in expected}

    def number(self, value: object, field: str, allowed: range) -> int:
        """Return an integer of a range."""
        if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
            raise TableError(self.at(field), repr(value), f"an integer from {allowed[0]} to {allowed[-1]}")
        return value

    def decimal(self, value: object, field: str) -> float:
        """Return a finite number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TableError(self.at(field), repr(value), "a finite number")
        return float(value)

    def items(self, value: object, field: str) -> list[object]:
        """Return the items of a list that is not empty."""
        if not isinstance(value, list) or not value:
            raise TableError(self.at(field), repr(value)[:80], "a list that is not empty")
        return value
