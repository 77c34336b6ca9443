"""File systems of remote stores: how they are opened, how long is waited, and what is asked again."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from autodip_zarr.activity import ACTIVITY
from autodip_zarr.errors import OptionError, SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.messages import words

Answer = TypeVar("Answer")

ATTEMPTS_VARIABLE = "AUTODIP_REQUEST_ATTEMPTS"
"""Environment variable with the number of times that a request is made before it counts as failed."""

TIMEOUT_VARIABLE = "AUTODIP_REQUEST_TIMEOUT"
"""Environment variable with the seconds of silence after which a request counts as failed."""

REFUSED_VARIABLE = "AUTODIP_REFUSED_IS_MISSING"
"""Environment variable that is ``1`` where a web server refuses (403) what does not exist."""

_PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504, 509}
_PASSING_ERRNO = {
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
_BROKEN_OFF = {"ClientConnectionError", "ClientPayloadError"}  # of aiohttp
_BROKEN_OFF |= {"ConnectionError", "HTTPClientError", "IncompleteRead", "ResponseParserError"}  # of botocore


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for, and how often it is asked."""

    attempts: int = 5
    """Times that a request is made before it counts as failed."""
    timeout_s: float = 20.0
    """Seconds without a byte after which an attempt is broken off."""

    @classmethod
    def from_environment(cls) -> Patience:
        """Return the policy, with attempts and time-out as the environment says.

        Raises
        ------
        OptionError
            A variable holds no positive number.
        """
        attempts = _number(ATTEMPTS_VARIABLE, cls.attempts)
        return cls(attempts=max(int(attempts), 1), timeout_s=_number(TIMEOUT_VARIABLE, cls.timeout_s))

    @property
    def whole_s(self) -> float:
        """Seconds after which an attempt is broken off even if bytes still trickle in: 15 time-outs."""
        return 15 * self.timeout_s

    @property
    def first_wait_s(self) -> float:
        """Seconds before the second attempt: a fortieth of the time-out; each further wait is doubled."""
        return self.timeout_s / 40

    def waits(self) -> Iterator[float]:
        """Yield the seconds to wait before each further attempt; workers that failed together spread out."""
        for number in range(self.attempts - 1):
            spread = random.uniform(0.75, 1.25)  # noqa: S311 - no secret depends on it
            yield self.first_wait_s * 2**number * spread


def _number(variable: str, default: float) -> float:
    text = os.environ.get(variable, "").strip()
    try:
        number = float(text) if text else default
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise OptionError(variable, f"found {text!r}", "a positive number", "unset it for the default")
    return number


class NoAnswerError(OSError):
    """A server failed to answer a request as often as it was asked."""


def is_unanswered(error: BaseException | None) -> bool:
    """Return whether an error comes down to a server that did not answer."""
    while error is not None and not isinstance(error, NoAnswerError):
        error = error.__cause__
    return error is not None


def ask(call: Callable[[], Answer]) -> Answer:
    """Make a request until it succeeds, fails for good, or was made often enough.

    Raises
    ------
    NoAnswerError
        It failed each time for a reason that may pass.
    Exception
        Whatever it failed with for good.
    """
    patience = Patience.from_environment()
    for wait in (*patience.waits(), None):
        ACTIVITY.goes_on()
        try:
            return call()
        except Exception as error:
            reason = passing_reason(error)
            if reason is None:
                raise
            if wait is None:
                raise _gave_up(patience, reason) from error
            time.sleep(wait)
    raise AssertionError  # the last wait is None


