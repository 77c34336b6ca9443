"""Real servers on loopback: S3, a web server of files, and a proxy that counts requests and misbehaves."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

KEY, SECRET = "AKIAEXAMPLEKEY", "verySecretWordOfTheTest"
BUCKET = "archive"

Fault = Literal["busy", "reset", "stall", "half", "refused"]
"""503; connection reset; no answer; the right Content-Length and half of the body."""


@dataclass(frozen=True)
class Request:
    """One request that reached the proxy."""

    method: str
    """GET, HEAD, PUT, ..."""
    key: str
    """Path on the server, without the query."""
    query: str
    """Query, which tells listings from objects."""
    span: str | None
    """Header ``Range``."""

    @property
    def kind(self) -> str:
        """Return the method, with listings told apart."""
        return "LIST" if self.method == "GET" and "list-type" in self.query else self.method


class _Threaded(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


@contextlib.contextmanager
def serving(server: http.server.HTTPServer) -> Iterator[int]:
    """Run a server in a thread and yield its port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Run an S3 server in a process of its own, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "s3.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, "the S3 server ended at once"
        time.sleep(0.1)
    raise AssertionError("the S3 server does not answer")


class WebHandler(http.server.BaseHTTPRequestHandler):
    """Serves files of a folder, with byte ranges unless told otherwise, and lists nothing."""

    protocol_version = "HTTP/1.1"
    folder: Path
    ranges = True
    password: str | None = None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def is_known(self) -> bool:
        """Return whether who asks has the password, as that of a user or as a signature."""
        if self.password is None:
            return True
        user = base64.b64encode(f"me:{self.password}".encode()).decode()
        signature = f"sig={quote(self.password, safe='')}"
        return self.headers.get("Authorization") == f"Basic {user}" or urlsplit(self.path).query == signature

    def answer(self, *, body: bool) -> None:
        if not self.is_known():
            self.reply(403, {}, b"")
            return
        path = self.folder / unquote(urlsplit(self.path).path).lstrip("/")
        if not path.is_file():
            self.reply(404, {}, b"no such file" if body else b"")
            return
        content, status, headers = path.read_bytes(), 200, {}
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "")) if self.ranges else None
        if self.ranges:
            headers["Accept-Ranges"] = "bytes"
        if found is not None:
            size = len(content)
            start = int(found[1]) if found[1] else max(size - int(found[2]), 0)
            stop = min(int(found[2]) + 1, size) if found[1] and found[2] else size
            status, content = 206, content[start:stop]
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        self.reply(status, headers, content, body=body)

    def reply(self, status: int, headers: dict[str, str], content: bytes, *, body: bool = True) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)


@contextlib.contextmanager
def web_server(
    folder: Path, tls: ssl.SSLContext | None = None, *, ranges: bool = True, password: str | None = None
) -> Iterator[str]:
    """Serve a folder, to those who have the password if there is one, and yield the address."""
    handler = type("Handler", (WebHandler,), {"folder": folder, "ranges": ranges, "password": password})
    server = _Threaded(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        yield f"https://localhost:{port}" if tls is not None else f"http://127.0.0.1:{port}"


@dataclass
class Proxy:
    """Passes requests on, keeps a list of them, and answers some of them badly."""

    behind: str
    """Address of the server behind."""
    address: str = ""
    """Its own address."""
    requests: list[Request] = field(default_factory=list)
    """All that it has seen."""
    fault: Callable[[int, Request], Fault | None] = lambda _number, _request: None
    """What to do to a request, by its number from 1 and what it is."""
    over: threading.Event = field(default_factory=threading.Event)
    """Set at the end, so that stalled requests end."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Guards the list."""

    def kinds(self) -> dict[str, int]:
        """Return how many requests of each kind there were."""
        return dict(Counter(request.kind for request in self.requests))

    def clear(self) -> None:
        """Forget what was seen, and behave."""
        with self.lock:
            self.requests.clear()
        self.fault = lambda _number, _request: None


class ProxyHandler(http.server.BaseHTTPRequestHandler):
    """One connection to a proxy."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        request = Request(self.command, unquote(url.path), url.query, self.headers.get("Range"))
        with self.proxy.lock:
            self.proxy.requests.append(request)
            number = len(self.proxy.requests)
        fault = self.proxy.fault(number, request)
        if fault == "busy":
            self.reply(503, [], b"")
        elif fault == "refused":
            self.reply(403, [], b"")
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault == "stall":
            self.proxy.over.wait(60)
            self.close_connection = True
        else:
            self.pass_on(body, half=fault == "half")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815 - names of http.server

    def pass_on(self, body: bytes, *, half: bool) -> None:
        behind = http.client.HTTPConnection(urlsplit(self.proxy.behind).netloc, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        behind.request(self.command, self.path, body, headers)
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        kept = [(n, v) for n, v in answer.getheaders() if n.lower() not in _HOP and n.lower() != "date"]
        self.reply(answer.status, kept, content, half=half)

    def reply(
        self, status: int, headers: list[tuple[str, str]], content: bytes, *, half: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name, _ in headers}:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if half else content)
        if half:
            self.close_connection = True


_HOP = {"connection", "transfer-encoding", "keep-alive", "server"}


@contextlib.contextmanager
def proxy_of(address: str) -> Iterator[Proxy]:
    """Run a proxy in front of a server."""
    proxy = Proxy(address)
    handler = type("Handler", (ProxyHandler,), {"proxy": proxy})
    with serving(_Threaded(("127.0.0.1", 0), handler)) as port:
        proxy.address = f"http://127.0.0.1:{port}"
        try:
            yield proxy
        finally:
            proxy.over.set()
