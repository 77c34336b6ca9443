"""What a worker asks before it writes: does the run that sent it still hold the lock."""

from __future__ import annotations

import time
from dataclasses import dataclass

from autodip_zarr.errors import TargetError
from autodip_zarr.run.locks.locking import BEAT_SECONDS, SILENCE_SECONDS, lock_uri, parse_holder
from autodip_zarr.stores import read_file

_LATE_BEAT_SECONDS = 1.5 * BEAT_SECONDS


@dataclass
class Fence:
    """Stops a worker whose run lost the lock, or died: another run may write there by now.

    Made before the work begins, so that none is done in vain, and checked before each write. A lock that
    was not renewed for `SILENCE_SECONDS` counts as lost, because it may be taken over at any moment.
    """

    target: str
    """Path or URI of the result."""
    token: str
    """Token of the run's lock."""

    def __post_init__(self) -> None:
        """Look at the lock for the first time."""
        self._seen = self._read()
        self._seen_at = time.monotonic()

    def check(self) -> None:
        """Return only if the lock is still held.

        Raises
        ------
        TargetError
            If it is gone, is another's, or was not renewed.
        """
        last_chance = time.monotonic() + _LATE_BEAT_SECONDS
        while True:
            content, now = self._read(), time.monotonic()
            if content != self._seen:
                self._seen, self._seen_at = content, now
            if now - self._seen_at <= SILENCE_SECONDS:
                return
            if now > last_chance:  # it was not only stopped together with this process, and woke up
                found = f"the run that began it has been silent for {now - self._seen_at:.0f} s"
                raise TargetError(self.target, found, hint="run the same command again: it continues")
            time.sleep(BEAT_SECONDS / 10)

    def _read(self) -> bytes:
        content = read_file(lock_uri(self.target))
        if content is not None and parse_holder(content).token == self.token:
            return content
        lost = "gone" if content is None else f"taken over by {parse_holder(content)}"
        hint = "this run writes nothing more here; the same command continues once the other is done"
        raise TargetError(self.target, f"the lock of this run is {lost}", "to hold it", hint)
