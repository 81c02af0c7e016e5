"""What every log driver is to the shim, and the cutting of what is said into lines."""

import time
from typing import NamedTuple, Protocol

PARTIAL_LIMIT = 16 << 10
"""A longer line is cut into pieces of this many bytes."""


class Writer(Protocol):
    """Takes what a container says. Nothing raises: what cannot be written is counted."""

    @property
    def lost_lines(self) -> int:
        """How many lines could not be written."""

    @property
    def lost_bytes(self) -> int:
        """How many bytes could not be written."""

    @property
    def waiting(self) -> bool:
        """Whether something waits to be taken on: where nothing may be lost, no more is to be given."""

    @property
    def behind(self) -> int:
        """The descriptor that it waits for, or -1: for none, or for somebody who is gone and is tried again."""

    def write(self, stream: int, data: bytes, time_ns: int = 0) -> None:
        """Take *data* that *stream* (1 or 2) said at *time_ns* (0: now)."""

    def catch_up(self) -> None:
        """Pass on what waits, as far as it goes: the descriptor takes more, or a second has gone by."""

    def end(self, stream: int, time_ns: int = 0) -> None:
        """*stream* has ended: what it said after its last newline is a line too."""

    def close(self) -> None:
        """End both streams and give everything back. Closing twice is no error."""


class Queue(Protocol):
    """What waits for a peer: see peer.Peer."""

    lost_lines: int
    lost_bytes: int

    @property
    def waiting(self) -> bool:
        """See Writer."""

    @property
    def behind(self) -> int:
        """See Writer."""

    def catch_up(self) -> None:
        """See Writer."""


class Remote(Protocol):
    """A writer to a peer."""

    @property
    def peer(self) -> Queue:
        """The peer."""

    def write(self, stream: int, data: bytes, time_ns: int = 0) -> None:
        """Take *data* that *stream* said."""

    def end(self, stream: int, time_ns: int = 0) -> None:
        """*stream* has ended."""

    def close(self) -> None:
        """End both streams and the connection."""


class Piece(NamedTuple):
    """A line without its newline, or the *ordinal*-th piece of a long one, which goes on when *more*."""

    text: bytes
    time_ns: int
    ordinal: int = 0
    more: bool = False


class Lines:
    """Cuts what one stream says into lines, as Docker does: all pieces of a long line have the time of the first."""

    def __init__(self) -> None:
        self._rest = b""
        self._since = 0
        self._ordinal = 0

    def feed(self, data: bytes, time_ns: int = 0) -> list[Piece]:
        """The lines and pieces that *data* completes."""
        now = time_ns or time.time_ns()
        *lines, rest = (self._rest + data).split(b"\n")
        found: list[Piece] = []
        for line in lines:
            if self._ordinal or len(line) >= PARTIAL_LIMIT:
                left = self._cut(line, now, found)
                found.append(Piece(left, self._since, self._ordinal + 1))
                self._ordinal = 0
            else:
                found.append(Piece(line, now))
        self._rest = self._cut(rest, now, found) if len(rest) >= PARTIAL_LIMIT else rest
        return found

    def end(self, time_ns: int = 0) -> list[Piece]:
        """What was said after the last newline: a piece that nothing follows."""
        rest, self._rest = self._rest, b""
        since = self._since if self._ordinal else time_ns or time.time_ns()
        ordinal, self._ordinal = self._ordinal, 0
        return [Piece(rest, since, ordinal + 1, more=True)] if rest else []

    def _cut(self, line: bytes, now: int, found: list[Piece]) -> bytes:
        at = 0
        while len(line) - at >= PARTIAL_LIMIT:
            if not self._ordinal:
                self._since = now
            self._ordinal += 1
            found.append(Piece(line[at : at + PARTIAL_LIMIT], self._since, self._ordinal, more=True))
            at += PARTIAL_LIMIT
        return line[at:]
