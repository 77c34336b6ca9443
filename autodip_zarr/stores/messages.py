"""Errors of other packages in one line, without the credentials that they may repeat."""

from __future__ import annotations

import re

from autodip_zarr.provenance import public_uri

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^\s'\"<>]+")


def words(error: BaseException) -> str:
    r"""Return what an error says, without paths that are named elsewhere and without secrets in URIs.

    Examples
    --------
    >>> words(ValueError("cannot open https://me:pw@host/x?token=1\\nnow"))
    'cannot open https://host/x now'
    """
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = " ".join(_URI.sub(lambda found: public_uri(found.group()), text).split())[:300]
    return line or type(error).__name__