async def ask_async(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Do what `ask` does inside an event loop; an attempt also ends after ``Patience.whole_s``."""
    patience = Patience.from_environment()
    for wait in (*patience.waits(), None):
        ACTIVITY.goes_on()
        try:
            return await asyncio.wait_for(call(), patience.whole_s)
        except Exception as error:
            reason = passing_reason(error)
            if reason is None:
                raise
            if wait is None:
                raise _gave_up(patience, reason) from error
            await asyncio.sleep(wait)
    raise AssertionError  # the last wait is None


def _gave_up(patience: Patience, error: BaseException) -> NoAnswerError:
    times = "once" if patience.attempts == 1 else f"{patience.attempts} times"
    return NoAnswerError(f"asked {times}, the last answer was: {words(error)}")


def passing_reason(error: BaseException | None) -> BaseException | None:
    """Return why a request failed, if it may succeed when it is made again, else ``None``.

    The causes of an error count, too: fsspec says that a file is missing when a server was too busy to tell.
    """
    while error is not None and not isinstance(error, NoAnswerError | PermissionError):
        if _passes(error):
            return error
        error = error.__cause__
    return None


def _passes(error: BaseException) -> bool:
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status in _PASSING_STATUS
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        return response.get("ResponseMetadata", {}).get("HTTPStatusCode") in _PASSING_STATUS
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _BROKEN_OFF:
        return not names & {"ClientConnectorCertificateError", "SSLError", "ProxyConnectionError"}
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    return isinstance(error, OSError) and error.errno in _PASSING_ERRNO


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


def open_file_system(uri: str, *, asynchronous: bool = False) -> tuple[Any, str]:
    """Return the file system of a URI and the path inside it; nothing is read.

    The retries of the libraries themselves are switched off: s3fs and botocore would multiply each other's.

    Raises
    ------
    SourceError
        No installed file system understands the URI, or it carries what belongs into the environment.
    """
    from fsspec.core import url_to_fs  # noqa: PLC0415

    protocol = uri.partition("://")[0].lower()
    if protocol in ("s3", "s3a") and "@" in uri.partition("://")[2].partition("/")[0]:
        hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        raise SourceError(public_uri(uri), "carries credentials", "credentials in the environment", hint)
    options = _options(protocol)
    if asynchronous and options:  # file systems without options here are synchronous ones
        options["asynchronous"] = True
    if protocol in ("http", "https"):
        from autodip_zarr.stores.access.web import WebFileSystem  # noqa: PLC0415 - imports aiohttp

        web = WebFileSystem(**options)
        return web, web._strip_protocol(uri)
    fs, root = url_to_fs(uri, **options)
    if protocol in ("s3", "s3a"):
        fs.retries = 1
    if asynchronous and not fs.async_impl:
        from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper  # noqa: PLC0415

        fs = AsyncFileSystemWrapper(fs, asynchronous=True)
    return fs, root


def open_remote_file(uri: str, block_bytes: int, size_bytes: int | None = None) -> Any:  # noqa: ANN401
    """Open a file for reading here and there, a block at a time.

    Parameters
    ----------
    uri : str
        Where it is.
    block_bytes : int
        What is asked for at least, since pages and entries lie close together.
    size_bytes : int, optional
        Its size, where that is known: the server is not asked for it again.

    Raises
    ------
    FileNotFoundError
        There is none.
    SourceError
        The server gives out whole files only.
    """
    fs, path = open_file_system(uri)
    known = {} if size_bytes is None else {"size": size_bytes}
    file = ask(lambda: fs.open(path, "rb", block_size=block_bytes, **known))
    cache = getattr(file, "cache", None)
    if cache is not None:
        fetch = cache.fetcher
        cache.fetcher = lambda start, end: ask(lambda: fetch(start, end))
    elif not file.seekable():
        hint = "download the file first, or serve it with range requests"
        raise SourceError(public_uri(uri), "is served as a whole only", "a server of byte ranges", hint)
    return file


def _options(protocol: str) -> dict[str, Any]:
    patience = Patience.from_environment()
    if protocol in ("s3", "s3a"):
        # with max_concurrency above 1, s3fs asks for the size of every object before it reads it
        return {
            "max_concurrency": 1,
            "use_listings_cache": False,
            "config_kwargs": {
                "connect_timeout": patience.timeout_s,
                "read_timeout": patience.timeout_s,
                "retries": {"total_max_attempts": 1, "mode": "standard"},
            },
        }
    if protocol in ("http", "https"):
        from aiohttp import ClientTimeout  # noqa: PLC0415

        timeout = ClientTimeout(
            total=patience.whole_s, sock_connect=patience.timeout_s, sock_read=patience.timeout_s
        )
        return {"client_kwargs": {"timeout": timeout}}
    return {}
