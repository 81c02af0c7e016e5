"""Where a request begins and ends: the head through llhttp, the body by hand.

llhttp cannot stop between two messages, and on `Upgrade` it takes no body. So it is given exactly the bytes
of one head and nothing else; what follows is counted here, and no byte behind a request is ever touched.
The reader is strict: a thing that two programs could read in two ways is refused (RFC 9112, section 11.2).
"""

import re
from dataclasses import dataclass
from typing import Final, Protocol

import httptools

from havre.api.status import HeadersTooLarge, MalformedRequest, TargetTooLong

# Build arguments travel in the query and X-Registry-Config in a header: real clients send hundreds of kilobytes,
# so the 32 KiB that a web server would allow do not serve here.
TARGET_LIMIT_BYTES: Final = 1 << 20
FIELDS_LIMIT_BYTES: Final = 1 << 20
FIELDS_LIMIT: Final = 100
_REQUEST_LINE_REST_BYTES: Final = 64

_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,12}")
_CHUNK_LINE_LIMIT_BYTES: Final = 32


class Parser(Protocol):
    """What is used of httptools' parser, which has no types of its own."""

    def feed_data(self, data: bytes) -> None:
        """Read further bytes, calling back meanwhile."""

    def get_method(self) -> bytes:
        """The method of the head."""

    def get_http_version(self) -> str:
        """The version as text."""


@dataclass(slots=True)
class Head:
    """A request without its body; names of fields in lower case, repeated ones joined by a comma."""

    method: str
    target: bytes
    fields: dict[str, str]
    keep_alive: bool
    may_chunk: bool

    @property
    def length(self) -> int | None:
        """The bytes of the body; None when it comes in chunks."""
        if "transfer-encoding" in self.fields:
            return None
        return int(self.fields.get("content-length", "0"))


class HeadReader:
    """Reads one head after the other from bytes as they arrive."""

    def __init__(self) -> None:
        self.rest = b""
        """What follows the head, valid when `feed` gave one."""
        self._fields: dict[str, str] = {}
        self._tail = b""
        self._error: MalformedRequest | None = None
        self._restart()

    @property
    def began(self) -> bool:
        """Whether a part of a head has arrived."""
        return self._size > 0

    def feed(self, data: bytes) -> Head | None:
        """The head that *data* completes. Raises MalformedRequest, after which the reader is of no more use."""
        while True:
            joined = self._tail + data
            found = joined.find(_END_OF_HEAD)
            end = found + len(_END_OF_HEAD) - len(self._tail) if found >= 0 else len(data)
            self._parse(data[:end])
            if self._complete:
                self.rest = data[end:]
                return self._finish()
            if found < 0:
                self._tail = joined[-3:]
                return None
            # Empty lines in front of a request are passed over: RFC 9112, section 2.2.
            data, self._tail = data[end:], b""

    def on_message_begin(self) -> None:
        """Called by the parser."""
        if self._complete:
            self._error = MalformedRequest("a request began inside another")

    def on_url(self, piece: bytes) -> None:
        """Called by the parser, perhaps several times."""
        self._target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser for each whole field."""
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1").rstrip(" \t")
        if key in self._fields:
            if key == "host":
                self._error = MalformedRequest("too many Host headers")
            text = f"{self._fields[key]}, {text}"
        self._fields[key] = text
        self._count += 1

    def on_headers_complete(self) -> None:
        """Called by the parser at the empty line."""
        self._complete = True

    def _parse(self, data: bytes) -> None:
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # llhttp would stop reading HTTP here; where the body ends is decided below anyway
        except httptools.HttpParserError as broken:
            if self._error is None:
                self._error = MalformedRequest(f"malformed HTTP request: {broken}")
        if len(self._target) > TARGET_LIMIT_BYTES:
            raise TargetTooLong("the request line is too long")
        if self._count > FIELDS_LIMIT:
            raise HeadersTooLarge("too many header fields")
        if self._size > TARGET_LIMIT_BYTES + FIELDS_LIMIT_BYTES + _REQUEST_LINE_REST_BYTES or (
            self._target and self._size - len(self._target) > FIELDS_LIMIT_BYTES + _REQUEST_LINE_REST_BYTES
        ):
            raise HeadersTooLarge("the header fields are too long")
        if self._error is not None:
            raise self._error

    def _finish(self) -> Head:
        version = self._parser.get_http_version()
        fields = self._fields
        if version not in ("1.0", "1.1"):
            raise MalformedRequest("malformed HTTP version")
        if version == "1.1" and "host" not in fields:
            raise MalformedRequest("missing required Host header")
        _check_framing(fields)
        tokens = {token.strip() for token in fields.get("connection", "").lower().split(",")}
        keep_alive = version == "1.1" and "close" not in tokens
        head = Head(self._parser.get_method().decode(), self._target, fields, keep_alive, version == "1.1")
        self._restart()
        return head

    def _restart(self) -> None:
        self._parser: Parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._fields = {}
        self._count = 0
        self._size = 0
        self._tail = b""
        self._complete = False
        self._error = None


def _check_framing(fields: dict[str, str]) -> None:
    encoding, length = fields.get("transfer-encoding"), fields.get("content-length")
    if encoding is not None and length is not None:
        raise MalformedRequest("Transfer-Encoding and Content-Length together")
    if encoding is not None and encoding.lower() != "chunked":
        raise MalformedRequest(f"unsupported Transfer-Encoding: {encoding[:64]!r}")
    if length is not None and not _LENGTH.fullmatch(length):
        raise MalformedRequest(f"bad Content-Length: {length[:64]!r}")


class LengthDecoder:
    """A body of a known number of bytes."""

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def ended(self) -> bool:
        """Whether the whole body has been seen."""
        return self._left == 0

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """The pieces of the body in *data*, and what follows the body."""
        piece, rest = data[: self._left], data[self._left :]
        self._left -= len(piece)
        return [piece] if piece else [], rest


class ChunkDecoder:
    """A body in chunks (RFC 9112, section 7.1), without extensions and trailers, which no client of ours sends."""

    def __init__(self) -> None:
        self.ended = False
        self._line = b""
        self._left = 0
        self._after_data = False
        self._last = False

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """The pieces of the body in *data*, and what follows the body. Raises MalformedRequest."""
        pieces: list[bytes] = []
        position = 0
        while position < len(data) and not self.ended:
            if self._left:
                piece = data[position : position + self._left]
                pieces.append(piece)
                position += len(piece)
                self._left -= len(piece)
                self._after_data = self._left == 0
                continue
            end = data.find(b"\n", position)
            line = self._line + data[position : end + 1 if end >= 0 else len(data)]
            if len(line) > _CHUNK_LINE_LIMIT_BYTES:
                raise MalformedRequest("malformed chunk size")
            if end < 0:
                self._line = line
                return pieces, b""
            self._line, position = b"", end + 1
            self._take_line(line)
        return pieces, data[position:]

    def _take_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            raise MalformedRequest("a line of a chunked body does not end with CR LF")
        text = line[:-2]
        if self._after_data or self._last:
            if text:
                raise MalformedRequest("unexpected bytes in a chunked body")
            self._after_data, self.ended = False, self._last
            return
        if not _CHUNK_SIZE.fullmatch(text):
            raise MalformedRequest("malformed chunk size")
        self._left = int(text, 16)
        self._last = self._left == 0
