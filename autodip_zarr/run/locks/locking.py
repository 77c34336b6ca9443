"""One run at a time on a result: a lock inside it, kept alive by a heartbeat."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from autodip_zarr.errors import AutodipError, TargetError
from autodip_zarr.stores import (
    absolute,
    create_file,
    delete_file,
    read_file,
    refuse_link,
    remove_target,
    seconds_unchanged,
    write_file,
)

BEAT_SECONDS = 10.0
"""How often a run renews its locks."""

SILENCE_SECONDS = 60.0
"""How long a lock from elsewhere must not have been renewed before it is taken over."""

_LOCK = "autodip/lock.json"
_SAME_START_SECONDS = 1.0
_LONGEST_TURN_SECONDS = 300.0
_TURN_PAUSE_SECONDS = 0.2
_MOST_ATTEMPTS = 100
_TOKEN = re.compile(r"[0-9a-f]{32}")
_LONGEST_TEXT = 255
_LARGEST_PID = 2**31 - 1
_LATEST_START_S = 1e12


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    token: str
    """Differs from lock to lock; what a worker compares before it writes."""
    host: str
    """Name of the computer, for people."""
    machine: str
    """Boot and process namespace in which `pid` means something; empty where the system does not tell."""
    pid: int
    """Process of the run."""
    process_started: float
    """When that process started, in seconds since 1970: a process number may be given again."""
    since: str
    """When the lock was taken, ISO 8601."""

    def __str__(self) -> str:
        """Return who it is in words."""
        return f"process {self.pid} on {self.host}, since {self.since}"


_UNKNOWN = Holder("", "an unknown computer", "", 0, 0.0, "an unknown time")


def is_dead_here(holder: Holder, me: Holder) -> bool | None:
    """Return whether the process of a lock has ended, ``None`` where only its own machine can tell."""
    import psutil  # noqa: PLC0415 - needed only where a lock is met

    if (holder.host, holder.machine) != (me.host, me.machine):
        return None
    try:
        process = psutil.Process(holder.pid)
        is_same = abs(process.create_time() - holder.process_started) < _SAME_START_SECONDS
        return not is_same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return None
    except psutil.NoSuchProcess:
        return None if _is_hidden(holder.pid) else True


def _is_hidden(pid: int) -> bool:
    """Return whether there is a process that this user may not look at."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return False


def lock_uri(target: str) -> str:
    """Return where the lock of a result is."""
    return f"{target.rstrip('/')}/{_LOCK}"


def read_holder(uri: str) -> Holder | None:
    """Return who holds a lock, ``None`` where there is none; of a broken one nobody knows whose it is."""
    content = read_file(uri)
    return None if content is None else parse_holder(content)


def parse_holder(content: bytes) -> Holder:
    """Return who holds a lock from the bytes of its file; nobody known where a field has not its form.

    The file may come from anywhere with the store that it lies in, and its token becomes part of a name.
    """
    try:
        document = json.loads(content)
        holder = Holder(**{field.name: document[field.name] for field in fields(Holder)})
    except (ValueError, TypeError, KeyError, RecursionError):  # cut off when the power failed
        return _UNKNOWN
    return holder if _is_formed(holder) else _UNKNOWN


def _is_formed(holder: Holder) -> bool:
    """Return whether the fields of a lock are what `_this_process` makes."""
    texts: tuple[object, ...] = (holder.token, holder.host, holder.machine, holder.since)
    return (
        all(isinstance(text, str) and len(text) <= _LONGEST_TEXT and text.isprintable() for text in texts)
        and _TOKEN.fullmatch(holder.token) is not None
        and type(holder.pid) is int
        and 0 < holder.pid <= _LARGEST_PID
        and type(holder.process_started) in (int, float)
        and abs(holder.process_started) < _LATEST_START_S
    )


def _content(holder: Holder) -> bytes:
    return json.dumps({**asdict(holder), "beat": _now()}).encode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _this_process() -> Holder:
    import psutil  # noqa: PLC0415 - see above

    started = psutil.Process().create_time()
    return Holder(uuid.uuid4().hex, socket.gethostname(), _machine(), os.getpid(), started, _now())


def _machine() -> str:
    """Containers may share the name of their host, but not its process numbers."""
    if sys.platform != "linux":
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no path, a name


@contextmanager
def turn(uri: str) -> Iterator[None]:
    """Wait for one's turn at documents that several runs change, and hold it; that takes a moment.

    Parameters
    ----------
    uri : str
        Lock file, which is there for as long as somebody has the turn.

    Raises
    ------
    TargetError
        If it cannot be written, or another run has held it for minutes.
    """
    me, began_s = _this_process(), time.monotonic()
    while (holder := _take(uri, me)) is not None:
        if time.monotonic() - began_s > _LONGEST_TURN_SECONDS:
            raise _refusal(uri, holder)
        time.sleep(_TURN_PAUSE_SECONDS)
    try:
        yield
    finally:
        if read_holder(uri) == me:
            delete_file(uri)


