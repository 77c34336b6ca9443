"""File systems of remote stores, and files in them: how they are opened, without retries of their own."""

from __future__ import annotations

from typing import Any

from autodip_zarr.errors import SourceError
from autodip_zarr.provenance import public_uri
from autodip_zarr.stores.access.remote.retry import RetryPolicy, with_retries


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
        from autodip_zarr.stores.access.remote.web import WebFileSystem  # noqa: PLC0415 - imports aiohttp

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
    file = with_retries(lambda: fs.open(path, "rb", block_size=block_bytes, **known))
    cache = getattr(file, "cache", None)
    if cache is not None:
        fetch = cache.fetcher
        cache.fetcher = lambda start, end: with_retries(lambda: fetch(start, end))
    elif not file.seekable():
        hint = "download the file first, or serve it with range requests"
        raise SourceError(public_uri(uri), "is served as a whole only", "a server of byte ranges", hint)
    return file


def _options(protocol: str) -> dict[str, Any]:
    policy = RetryPolicy.from_environment()
    if protocol in ("s3", "s3a"):
        # with max_concurrency above 1, s3fs asks for the size of every object before it reads it
        return {
            "max_concurrency": 1,
            "use_listings_cache": False,
            "config_kwargs": {
                "connect_timeout": policy.timeout_s,
                "read_timeout": policy.timeout_s,
                "retries": {"total_max_attempts": 1, "mode": "standard"},
            },
        }
    if protocol in ("http", "https"):
        from aiohttp import ClientTimeout  # noqa: PLC0415

        timeout = ClientTimeout(
            total=policy.total_timeout_s, sock_connect=policy.timeout_s, sock_read=policy.timeout_s
        )
        return {"client_kwargs": {"timeout": timeout}}
    return {}
