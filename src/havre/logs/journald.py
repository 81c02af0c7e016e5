"""Lines to systemd's journal, over its own socket, with the fields of Docker's journald driver."""

import os
import time

from havre.logs.peer import Address, Peer
from havre.logs.sink import Lines, Piece

SOCKET = "/run/systemd/journal/socket"
_PRIORITIES = (b"6", b"6", b"3")
_NS = 1_000_000_000


def field_name(name: str) -> str:
    """*name* as the journal takes it: capitals, digits and underscores, none of the latter at the beginning."""
    made = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.upper())
    return made.lstrip("_")


class JournaldWriter:
    """Sends each line with the container's *fields*; see Peer for a journal that is slow or gone."""

    def __init__(self, fields: "dict[str, str]", place: str = SOCKET, limit: int = 0, *, eager: bool = True) -> None:
        self._common = b"".join(_field(name.encode(), value.encode()) for name, value in fields.items())
        self._common += _field(b"CONTAINER_LOG_EPOCH", _new_id())
        self._ordinal = 0
        self._lines = [Lines() for _ in _PRIORITIES]
        self._line_ids = [b""] * len(_PRIORITIES)
        self.peer = Peer(Address("unixgram", place), limit, eager=eager)

    def write(self, stream: int, data: bytes, time_ns: int = 0) -> None:
        """Take *data* that *stream* said."""
        self._send(stream, self._lines[stream].feed(data, time_ns))

    def end(self, stream: int, time_ns: int = 0) -> None:
        """*stream* has ended."""
        self._send(stream, self._lines[stream].end(time_ns))

    def close(self) -> None:
        """End both streams and the connection."""
        for stream in range(len(self._lines)):
            self.end(stream)
        self.peer.close()

    def _send(self, stream: int, pieces: list[Piece]) -> None:
        moment, stamp, messages = -1, b"", []
        for piece in pieces:
            self._ordinal += 1
            if piece.time_ns != moment:
                moment, stamp = piece.time_ns, _field(b"SYSLOG_TIMESTAMP", _rfc3339(piece.time_ns))
            head = _field(b"MESSAGE", piece.text) + _field(b"PRIORITY", _PRIORITIES[stream]) + stamp
            place = b"CONTAINER_LOG_ORDINAL=%d\n" % self._ordinal
            messages.append(head + self._common + place + self._part(stream, piece))
        if messages:
            self.peer.send(messages)

    def _part(self, stream: int, piece: Piece) -> bytes:
        """What tells of a piece of a long line, and of a line that its stream's end cut off."""
        if not piece.ordinal:
            return b""
        if piece.ordinal == 1:
            self._line_ids[stream] = _new_id()
        told = (self._line_ids[stream], piece.ordinal, b"false" if piece.more else b"true")
        fields = b"CONTAINER_PARTIAL_ID=%b\nCONTAINER_PARTIAL_ORDINAL=%d\nCONTAINER_PARTIAL_LAST=%b\n" % told
        return fields + (b"CONTAINER_PARTIAL_MESSAGE=true\n" if piece.more else b"")


def _new_id() -> bytes:
    return os.urandom(32).hex().encode()


def _rfc3339(time_ns: int) -> bytes:
    seconds, nanos = divmod(time_ns, _NS)
    part = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}{part}Z".encode()


def _field(name: bytes, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name, len(value).to_bytes(8, "little"), value)
    return b"%b=%b\n" % (name, value)