class Locks:
    """The locks of a run, as its driver holds them; one thread renews them all.

    Whose token stands in the lock file owns the result, whatever either run believes.
    """

    def __init__(self) -> None:
        self._held: dict[str, Holder] = {}
        self._change = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="autodip-locks", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release what is still held."""
        self._end.set()
        self._thread.join()
        for target in list(self._held):
            self.release(target)

    def acquire(self, target: str) -> str:
        """Lock a result for this run, and return the token that its workers are to show.

        Where only time can tell whether the holder still lives, because it ran on another computer, that is
        waited for: a living run renews its lock within seconds, a dead one's grows old.

        Raises
        ------
        TargetError
            If another run holds it, the lock cannot be written, or a link lies there.
        """
        refuse_link(absolute(target))
        me = _this_process()
        holder = _take(lock_uri(target), me)
        if holder is not None and is_dead_here(holder, me) is None:
            _wait_for_sign(lock_uri(target))
            holder = _take(lock_uri(target), me)
        if holder is not None:
            raise _refusal(target, holder)
        with self._change:
            self._held[target] = me
        return me.token

    def clear(self, target: str) -> None:
        """Delete a locked result, and keep its place locked.

        Raises
        ------
        TargetError
            If it cannot be deleted, or another run came between.
        """
        with self._change:
            mine = self._held.pop(target)  # nothing is to renew a lock that is being deleted
        try:
            remove_target(target, turn)
        except AutodipError:
            with self._change:
                self._held[target] = mine
            raise
        if not create_file(lock_uri(target), _content(mine)):
            raise _refusal(target, read_holder(lock_uri(target)) or _UNKNOWN)
        with self._change:
            self._held[target] = mine

    def remove(self, target: str) -> None:
        """Delete a locked result with its lock.

        Raises
        ------
        TargetError
            If it cannot be deleted.
        """
        with self._change:
            self._held.pop(target)
        remove_target(target, turn)

    def release(self, target: str) -> None:
        """Give a lock back; nothing happens where it is not held."""
        with self._change:
            mine = self._held.pop(target, None)
            if mine is None:
                return
            with suppress(AutodipError):  # left behind, it is that of a dead process soon
                if read_holder(lock_uri(target)) == mine:
                    delete_file(lock_uri(target))

    def _renew(self) -> None:
        while not self._end.wait(BEAT_SECONDS):
            for target in list(self._held):
                with self._change:
                    self._beat(target)

    def _beat(self, target: str) -> None:
        mine = self._held.get(target)
        if mine is None:
            return
        with suppress(AutodipError, MemoryError):  # the store may be away for a moment
            if read_holder(lock_uri(target)) == mine:
                write_file(lock_uri(target), _content(mine))
            else:  # workers find out before they write
                del self._held[target]


def _wait_for_sign(uri: str) -> None:
    """Return once a lock was renewed or released, or was silent for so long that it is a dead run's."""
    seen, began_s = read_file(uri), time.monotonic()
    while read_file(uri) == seen and time.monotonic() - began_s <= SILENCE_SECONDS + BEAT_SECONDS:
        silence = seconds_unchanged(uri)
        if silence is not None and silence >= SILENCE_SECONDS:
            return
        time.sleep(BEAT_SECONDS / 10)


def _take(uri: str, me: Holder) -> Holder | None:
    """Create a lock, or take over that of a dead run; return who holds it where neither can be done.

    Raises
    ------
    TargetError
        It cannot be written, or something lies in its place that is no file.
    """
    attempts = 0
    while not create_file(uri, _content(me)):
        holder = read_holder(uri)
        if holder is None:  # released a moment ago
            attempts += 1
            if attempts >= _MOST_ATTEMPTS:
                raise TargetError(uri, "is there and cannot be read", "a lock file, or none", "remove it")
            time.sleep(_TURN_PAUSE_SECONDS / 10)
            continue
        if is_dead_here(holder, me) is False or not _take_over(uri, holder, me):
            return holder
        break
    return None


def _take_over(uri: str, holder: Holder, me: Holder) -> bool:
    """Replace the lock of a dead run; of several runs that try, one succeeds."""
    claim = f"{uri}.{holder.token or 'broken'}"
    if not create_file(claim, _content(me)):
        rival = read_holder(claim)
        if rival is not None and _is_dead(claim, rival, me):  # died in the middle of this function
            delete_file(claim)
            return _take_over(uri, holder, me)
        return False
    try:
        if not _is_dead(uri, holder, me) or read_holder(uri) != holder:
            return False
        write_file(uri, _content(me))
    finally:
        delete_file(claim)
    return True


def _is_dead(uri: str, holder: Holder, me: Holder) -> bool:
    dead = is_dead_here(holder, me)
    if dead is None:
        silence = seconds_unchanged(uri)
        dead = silence is not None and silence >= SILENCE_SECONDS
    return dead


def _refusal(target: str, holder: Holder) -> TargetError:
    hint = (
        "wait until it is done, or stop it; a lock left by a dead run is taken over at once on its own "
        f"computer, and after {SILENCE_SECONDS:.0f} s of silence from elsewhere: run the same command again"
    )
    return TargetError(target, f"another run writes there ({holder})", "one run at a time", hint)
