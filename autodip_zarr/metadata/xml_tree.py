"""Hostile XML made harmless: a tree without namespaces, entities or surprises of size."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from autodip_zarr.domain import MetadataText
from autodip_zarr.errors import HeaderError

__all__ = ["attribute", "children", "local_name", "parse_ome_xml", "text_of"]

MAX_CHARACTERS = 128_000_000  # plates of 384 wells with every plane described reach some tens of megabytes
MAX_DEPTH = 64
MAX_ELEMENTS = 10_000_000
ROOTS = ("OME",)


def parse_ome_xml(text: MetadataText) -> Element:
    """Parse an OME-XML header of any schema version.

    Parameters
    ----------
    text : MetadataText
        The header.

    Returns
    -------
    Element
        Root element ``OME``; tags keep their namespaces, see `local_name`.

    Raises
    ------
    HeaderError
        If it is not well-formed, no OME-XML, too large or too deep, or defines entities.
    """
    from defusedxml import DefusedXmlException  # noqa: PLC0415 - where it is used
    from defusedxml.ElementTree import fromstring  # noqa: PLC0415

    if len(text.content) > MAX_CHARACTERS:
        raise HeaderError(text.source, f"{len(text.content)} characters", f"at most {MAX_CHARACTERS}")
    content = text.content.lstrip("\ufeff \t\r\n").rstrip("\x00 \t\r\n")
    try:
        # bytes, because a text with an encoding declaration is refused or misread as text
        root: Element = fromstring(_undeclared(content).encode("utf-8"), forbid_dtd=True)
    except DefusedXmlException as error:
        raise HeaderError(text.source, f"refused: {error}", "XML without DTD and entities") from error
    except (ParseError, ValueError) as error:
        raise HeaderError(text.source, f"no well-formed XML ({error})", "an OME-XML header") from error
    if local_name(root) not in ROOTS:
        raise HeaderError(text.source, f"the root element {local_name(root)!r}", "'OME'")
    _check_bounds(root, text.source)
    return root


def _undeclared(content: str) -> str:
    """Drop the XML declaration: the text is decoded already, whatever it says of its encoding."""
    if content.startswith("<?xml"):
        end = content.find("?>")
        return content[end + 2 :] if end >= 0 else content
    return content


def _check_bounds(root: Element, source: str) -> None:
    level, depth, count = [root], 0, 0
    while level:
        depth, count = depth + 1, count + len(level)
        if depth > MAX_DEPTH:
            raise HeaderError(source, f"more than {MAX_DEPTH} nested elements", "a flatter header")
        if count > MAX_ELEMENTS:
            raise HeaderError(source, f"more than {MAX_ELEMENTS} elements", "a smaller header")
        level = [child for element in level for child in element]


def local_name(element: Element) -> str:
    """Return the tag of an element without its namespace."""
    tag = element.tag
    return tag.rsplit("}", 1)[-1]


def children(element: Element, *path: str) -> Iterator[Element]:
    """Yield the descendants along a path of local names."""
    if not path:
        yield element
        return
    for child in element:
        if local_name(child) == path[0]:
            yield from children(child, *path[1:])


def attribute(element: Element, name: str) -> str | None:
    """Return an attribute that is present and not blank, or ``None``."""
    value = element.get(name)
    return value if value and value.strip() else None


def text_of(element: Element, child: str) -> str | None:
    """Return the text of the first child of a name that is not blank, or ``None``."""
    for one in children(element, child):
        if one.text and one.text.strip():
            return one.text.strip()
    return None
