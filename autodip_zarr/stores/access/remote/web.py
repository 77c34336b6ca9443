"""Files of web servers, of which no more is taken in than was asked for, whatever a server sends."""

from __future__ import annotations

from typing import Any

from fsspec.implementations.http import HTTPFileSystem
from yarl import URL

from autodip_zarr.regular_files import LARGEST
from autodip_zarr.stores.access.credentials import query_of, user_of

_LARGEST_OBJECT = 2**32
"""Bytes above which an object is refused whose end alone was asked for, and all of it comes."""

_PIECE = 64 * 1024


class WebFileSystem(HTTPFileSystem):  # type: ignore[misc] # fsspec has no types
    """Stops reading an answer at the last byte that was asked for.

    fsspec's own takes in whatever comes: of a server that sends a whole object for each part, or that never
    ends, memory would be full before it could be told.
    """

    def encode_url(self, url: str) -> URL:
        """Return what is asked for: an address with the credentials that it came with."""
        address: URL = super().encode_url(url)
        if query := query_of(url):
            joint = "&" if address.raw_query_string else "?"
            address = URL(f"{address}{joint}{query}", encoded=True)
        if (user := user_of(url)) is not None:
            address = address.with_user(user[0]).with_password(user[1])
        return address

    async def _cat_file(
        self,
        url: str,
        start: int | None = None,
        end: int | None = None,
        *,
        must_be_part: bool = False,
        **_: object,
    ) -> bytes:
        """Return bytes `start` to `end`, or the last ``-start``; without both a document of honest size.

        Raises
        ------
        ValueError
            More comes than is honest, or the whole file where it must be a part.
        """
        if start is not None and start == end:
            return b""
        kept = dict(self.kwargs)
        if start is not None or end is not None:
            kept["headers"] = {**kept.get("headers", {}), "Range": _range(start, end)}
        session = await self.set_session()
        async with session.get(self.encode_url(url), **kept) as answer:
            if answer.status == 416:  # nothing is in that place
                return b""
            self._raise_not_found_for_status(answer, url)
            is_whole = answer.status != 206
            if start is not None and start < 0:
                return await _last(answer.content, -start)
            if start and is_whole and must_be_part:
                raise ValueError("the server does not support range requests")
            skipped = (start or 0) if is_whole else 0
            return await _first(answer.content, skipped, None if end is None else end - (start or 0))

    def _open(self, path: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        file = super()._open(path, *args, **kwargs)
        cache = getattr(file, "cache", None)
        if cache is not None:
            cache.fetcher = lambda start, end: self.cat_file(path, start, end, must_be_part=True)
        return file


def _range(start: int | None, end: int | None) -> str:
    if start is not None and start < 0:
        return f"bytes={start}"
    return f"bytes={start or 0}-{'' if end is None else end - 1}"


async def _first(content: Any, skipped: int, length: int | None) -> bytes:  # noqa: ANN401
    """Return so many bytes behind those that are skipped, or all where these are no more than is honest."""
    found, limit = bytearray(), LARGEST if length is None else length
    while piece := await content.read(_PIECE):
        found += piece[skipped:]
        skipped = max(skipped - len(piece), 0)
        if length is not None and len(found) >= limit:
            break
        if len(found) > limit:
            raise ValueError(f"the server sends more than {limit:,} bytes")
    return bytes(found[:limit])


async def _last(content: Any, length: int) -> bytes:  # noqa: ANN401
    """Return the last bytes of an answer, which may be a whole object."""
    found, seen = bytearray(), 0
    while piece := await content.read(_PIECE):
        found = (found + piece)[-length:]
        seen += len(piece)
        if seen > _LARGEST_OBJECT:
            raise ValueError(f"the server sends more than {_LARGEST_OBJECT:,} bytes")
    return bytes(found)
