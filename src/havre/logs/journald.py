"""Lines to systemd's journal, over its own socket, with the fields of Docker's journald driver."""

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
        self._lines = [Lines() for _ in _PRIORITIES]
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
        messages = []
        for piece in pieces:
            seconds, nanos = divmod(piece.time_ns, _NS)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanos:09d}Z"
            head = _field(b"MESSAGE", piece.text) + _field(b"PRIORITY", _PRIORITIES[stream])
            partial = b"CONTAINER_PARTIAL_MESSAGE=true\n" if piece.more else b""
            messages.append(head + _field(b"SYSLOG_TIMESTAMP", stamp.encode()) + self._common + partial)
        if messages:
            self.peer.send(messages)


def _field(name: bytes, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name, len(value).to_bytes(8, "little"), value)
    return b"%b=%b\n" % (name, value)
