"""Hostile XML made harmless: a tree without namespaces, entities or surprises of size."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from autodip_zarr.errors import HeaderError

__all__ = ["attribute", "children", "document_element", "local_name", "parse_ome_xml", "text_of"]

MAX_CHARACTERS = 128_000_000  # plates of 384 wells with every plane described reach some tens of megabytes
_MAX_DEPTH = 64
MAX_ELEMENTS = 10_000_000


def parse_ome_xml(content: str, source: str) -> Element:
    """Parse an OME-XML header of any schema version.

    Parameters
    ----------
    content : str
        The header.
    source : str
        File, for messages.

    Returns
    -------
    Element
        Root element ``OME``; tags keep their namespaces, see `local_name`.

    Raises
    ------
    HeaderError
        If it is not well-formed, no OME-XML, too large or too deep, or defines entities.
    """
    if len(content) > MAX_CHARACTERS:
        raise HeaderError(source, f"{len(content)} characters", f"at most {MAX_CHARACTERS}")
    root = _parsed(document_element(content), source)
    if local_name(root) != "OME":
        raise HeaderError(source, f"the root element {local_name(root)!r:.100}", "'OME'")
    return root


def document_element(content: str) -> str:
    """Return the part of a header that is parsed: without padding, and without an XML declaration.

    The text is decoded already, whatever the declaration says of its encoding.
    """
    content = content.lstrip("\ufeff \t\r\n").rstrip("\x00 \t\r\n")
    end = content.find("?>") if content.startswith("<?xml") else -1
    return content[end + 2 :] if end >= 0 else content


def _parsed(content: str, source: str) -> Element:
    """Parse XML without DTD and entities; depth and number of elements are bounded while it is read."""
    from defusedxml import DefusedXmlException  # noqa: PLC0415 - where it is used
    from defusedxml.ElementTree import DefusedXMLParser  # noqa: PLC0415

    parser = DefusedXMLParser(target=_Bounded(source), forbid_dtd=True)
    try:
        # bytes, because a text with an encoding declaration is refused or misread as text
        parser.feed(content.encode("utf-8"))
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise HeaderError(source, f"refused: {error}", "XML without DTD and entities") from error
    except (ParseError, ValueError) as error:
        raise HeaderError(source, f"no well-formed XML ({error})", "an OME-XML header") from error
    return root


class _Bounded(TreeBuilder):
    """Builds a tree until it is larger than an honest one: afterwards it would be too late."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self._source = source
        self._depth = 0
        self._count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        """Begin an element.

        Raises
        ------
        HeaderError
            It is one too many.
        """
        self._depth += 1
        self._count += 1
        if self._depth > _MAX_DEPTH:
            raise HeaderError(self._source, f"more than {_MAX_DEPTH} nested elements", "a flatter header")
        if self._count > MAX_ELEMENTS:
            raise HeaderError(self._source, f"more than {MAX_ELEMENTS} elements", "a smaller header")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        """End an element."""
        self._depth -= 1
        return super().end(tag)


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
