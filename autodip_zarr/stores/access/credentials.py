"""Credentials of web addresses, kept apart from the addresses: nothing but a request carries them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from autodip_zarr.errors import OptionError, SourceError
from autodip_zarr.provenance import public_uri, split_address
from autodip_zarr.stores.access.uris import split_uri

_USERS: Final[dict[str, str]] = {}
_QUERIES: Final[dict[str, str]] = {}

Kept = tuple[Mapping[str, str], Mapping[str, str]]
"""``user:password`` by scheme and host, and queries by address."""


def conceal(uri: str) -> str:
    """Return an address without user, password and query, which are kept for the requests of this process.

    Only web addresses have credentials of their own; those of buckets belong into the environment. All else,
    paths above all, is returned as it is.

    Raises
    ------
    OptionError
        Credentials in a chain of addresses, or others for an address that has some already.
    SourceError
        A query behind the address of a bucket.
    """
    public, user, query = split_address(uri)
    scheme = public.partition("://")[0].lower()
    if "::" in uri and public_uri(uri) != uri:
        hint = "name the address itself, or give credentials by the environment"
        raise OptionError(public_uri(uri), "carries credentials in a chain", "a plain address", hint)
    if scheme in ("s3", "s3a") and query:
        hint = "name the https address that was signed, or the key alone, with credentials in the environment"
        raise SourceError(public_uri(uri), "carries a query", "a bucket and a key", hint)
    if scheme not in ("http", "https"):
        return uri
    if user:
        _keep_one(_USERS, _origin(public), user)
    if query:
        _keep_one(_QUERIES, public.rstrip("/"), query)
    return public


def _keep_one(known: dict[str, str], address: str, secret: str) -> None:
    if known.setdefault(address, secret) != secret:
        found = "is named twice, with different credentials or queries"
        raise OptionError(address, found, "one of them", "name the other one in a command of its own")


def kept() -> Kept:
    """Return what is kept, to hand it to a worker process."""
    return dict(_USERS), dict(_QUERIES)


def keep(others: Kept) -> None:
    """Keep what another process has kept, instead of what was known for the same addresses."""
    _USERS.update(others[0])
    _QUERIES.update(others[1])


def user_of(url: str) -> tuple[str, str] | None:
    """Return user and password for a request, ``None`` where there are none."""
    found = _USERS.get(_origin(url))
    if found is None:
        return None
    user, _, password = found.partition(":")
    return unquote(user), unquote(password)


def query_of(url: str) -> str:
    """Return the query for a request, ``""`` where there is none.

    It holds for the address that it came with, for all below, and for the folder in which that lies: a store
    is read together with what stands around it, and a file of a set with the others.
    """
    nearest = sorted(_QUERIES, key=len, reverse=True)
    below = [address for address in nearest if f"{url}/".startswith(f"{address}/")]
    beside = [address for address in nearest if url.startswith(f"{split_uri(address)[0]}/")]
    return next((_QUERIES[address] for address in (*below, *beside)), "")


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme.lower()}://{rest.partition('/')[0].lower()}"
