"""A server between a client and a registry that breaks what it passes on, as it is told."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

Fault = Callable[["Between", bytes], bool]
"""Gets the request's handler and the registry's body; answers itself and gives True, or leaves it and gives False."""


class Between(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target: ClassVar[tuple[str, int]]
    faults: ClassVar[list[tuple[str, Fault]]]
    seen: ClassVar[list[str]]

    def do_GET(self) -> None:
        type(self).seen.append(f"{self.command} {self.path}")
        status, headers, body = self._ask()
        for at, (part, fault) in enumerate(self.faults):
            if part in f"{self.command} {self.path}":
                del self.faults[at]
                if fault(self, body):
                    return
                break
        self.answer(status, headers, body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reset(self) -> None:
        """End the connection with RST."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _ask(self) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(*self.target, timeout=20)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request(self.command, self.path, headers=kept)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        except OSError:
            return 502, {}, b""
        finally:
            connection.close()


@contextmanager
def between(address: str, port: int, *faults: tuple[str, Fault]) -> Iterator[tuple[str, type[Between]]]:
    """The URL of a server before the registry at *address*; each fault strikes once, where its text is found."""

    class Handler(Between):
        target = (address, port)
        seen: ClassVar[list[str]] = []

    Handler.faults = list(faults)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", Handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def status(code: int, **headers: str) -> Fault:
    """Answer with *code*."""

    def fault(handler: Between, body: bytes) -> bool:
        del body
        handler.answer(code, {name.replace("_", "-"): value for name, value in headers.items()}, b"")
        return True

    return fault


def cut(after: int) -> Fault:
    """Send the head and *after* bytes of the body, then reset."""

    def fault(handler: Between, body: bytes) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:after])
        handler.reset()
        return True

    return fault


def reset(handler: Between, body: bytes) -> bool:
    """Reset at once."""
    del body
    handler.reset()
    return True


def wrong(handler: Between, body: bytes) -> bool:
    """Send other bytes of the same length."""
    handler.answer(200, {}, bytes(byte ^ 1 for byte in body))
    return True


def longer(handler: Between, body: bytes) -> bool:
    """Send more than was promised before."""
    handler.answer(200, {}, body + b"more")
    return True


def whole(handler: Between, body: bytes) -> bool:
    """Ignore a Range: the registry is asked again for all of it."""
    del body
    del handler.headers["Range"]
    code, headers, body = handler._ask()
    handler.answer(code, headers, body)
    return True
