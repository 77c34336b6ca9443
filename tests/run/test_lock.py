"""One run at a time on a result; the lock of a dead run is taken over, and its late writes are refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from click.testing import CliRunner

from autodip_zarr.cli import main
from autodip_zarr.errors import TargetError
from autodip_zarr.run.locks import fencing as fences
from autodip_zarr.run.locks.fencing import Fence
from autodip_zarr.run.locks.locking import (
    SILENCE_SECONDS,
    Holder,
    Locks,
    is_dead_here,
    lock_uri,
    parse_holder,
    read_holder,
)
from autodip_zarr.stores import read_file, write_file
from autodip_zarr.stores.sample import write_sample_zarr

from ..samples import make_sample
from ..stores.builders import ZarrFormat, consolidate, write_plate
from .results import Run, planes, statuses

HOLD = (
    "import sys, time\n"
    "from autodip_zarr.run.locks.locking import Locks\n"
    "with Locks() as locks:\n"
    "    print(locks.acquire(sys.argv[1]), flush=True)\n"
    "    time.sleep(600)\n"
)


class Rival:
    """Another process that holds the lock of a result."""

    def __init__(self, target: Path) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", HOLD, str(target)], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.token = self.process.stdout.readline().decode().strip()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def target(tmp_path: Path) -> str:
    return str(tmp_path / "x.zarr")


@pytest.fixture(params=["folder", "memory"])
def any_target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A result in a folder, and behind fsspec."""
    if request.param == "folder":
        yield str(tmp_path / "x.zarr")
        return
    uri = f"memory://{uuid.uuid4().hex}"
    yield f"{uri}/x.zarr"
    memory = fsspec.filesystem("memory")
    if memory.exists(uri):
        memory.rm(uri, recursive=True)


def holder_of(target: str) -> Holder:
    holder = read_holder(lock_uri(target))
    assert holder is not None
    return holder


