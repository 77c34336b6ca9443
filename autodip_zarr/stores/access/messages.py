"""Errors of other packages in one line, without the credentials that they may repeat."""

from __future__ import annotations

from autodip_zarr.provenance import public_text


def error_message(error: BaseException) -> str:
    r"""Return what an error says, without its path, which is named elsewhere, and without secrets in URIs.

    Examples
    --------
    >>> error_message(ValueError("cannot open https://me:pw@host/x?token=1\nnow"))
    'cannot open https://host/x now'
    """
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = " ".join(public_text(text).split())[:300]
    return line or type(error).__name__
