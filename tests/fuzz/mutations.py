"""Strategies that damage valid inputs: their text, their JSON tree, their XML tree, their bytes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import strategies as st

NUMBERS = [
    0,
    -1,
    1,
    2,
    255,
    2**31,
    2**32 - 1,
    2**63,
    -(2**63),
    10**30,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
]
TEXTS = [
    "", " ", "0", "-1", "1e400", "NaN", "inf", "\u0664\u0662", "9" * 5000, "x" * 3000, "../x", "/etc/passwd",
    "a/../../b", "..", "http://[", "s3://k:s@b/x", "file:///x", "C:\\x", "\x00", "\n", "\u202e", "\ud800",
    "<script>", "&lt;", "${HOME}", "{0}", "%s", "A/1", "[z-a]", "(", "*", "**", "|u1", "<f8", "O", "V8",
    "<M8[s]", "zarr.json", "sharding_indexed", "blosc", "\u00b5m", "true", "null", "DAPI",
    "two-photon", "a,b;c\td",
]  # fmt: skip
VALUES: list[Any] = [
    *NUMBERS,
    *TEXTS,
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": None},
    [-1],
    [1e308],
    ["../x"],
]
PIECES = [
    *TEXTS, '"', "'", "{", "}", "[", "]", ",", ":", "=", "<", ">", "/", "<!--", "]]>", "<![CDATA[",
    "<!DOCTYPE x [", '<!ENTITY a "b">', "&a;", "#", "\\", "\\u", "\ufeff", "[[",
    "]]", '"""', "\r", "\t", ";", "-",
    "1" * 400, "[" * 3000,
]  # fmt: skip

Edits = list[tuple[int, int, Any]]
"""Where, what kind, and with what."""


def _edits(values: Sequence[Any], most: int = 4) -> st.SearchStrategy[Edits]:
    one = st.tuples(st.integers(0, 10**6), st.integers(0, 4), st.sampled_from(values))
    return st.lists(one, max_size=most)


def texts(seeds: Sequence[str]) -> st.SearchStrategy[str]:
    """Valid texts with pieces put in, taken out, repeated; and texts of any kind."""
    pieces = _edits(PIECES)
    damaged = st.builds(_edit_text, st.sampled_from(seeds), pieces)
    return st.one_of(damaged, damaged, damaged, st.text(max_size=200))


def _edit_text(text: str, edits: Edits) -> str:
    for at, kind, piece in edits:
        place = at % (len(text) + 1)
        length = (at // 7) % 40
        if kind == 0:
            text = text[:place] + piece + text[place:]
        elif kind == 1:
            text = text[:place] + piece + text[place + length :]
        elif kind == 2:
            text = text[:place] + text[place + length :]
        elif kind == 3:
            text = text[:place] + text[place : place + length] * 2 + text[place + length :]
        else:
            text = text[:place]
    return text


def trees(seeds: Sequence[Any]) -> st.SearchStrategy[Any]:
    """JSON documents with values replaced, removed, doubled and renamed."""
    return st.builds(_edit_tree, st.sampled_from(seeds), _edits(VALUES, most=3))


def documents(seeds: Sequence[Any]) -> st.SearchStrategy[str]:
    """Texts of JSON documents that are damaged in their tree, in their text, or in both."""
    written = trees(seeds).map(json.dumps)
    return st.one_of(written, written, st.builds(_edit_text, written, _edits(PIECES)), st.text(max_size=80))


def _edit_tree(document: Any, edits: Edits) -> Any:
    document = copy.deepcopy(document)
    for at, kind, value in edits:
        spots = list(_spots(document))
        if not spots:
            return copy.deepcopy(value)
        inside, key = spots[at % len(spots)]
        if kind <= 2:
            inside[key] = copy.deepcopy(value)
        elif kind == 3:
            del inside[key]
        elif isinstance(inside, list):
            inside.append(copy.deepcopy(inside[key]))
        else:
            inside[value if isinstance(value, str) else "other"] = inside[key]
    return document


def _spots(document: Any) -> Iterator[tuple[Any, Any]]:
    keys = (
        list(document)
        if isinstance(document, dict)
        else range(len(document))
        if isinstance(document, list)
        else []
    )
    for key in keys:
        yield document, key
        yield from _spots(document[key])


def headers(seeds: Sequence[str]) -> st.SearchStrategy[str]:
    """XML documents whose parts are replaced, removed, doubled and moved, or that are damaged as texts."""
    parsed = [ET.fromstring(seed.encode()) for seed in seeds]
    damaged = st.builds(_edit_xml, st.sampled_from(parsed), _edits([str(one) for one in NUMBERS] + TEXTS))
    return st.one_of(damaged, damaged, damaged, texts(seeds))


def _edit_xml(root: ET.Element, edits: Edits) -> str:
    root = copy.deepcopy(root)
    for at, kind, value in edits:
        elements = list(root.iter())
        element = elements[at % len(elements)]
        other = elements[(at // 11) % len(elements)]
        names = list(element.attrib)
        if kind == 0 and names:
            element.set(names[(at // 13) % len(names)], value)
        elif kind == 1 and names:
            del element.attrib[names[(at // 13) % len(names)]]
        elif kind == 2:
            element.append(copy.deepcopy(other))
        elif kind == 3 and len(element):
            del element[(at // 13) % len(element)]
        else:
            element.text = value
    return ET.tostring(root, encoding="unicode")


def damaged_bytes(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Files with numbers of any width overwritten, parts repeated or cut off."""
    numbers = [
        b"\0",
        b"\xff",
        b"\0\0",
        b"\xff\xff",
        b"\1\0\0\0",
        b"\0" * 4,
        b"\xff" * 4,
        b"\xff" * 3 + b"\x7f",
        b"\0" * 8,
    ]
    return st.builds(_edit_bytes, st.sampled_from(seeds), _edits(numbers))


def _edit_bytes(content: bytes, edits: Edits) -> bytes:
    changed = bytearray(content)
    for at, kind, value in edits:
        place = at % (len(changed) + 1)
        if kind <= 2:
            changed[place : place + len(value)] = value
        elif kind == 3:
            changed[place:place] = changed[place : place + (at // 7) % 50]
        else:
            del changed[place:]
    return bytes(changed)
