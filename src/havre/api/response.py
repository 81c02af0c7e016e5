"""What a route answers: a whole body, a stream, or the connection itself."""

import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from havre.api.status import PHRASES, message_of, status_of
from havre.wire.versions import ENGINE_VERSION, MAX_API

JSON: Final = "application/json"
TAR: Final = "application/x-tar"
TEXT: Final = "text/plain; charset=utf-8"

_NO_HEADERS: Final[Mapping[str, str]] = {}
_BODILESS: Final = frozenset((204, 304))
_encoder: Final = msgspec.json.Encoder()


@dataclass(slots=True)
class Response:
    """A status and a whole body."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)


@dataclass(slots=True)
class Stream:
    """A body without known length; the head leaves at once, each piece as soon as it is there."""

    pieces: AsyncIterator[bytes]
    content_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)


@dataclass(slots=True)
class Hijack:
    """The connection itself: after the head it belongs to *take*, which also gets the bytes that came early.

    *take* owns the socket and may keep it when it returns; when it raises, the socket is closed here.
    With *headers* the answer is 101 with these, for a protocol that the route itself has agreed on.
    """

    content_type: str
    take: Callable[[socket.socket, bytes], Awaitable[None]]
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)


Answer: TypeAlias = Response | Stream | Hijack


def as_json(value: object, status: int = 200) -> Response:
    """*value* as JSON; bytes are taken for JSON that is ready."""
    body = value if isinstance(value, bytes) else _encoder.encode(value)
    return Response(status, body + b"\n", JSON)


def encoded(value: object) -> bytes:
    """*value* as JSON, for a line of a stream; bytes are taken for JSON that is ready."""
    return value if isinstance(value, bytes) else _encoder.encode(value)


def as_error(error: Exception) -> Response:
    """The answer that tells *error*."""
    status = status_of(error)
    return Response(status) if status in _BODILESS else as_json({"message": message_of(error)}, status)


class Heads:
    """Writes the heads of answers; the fields that are in every answer are made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._common = b""

    def common(self) -> bytes:
        """The fields of every answer."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
            self._common = (
                f"Api-Version: {MAX_API}\r\nDate: {date}\r\nDocker-Experimental: false\r\nOstype: linux\r\n"
                f"Server: Docker/{ENGINE_VERSION} (linux)\r\n"
            ).encode()
        return self._common

    def whole(self, answer: Response, *, close: bool) -> bytes:
        """The head of an answer whose body is known."""
        head = _status_line(answer.status) + self.common() + _fields(answer.content_type, answer.headers)
        if answer.status not in _BODILESS:
            head += b"Content-Length: %d\r\n" % len(answer.body)
        return head + (b"Connection: close\r\n\r\n" if close else b"\r\n")

    def stream(self, answer: Stream, *, chunked: bool, close: bool) -> bytes:
        """The head of an answer that ends when it ends."""
        head = _status_line(answer.status) + self.common() + _fields(answer.content_type, answer.headers)
        if chunked:
            head += b"Transfer-Encoding: chunked\r\n"
        return head + (b"Connection: close\r\n\r\n" if close else b"\r\n")

    def hijack(self, answer: Hijack, *, upgrade: bool) -> bytes:
        """The last words of HTTP on a connection."""
        content_type = answer.content_type
        if answer.headers:
            return _status_line(101) + _fields("", answer.headers) + self.common() + b"\r\n"
        if not upgrade:
            return _status_line(200) + _fields(content_type, _NO_HEADERS) + self.common() + b"\r\n"
        fields = _fields(content_type, {"Connection": "Upgrade", "Upgrade": "tcp"})
        return _status_line(101) + fields + self.common() + b"\r\n"


def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {PHRASES.get(status, 'Unknown')}\r\n".encode()


def _fields(content_type: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    if content_type:
        lines.append(f"Content-Type: {content_type}\r\n")
    return "".join(lines).encode()
