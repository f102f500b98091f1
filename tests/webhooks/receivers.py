"""Receivers on this machine: what they heard, and the many ways they answer."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Heard:
    """One request a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    def is_signed_by(self, secret: str) -> bool:
        """Check the signature with nothing of Coveris: hmac over "timestamp.body", any of those given."""
        message = f"{self.headers['Coveris-Timestamp']}.".encode() + self.body
        expected = "v1=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
        return any(hmac.compare_digest(one.strip(), expected) for one in self.headers["Coveris-Signature"].split(","))


Behaviour = Callable[[BaseHTTPRequestHandler], None]


def says(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def after(seconds: float) -> Behaviour:
    """Take an event after a while."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        says(204)(handler)

    return behave


def is_silent(seconds: float) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)

    return behave


def drips(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte of the answer every fifth of a second: no pause is long, and it never ends."""
    for number in range(200):
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Long: "[number : number + 1] or b"x")
        handler.wfile.flush()
        time.sleep(0.2)


def floods(handler: BaseHTTPRequestHandler) -> None:
    """Answer with far more than anybody wants to read."""
    handler.send_response(200)
    handler.end_headers()
    for _number in range(2_000):
        handler.wfile.write(b"x" * 65_536)


@dataclass
class Receiver:
    """A receiver that runs: its address, what it heard, and how it answers now."""

    server: ThreadingHTTPServer
    scheme: str
    behaviour: Behaviour = field(default_factory=lambda: says(204))
    heard: list[Heard] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/coveris"


@contextmanager
def receiver(behaviour: Behaviour | None = None, *, certificate: tuple[str, str] | None = None) -> Iterator[Receiver]:
    """Run a receiver on a free port of the loopback; with a certificate (file, key) it speaks TLS."""
    running: Receiver

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            running.heard.append(Heard(self.path, dict(self.headers), body))
            try:
                running.behaviour(self)
            except OSError:
                self.close_connection = True  # whoever asked did not wait

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_args: None  # type: ignore[method-assign]
    running = Receiver(server, "http" if certificate is None else "https")
    if behaviour is not None:
        running.behaviour = behaviour
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
