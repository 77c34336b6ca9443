"""What an error of a server means: that nothing is there, that it may pass, or that nobody answered."""

from __future__ import annotations

import errno
import os

REFUSED_VARIABLE = "AUTODIP_REFUSED_IS_MISSING"
"""Environment variable that is ``1`` where a web server refuses (403) what does not exist."""

_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504, 509}

_TRANSIENT_ERRNO = {
    errno.EBUSY,  # what s3fs makes of 503, "slow down" and "service unavailable"
    errno.ECONNABORTED,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EPIPE,
    getattr(errno, "EREMOTEIO", errno.EIO),  # what s3fs makes of 500, "internal error"
    errno.ETIMEDOUT,
}

_BROKEN_CONNECTIONS = {"ClientConnectionError", "ClientPayloadError"}  # of aiohttp
_BROKEN_CONNECTIONS |= {
    "ConnectionError",
    "HTTPClientError",
    "IncompleteRead",
    "ResponseParserError",
}  # of botocore


class NoAnswerError(OSError):
    """A server failed to answer a request as often as it was asked."""


def is_unanswered(error: BaseException | None) -> bool:
    """Return whether an error comes down to a server that did not answer."""
    while error is not None and not isinstance(error, NoAnswerError):
        error = error.__cause__
    return error is not None


def transient_cause(error: BaseException | None) -> BaseException | None:
    """Return why a request failed, if it may succeed when it is made again, else ``None``.

    The causes of an error count, too: fsspec says that a file is missing when a server was too busy to tell.
    """
    while error is not None and not isinstance(error, NoAnswerError | PermissionError):
        if _is_transient(error):
            return error
        error = error.__cause__
    return None


def _is_transient(error: BaseException) -> bool:
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status in _TRANSIENT_STATUS
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        return response.get("ResponseMetadata", {}).get("HTTPStatusCode") in _TRANSIENT_STATUS
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _BROKEN_CONNECTIONS:
        return not names & {"ClientConnectorCertificateError", "SSLError", "ProxyConnectionError"}
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    return isinstance(error, OSError) and error.errno in _TRANSIENT_ERRNO


def is_refused_as_missing(error: Exception) -> bool:
    """Return whether a web server in front of a bucket means that there is no such object."""
    return getattr(error, "status", None) in (403, 404, 410)


def is_missing_chunk(error: Exception) -> bool:
    """Return whether a web server means that there is no such chunk, which are zeros then.

    A refusal (403) is none, unless the environment says that this server refuses what does not exist.
    """
    status = getattr(error, "status", None)
    return status in (404, 410) or (status == 403 and os.environ.get(REFUSED_VARIABLE) == "1")


def is_empty_object(error: Exception) -> bool:
    """Return whether a part was asked for of an object that has no bytes."""
    response = getattr(error.__cause__, "response", None)  # of botocore
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return getattr(error, "status", None) == 416 or code == "InvalidRange"
