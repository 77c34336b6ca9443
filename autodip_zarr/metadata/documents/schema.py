"""Whether the part of a header that matters here follows the OME schema, judged by ome-types."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from xml.etree.ElementTree import Element, SubElement, tostring

from autodip_zarr.metadata.documents.ome_xml import ImageNode, OmeDocument

__all__ = ["complaints"]

_NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_MAX_COMPLAINTS = 5
_POSITIVE = re.compile(r"^(?:[1-9][0-9]{0,8}|(?=[0-9.]*[1-9])[0-9]{1,8}\.[0-9]{1,20})$")


def complaints(document: OmeDocument, node: ImageNode) -> Iterator[str]:
    """Yield what ome-types has to say about an image's pixels and channels.

    A header that does not validate is read all the same, attribute by attribute, so these are warnings. Older
    schemas are not judged: their names are known to the reader. Images of a plate differ by ids and names
    alone, so that one judgement serves all of them.

    Parameters
    ----------
    document : OmeDocument
        The header.
    node : ImageNode
        The image.
    """
    if not document.root.element.tag.startswith(f"{{{_NAMESPACE}}}"):
        return
    if node.pixels is None:
        yield f"{node.image.path} has no Pixels"
        return
    for complaint in _judge(_essence(node)):
        yield f"{node.image.path} does not follow the OME schema and was read tolerantly: {complaint}"


def _essence(node: ImageNode) -> str:
    """Write pixels and channels of an image as a small document of their own.

    Ids and names are left out and positive numbers written as 1 or 1.5, so that images that differ by them
    alone are judged once.
    """
    root = Element("OME", {"xmlns": _NAMESPACE})
    image = SubElement(root, "Image", {"ID": "Image:0"})
    attributes = node.pixels.element.attrib if node.pixels else {}
    pixels = SubElement(image, "Pixels", {**_plain(attributes), "ID": "Pixels:0"})
    for channel in node.channels:
        SubElement(pixels, "Channel", {**_plain(channel.element.attrib), "ID": "Channel:0"})
    SubElement(pixels, "MetadataOnly")
    return tostring(root, encoding="unicode")


def _plain(attributes: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in attributes.items() if key not in {"Name", "ID", "Fluor"}}
    return {key: _POSITIVE.sub("1.5" if "." in value else "1", value) for key, value in kept.items()}


@lru_cache(maxsize=1024)
def _judge(essence: str) -> tuple[str, ...]:
    from ome_types import from_xml  # noqa: PLC0415 - half a second that only headers need
    from pydantic import ValidationError  # noqa: PLC0415

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            from_xml(essence, validate=False)
        except ValidationError as error:
            found = [
                f"{_place(one['loc'])}: {one['msg']:.60}... ({one['input']!r:.60})" for one in error.errors()
            ]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            found = [str(error)]
        else:
            found = []
    found += [" ".join(str(one.message).split()) for one in caught]
    return tuple(dict.fromkeys(found))[:_MAX_COMPLAINTS]


def _place(location: tuple[int | str, ...]) -> str:
    return "/".join(str(one) for one in location) or "Image"