def names(folder: Path | str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def forge(target: str, **fields: object) -> None:
    """Rewrite the lock as if another process, or another computer, had written it."""
    document = json.loads(read_file(lock_uri(target)) or b"{}")
    write_file(lock_uri(target), json.dumps({**document, **fields}).encode())


def age(target: str, seconds: float) -> None:
    """Make the lock as old as if it had not been renewed for so long."""
    then = time.time() - seconds
    os.utime(lock_uri(target), (then, then))


def test_a_lock_is_refused_to_others_and_gone_after_release(any_target: str) -> None:
    with Locks() as mine, Locks() as theirs:
        token = mine.acquire(any_target)
        with pytest.raises(TargetError, match=f"process {os.getpid()} on .*, since 20.*stop it") as refused:
            theirs.acquire(any_target)
        assert refused.value.where == any_target
        theirs.release(any_target)
        assert holder_of(any_target).token == token, "nobody releases the lock of another"
        mine.release(any_target)
        assert read_file(lock_uri(any_target)) is None
        assert theirs.acquire(any_target) != token
    assert read_file(lock_uri(any_target)) is None, "released at the end"


def test_who_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with Locks() as locks:
        locks.acquire("memory://who/x.zarr")
        me = holder_of("memory://who/x.zarr")
    assert is_dead_here(me, me) is False
    assert is_dead_here(replace(me, process_started=me.process_started - 100), me) is True, "number reused"
    assert is_dead_here(replace(me, host="elsewhere"), me) is None
    assert is_dead_here(replace(me, machine="another boot"), me) is None
    import psutil

    other = replace(me, pid=child.pid, process_started=psutil.Process(child.pid).create_time())
    assert is_dead_here(other, me) is False
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead_here(other, me) is True, "killed, but nobody has asked for its exit status"
    child.wait()
    assert is_dead_here(other, me) is True


def test_the_lock_of_a_killed_process_is_taken_over_at_once(target: str) -> None:
    rival = Rival(Path(target))
    with Locks() as locks:
        with pytest.raises(TargetError, match=f"process {rival.process.pid}"):
            locks.acquire(target)
        rival.kill()
        assert holder_of(target).token == rival.token, "left behind"
        assert locks.acquire(target) == holder_of(target).token
    assert names(f"{target}/autodip") == []


@pytest.mark.parametrize("content", [None, b"", b"{ cut o"])
def test_a_lock_from_elsewhere_is_taken_over_after_a_minute_of_silence(
    target: str, content: bytes | None
) -> None:
    with Locks() as locks:
        locks.acquire(target)
        forge(target, host="elsewhere", token=uuid.uuid4().hex)
    if content is not None:
        write_file(lock_uri(target), content)
    with Locks() as locks:
        age(target, SILENCE_SECONDS + 1)
        locks.acquire(target)
    assert names(f"{target}/autodip") == []


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_lock_from_elsewhere_is_waited_for_until_it_is_renewed_or_old(target: str, is_alive: bool) -> None:
    """A job that was requeued finds the lock that its predecessor on another node left a moment ago."""
    with Locks() as locks:
        locks.acquire(target)
        forge(target, host="elsewhere", token=uuid.uuid4().hex)
    age(target, SILENCE_SECONDS - 3)
    renewal = threading.Timer(1.5, forge, (target,), {"beat": "now"})
    if is_alive:
        renewal.start()
    began_s = time.monotonic()
    with Locks() as locks:
        if is_alive:
            with pytest.raises(TargetError, match="on elsewhere"):
                locks.acquire(target)
        else:
            locks.acquire(target)
    assert 1 < time.monotonic() - began_s < 30


HONEST = {
    "token": "0" * 32,
    "host": "other",
    "machine": "m",
    "pid": 1,
    "process_started": 0.0,
    "since": "2020-01-01",
}


@pytest.mark.parametrize(
    "forged",
    [
        {"token": "x/../../../../victim.txt"},
        {"token": "x/../victim.txt"},
        {"token": "/victim.txt"},
        {"token": "0" * 31 + "\n"},
        {"token": "0" * 33},
        {"token": ["0" * 32]},
        {"token": 7},
        {"host": "a\nerror: forged"},
        {"host": ["a"]},
        {"pid": 0},
        {"pid": -1},
        {"pid": True},
        {"pid": 10**30},
        {"pid": "1"},
        {"process_started": float("nan")},
        {"process_started": "0"},
        {"process_started": 10**400},
        {"since": "\x1b[2J"},
        {"machine": None},
    ],
)
def test_no_field_of_a_lock_is_believed_that_has_not_its_form(forged: dict[str, object]) -> None:
    assert str(parse_holder(json.dumps(HONEST).encode())) == "process 1 on other, since 2020-01-01"
    holder = parse_holder(json.dumps({**HONEST, **forged}).encode())
    assert (holder.token, holder.pid) == ("", 0), "nobody that is known"


@pytest.mark.parametrize("depth", [2, 3])
def test_a_lock_chooses_no_file_that_is_deleted(tmp_path: Path, run: Run, depth: int) -> None:
    source = tmp_path / "foreign.zarr"
    write_sample_zarr(source, make_sample("x"), "0.5")
    lock = source / "denoised/autodip/lock.json"
    lock.parent.mkdir(parents=True)
    (lock.parent / "lock.json.x").mkdir()  # through which the name of the claim would climb
    folder = (lock.parent / ("../" * depth)).resolve()
    victim = folder / "victim.txt"
    victim.write_text("precious")
    lock.write_text(json.dumps({**HONEST, "token": f"x/../{'../' * depth}victim.txt"}))
    for old in (lock, victim):
        os.utime(old, (time.time() - 3600,) * 2)
    run(source, "--write-back")
    assert victim.read_text() == "precious"


def test_of_many_that_take_over_one_succeeds(target: str) -> None:
    Rival(Path(target)).kill()
    start, tokens, refused = threading.Barrier(8), [], []

    def take(locks: Locks) -> None:
        start.wait()
        try:
            tokens.append(locks.acquire(target))
        except TargetError as error:
            refused.append(error)

    everyone = [Locks() for _ in range(8)]
    threads = [threading.Thread(target=take, args=(locks,)) for locks in everyone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 1
    assert len(refused) == 7
    assert holder_of(target).token == tokens[0]
    assert names(f"{target}/autodip") == ["lock.json"]


def test_a_run_that_died_while_taking_over_is_no_hindrance(target: str) -> None:
    dead = Rival(Path(target))
    dead.kill()
    write_file(f"{lock_uri(target)}.{dead.token}", read_file(lock_uri(target)) or b"")
    with Locks() as locks:
        locks.acquire(target)
    assert names(f"{target}/autodip") == []


def test_a_fence_lets_only_the_holder_through(any_target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Locks() as locks:
        mine = Fence(any_target, locks.acquire(any_target))
        mine.check()
        with pytest.raises(TargetError, match="taken over by process"):
            Fence(any_target, "a token of another run")
        monkeypatch.setattr(fences, "SILENCE_SECONDS", 0.05)
        monkeypatch.setattr(fences, "_LATE_BEAT_SECONDS", 0.1)
        time.sleep(0.1)
        with pytest.raises(TargetError, match="has been silent"):
            mine.check()
        forge(any_target, beat="renewed")
        mine.check()
        forge(any_target, token="0" * 32)
        with pytest.raises(TargetError, match="taken over by process"):
            mine.check()
    assert holder_of(any_target).token == "0" * 32, "the lock of another stays"
    mine_again = Locks()
    with pytest.raises(TargetError, match="since"):
        mine_again.acquire(any_target)


def test_a_second_run_is_refused_the_image_and_does_the_others(tmp_path: Path, run: Run) -> None:
    for name in "xyz":
        write_sample_zarr(tmp_path / f"in/{name}.zarr", make_sample(name), "0.5")
    rival = Rival(tmp_path / "out/y.zarr")
    result = run(tmp_path / "in", "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert statuses(result) == ["done", "failed", "done"]
    (line,) = [line for line in result.stderr.splitlines() if "another run" in line]
    assert f"process {rival.process.pid} on" in line
    assert "run the same command again" in line
    assert names(tmp_path / "out/y.zarr") == ["autodip"], "nothing but the lock of the other"
    rival.kill()
    again = run(tmp_path / "in", "--output", tmp_path / "out")
    assert again.exit_code == 0, again.stderr
    assert statuses(again) == ["unchanged", "done", "unchanged"]
    assert not list((tmp_path / "out").rglob("*lock*"))


def test_overwriting_keeps_the_lock(tmp_path: Path, run: Run) -> None:
    write_sample_zarr(tmp_path / "x.zarr", make_sample("x"), "0.5")
    assert run(tmp_path / "x.zarr", "--output", tmp_path / "out").exit_code == 0
    old = planes(tmp_path / "out/x.zarr")
    rival = Rival(tmp_path / "out/x.zarr")
    again = [tmp_path / "x.zarr", "--output", tmp_path / "out", "--seed", 1, "--overwrite"]
    assert run(*again).exit_code == 1
    np.testing.assert_array_equal(planes(tmp_path / "out/x.zarr"), old)
    rival.kill()
    assert run(*again).exit_code == 0
    assert not np.array_equal(planes(tmp_path / "out/x.zarr"), old)


REGISTER = (
    "import sys\n"
    "from autodip_zarr.run.locks.locking import turn\n"
    "from autodip_zarr.stores import register_well_image\n"
    "sys.stdin.readline()\n"
    "for image in sys.argv[2:]:\n"
    "    register_well_image(sys.argv[1], image, None, turn)\n"
)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_runs_that_write_back_into_one_well_at_once_lose_no_entry(
    tmp_path: Path, run: Run, zarr_format: ZarrFormat
) -> None:
    plate = write_plate(tmp_path / "p.zarr", zarr_format, wells=("A/1",), fields=8)
    consolidate(plate, zarr_format)
    documents = [path for path in plate.rglob("*") if path.name in {"zarr.json", ".zattrs", ".zmetadata"}]
    before = {path: path.read_bytes() for path in documents}
    assert run(plate, "--write-back").exit_code == 0
    after = {path: path.read_bytes() for path in documents}
    for path, content in before.items():
        path.write_bytes(content)
    images = [f"A/1/{field}denoised" for field in range(8)]
    rivals = [
        subprocess.Popen([sys.executable, "-c", REGISTER, str(plate), *images[n::4]], stdin=subprocess.PIPE)
        for n in range(4)
    ]
    for rival in rivals:
        assert rival.stdin is not None
        rival.stdin.close()
    assert [rival.wait(120) for rival in rivals] == [0] * 4
    well = json.loads((plate / "A/1" / ("zarr.json" if zarr_format == 3 else ".zattrs")).read_bytes())
    listed = (well["attributes"]["ome"] if zarr_format == 3 else well)["well"]["images"]
    assert {image["path"] for image in listed} >= {image.rsplit("/", 1)[1] for image in images}
    assert not list(plate.glob(".autodip-zarr*"))
    for image in images:
        CliRunner().invoke(main, ["remove", f"{plate}/{image}"], catch_exceptions=False)
    assert {path: path.read_bytes() for path in documents} == before
    assert after != before


def test_of_two_runs_at_the_same_moment_one_is_refused_or_has_nothing_to_do(
    tmp_path: Path, quick_table: str
) -> None:
    source = tmp_path / "x.zarr"
    write_sample_zarr(source, make_sample("x", (1, 1, 6, 64, 64)), "0.5")
    command = [sys.executable, "-m", "autodip_zarr", "denoise", str(source), "--output"]
    command += [str(tmp_path / "out"), "--table", quick_table, "--workers", "1", "--json"]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    told = [(*one.communicate(timeout=300), one.returncode) for one in both]
    found = sorted(json.loads(out)["images"][0]["status"] for out, _, _ in told)
    assert found[0] == "done", told
    assert found[1] in {"failed", "unchanged"}, told
    for out, error, code in told:
        if json.loads(out)["images"][0]["status"] == "failed":
            assert code == 1
            assert "another run writes there" in error
    assert CliRunner().invoke(main, ["verify", str(tmp_path / "out")]).exit_code == 0
