"""The lock of a result on a real S3 server, which knows conditional writes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import pytest

from autodip_zarr.errors import TargetError
from autodip_zarr.run.locks import locking
from autodip_zarr.run.locks.fencing import Fence
from autodip_zarr.run.locks.locking import Locks, lock_uri, read_holder
from autodip_zarr.stores import create_file, read_file, seconds_unchanged, write_file

from ..run.test_lock import HOLD


def test_two_writers_at_the_same_moment(bucket: str) -> None:
    start, written = threading.Barrier(6), []

    def write(number: int) -> None:
        start.wait()
        if create_file(f"{bucket}/lock.json", str(number).encode()):
            written.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == 1
    assert read_file(f"{bucket}/lock.json") == str(written[0]).encode()


def test_a_lock_in_a_bucket(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = f"{bucket}/x.zarr"
    process = subprocess.Popen([sys.executable, "-c", HOLD, target], stdout=subprocess.PIPE)
    assert process.stdout is not None
    token = process.stdout.readline().decode().strip()
    with Locks() as locks:
        with pytest.raises(TargetError, match=f"process {process.pid} on"):
            locks.acquire(target)
        Fence(target, token).check()
        process.kill()
        process.communicate()
        mine = locks.acquire(target)
        with pytest.raises(TargetError, match="taken over by"):
            Fence(target, token)
        Fence(target, mine).check()
        document = json.loads(read_file(lock_uri(target)) or b"")
    assert read_holder(lock_uri(target)) is None
    write_file(lock_uri(target), json.dumps({**document, "host": "elsewhere"}).encode())
    with Locks() as locks:
        renewed = json.dumps({**document, "host": "elsewhere", "beat": "later"}).encode()
        renewal = threading.Timer(2, write_file, (lock_uri(target), renewed))
        renewal.start()
        with pytest.raises(TargetError, match="elsewhere"):
            locks.acquire(target)
        renewal.join()
        monkeypatch.setattr(locking, "SILENCE_SECONDS", 1.0)
        time.sleep(2.1)  # the server's times are whole seconds
        silence = seconds_unchanged(lock_uri(target))
        assert silence is not None
        assert 1 <= silence < 60
        locks.acquire(target)
