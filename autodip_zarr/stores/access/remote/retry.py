"""When a request is made again, how often, and how long each attempt may take."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from autodip_zarr.activity import ACTIVITY
from autodip_zarr.errors import OptionError
from autodip_zarr.stores.access.messages import error_message
from autodip_zarr.stores.access.remote.server_errors import NoAnswerError, transient_cause

Answer = TypeVar("Answer")

ATTEMPTS_VARIABLE = "AUTODIP_REQUEST_ATTEMPTS"
"""Environment variable with the number of times that a request is made before it counts as failed."""

TIMEOUT_VARIABLE = "AUTODIP_REQUEST_TIMEOUT"
"""Environment variable with the seconds of silence after which a request counts as failed."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long a server is waited for, and how often it is asked."""

    attempts: int = 5
    """Times that a request is made before it counts as failed."""
    timeout_s: float = 20.0
    """Seconds without a byte after which an attempt is broken off."""

    @classmethod
    def from_environment(cls) -> RetryPolicy:
        """Return the policy, with attempts and time-out as the environment says.

        Raises
        ------
        OptionError
            A variable holds no positive number.
        """
        attempts = _number(ATTEMPTS_VARIABLE, cls.attempts)
        return cls(attempts=max(int(attempts), 1), timeout_s=_number(TIMEOUT_VARIABLE, cls.timeout_s))

    @property
    def total_timeout_s(self) -> float:
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


def with_retries(call: Callable[[], Answer]) -> Answer:
    """Make a request again until it succeeds, fails for good, or was made as often as the policy allows.

    Raises
    ------
    NoAnswerError
        It failed each time for a reason that may pass.
    Exception
        Whatever it failed with for good.
    """
    policy = RetryPolicy.from_environment()
    for wait in (*policy.waits(), None):
        ACTIVITY.goes_on()
        try:
            return call()
        except Exception as error:
            reason = transient_cause(error)
            if reason is None:
                raise
            if wait is None:
                raise _gave_up(policy, reason) from error
            time.sleep(wait)
    raise AssertionError  # the last wait is None


async def with_retries_async(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Do what `with_retries` does, in an event loop; each attempt also has a total time-out."""
    policy = RetryPolicy.from_environment()
    for wait in (*policy.waits(), None):
        ACTIVITY.goes_on()
        try:
            return await asyncio.wait_for(call(), policy.total_timeout_s)
        except Exception as error:
            reason = transient_cause(error)
            if reason is None:
                raise
            if wait is None:
                raise _gave_up(policy, reason) from error
            await asyncio.sleep(wait)
    raise AssertionError  # the last wait is None


def _gave_up(policy: RetryPolicy, error: BaseException) -> NoAnswerError:
    times = "once" if policy.attempts == 1 else f"{policy.attempts} times"
    return NoAnswerError(f"asked {times}, the last answer was: {error_message(error)}")
