"""Cut images out of an OME-XML document without touching the rest of its text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from autodip_zarr.metadata.documents.xml_tree import children, document_element, parse_ome_xml


def count_images(ome_xml: str) -> int:
    """Return the number of images in an OME-XML document.

    Raises
    ------
    HeaderError
        It is broken or hostile.
    """
    return len(list(children(parse_ome_xml(ome_xml, "OME-XML"), "Image")))


def subset_ome_xml(ome_xml: str, indices: Sequence[int]) -> str:
    """Return OME-XML with some of its images, in their order, and without references to the others.

    Parameters
    ----------
    ome_xml : str
        OME-XML.
    indices : sequence of int
        Images to keep, counted from 0.

    Raises
    ------
    HeaderError
        It is broken or hostile.
    """
    if set(indices) >= set(range(count_images(ome_xml))):
        return ome_xml
    from xml.parsers.expat import ParserCreate  # noqa: PLC0415  # the text was checked just above

    text = document_element(ome_xml)  # as it was checked: broken declarations are common
    before, _, after = ome_xml.partition(text)
    content = text.encode()
    spans = _Spans(frozenset(indices))
    parser: Any = ParserCreate(encoding="utf-8", namespace_separator="}")
    parser.StartElementHandler = lambda name, attributes: spans.start(
        parser.CurrentByteIndex, name, attributes
    )
    parser.EndElementHandler = lambda name: spans.end(parser.CurrentByteIndex, name, content)
    parser.Parse(content, True)
    kept, position = bytearray(), 0
    for start, end in sorted(spans.cuts()):
        kept += content[position:start]
        position = end
    return before + bytes(kept + content[position:]).decode() + after


@dataclass
class _Spans:
    """Byte ranges of elements, gathered while the document is read once."""

    keep: frozenset[int]
    depth: int = 0
    count: int = 0
    open: list[int] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    images: list[tuple[int, int]] = field(default_factory=list)
    references: list[tuple[str, int, int]] = field(default_factory=list)
    identifiers: list[str] = field(default_factory=list)

    def start(self, at: int, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.open.append(at)
        local = name.rpartition("}")[2]
        if self.depth == 2 and local == "Image":
            self.dropped.update({attributes.get("ID", "")} if self.count not in self.keep else ())
        if local == "ImageRef":
            self.identifiers.append(attributes.get("ID", ""))

    def end(self, at: int, name: str, content: bytes) -> None:
        self.depth -= 1
        start, local = self.open.pop(), name.rpartition("}")[2]
        # expat reports the end of <a/> behind it, and that of <a></a> before its last tag
        closing = b"</" + re.split(rb"[\s/>]", content[start + 1 : start + 200], maxsplit=1)[0]
        end = content.index(b">", at) + 1 if content.startswith(closing, at) else at
        if self.depth == 1 and local == "Image":
            if self.count not in self.keep:
                self.images.append((start, end))
            self.count += 1
        if local == "ImageRef":
            self.references.append((self.identifiers.pop(), start, end))

    def cuts(self) -> list[tuple[int, int]]:
        """Return the ranges to leave out."""
        return self.images + [(start, end) for name, start, end in self.references if name in self.dropped]
