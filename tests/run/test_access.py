"""Nobody else on the machine can have a run's workers do anything, or read what the run knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from autodip_zarr.run.choices import Machine
from autodip_zarr.run.scheduling.connect import connect

INTRUDER = """
import asyncio, json, os, sys
from distributed import Client, Security
from distributed.core import rpc
import distributed.protocol, distributed.comm.tcp, cryptography.x509
own = Security.temporary()
if os.getuid() == 0:  # another user of this machine
    os.setgroups([]), os.setgid(65534), os.setuid(65534)

def secret():
    return os.environ.get("AWS_SECRET_ACCESS_KEY", "none")

async def ask(address, security):
    args = None if security is None else security.get_connection_args("client")
    async with rpc(address, connection_args=args) as there:
        return await there.identity()

found = {}
for address in sys.argv[1:]:
    plain = address.replace("tls://", "tcp://")
    for name, where, security in (("tcp", plain, None), ("tls", plain.replace("tcp://", "tls://"), own)):
        try:
            found[f"{name} {address}"] = str(asyncio.run(asyncio.wait_for(ask(where, security), 4)))
        except BaseException as error:
            found[f"{name} {address}"] = type(error).__name__
    try:
        with Client(plain, timeout=3) as client:
            found["code"] = str(client.run(secret))
    except BaseException as error:
        found[f"code {address}"] = type(error).__name__
print(json.dumps(found))
"""


REFUSED = {"OSError", "TimeoutError", "CommClosedError", "FatalCommClosedError", "SSLError"}


def test_another_user_reaches_neither_scheduler_nor_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame")
    with connect(Machine("cpu", workers=1)) as client:
        assert list(client.run(os.environ.get, "AWS_SECRET_ACCESS_KEY").values()) == ["sesame"]
        ((address, worker),) = client.scheduler_info()["workers"].items()
        assert client.scheduler is not None
        addresses = [client.scheduler.address, address, worker["nanny"]]
        ran = subprocess.run(
            [sys.executable, "-c", INTRUDER, *addresses],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        found = json.loads(ran.stdout)
        assert len(found) == 9, found
        assert set(found.values()) <= REFUSED, found
        assert "sesame" not in ran.stdout + ran.stderr
        base = client.dashboard_link.removesuffix("/status")
        assert base.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{base}/health") as answer:
            assert answer.status == 200
        for page in ("/info/main/workers.html", "/info/logs.html", "/json/identity.json", "/proxy/1/h/x"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(base + page)
