"""The reading half of a json-file log's line: bytes to values, whatever stands in the file."""

import contextlib
import os

import msgspec

from havre.base.clock import parse_rfc3339
from havre.logs.frame import STDERR, STDOUT

ENTRY_LIMIT = 1 << 20
"""No line of ours is longer: 16 KiB of text, each byte escaped, and attributes."""

_STREAMS = {"stdout": STDOUT, "stderr": STDERR}
_UNREADABLE = (msgspec.MsgspecError, ValueError, KeyError, RecursionError, OverflowError)
_BLOCK = 128 << 10
_FIXED = len("2026-01-02T03:04:05")


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """What *stream* (1 or 2) said at *time_ns*; *partial* when the line goes on in the next entry."""

    time_ns: int
    stream: int
    data: bytes
    partial: bool
    attrs: dict[str, str] | None = None


class _Entry(msgspec.Struct, gc=False):
    time: str
    log: str = ""
    stream: str = "stdout"
    attrs: dict[str, str] | None = None


class Decoder:
    """Turns the bytes of a log file, in any pieces, into its lines; what is not an entry is passed over."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(_Entry)
        self._rest = b""
        self._skipping = False
        self._prefix = ""
        self._prefix_ns = 0
        self._text = ""
        self._moment = 0

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that *data* completes."""
        text = self._rest + data
        end = text.rfind(b"\n") + 1
        whole, rest = text[:end], text[end:]
        if self._skipping and end:
            whole = whole[whole.find(b"\n") + 1 :]
            self._skipping = False
        if len(rest) > ENTRY_LIMIT or self._skipping:
            rest = b""
            self._skipping = True
        self._rest = rest
        return self._lines(whole)

    def reset(self) -> None:
        """Forget a line begun: the next bytes are of another file."""
        self._rest = b""
        self._skipping = False

    def from_the_end(self, fd: int, wanted: int) -> tuple[int, int]:
        """(how many of the last *wanted* entries the file *fd* holds, where the first of them begins)."""
        at = size = os.fstat(fd).st_size
        if wanted == 0:
            return 0, size
        seen = -1  # the newline that ends the last line begins none
        if size and os.pread(fd, 1, size - 1) != b"\n":
            seen = 0  # a line that is being written counts
        while at > 0:
            start = max(0, at - _BLOCK)
            block = os.pread(fd, at - start, start)
            here = block.count(b"\n")
            if seen + here >= wanted:
                place = len(block)
                for _ in range(wanted - seen):
                    place = block.rfind(b"\n", 0, place)
                return wanted, start + place + 1
            seen += here
            at = start
        return (seen + 1 if size else 0), 0

    def _lines(self, text: bytes) -> list[LogLine]:
        """All entries at once; one by one only where there is something between them that is none."""
        try:
            return self._read(self._decoder.decode_lines(text))
        except _UNREADABLE:
            pass
        found: list[LogLine] = []
        for raw in text.split(b"\n"):
            with contextlib.suppress(*_UNREADABLE):
                if raw:
                    found += self._read([self._decoder.decode(raw)])
        return found

    def _read(self, entries: list[_Entry]) -> list[LogLine]:
        """One function for many, and the names local: the rest of what a line costs is next to nothing."""
        found: list[LogLine] = []
        text, moment = self._text, self._moment
        for entry in entries:
            if entry.time != text:
                text, moment = entry.time, self._time(entry.time)
            data = entry.log.encode()
            found.append(LogLine(moment, _STREAMS[entry.stream], data, data[-1:] != b"\n", entry.attrs))
        self._text, self._moment = text, moment
        return found

    def _time(self, text: str) -> int:
        """Nanoseconds; the common form is read by slices, since a log repeats its seconds."""
        digits = text[_FIXED + 1 : -1]
        common = text[-1:] == "Z" and text[_FIXED : _FIXED + 1] == "." and digits.isascii() and digits.isdigit()
        if not common or len(digits) > 9:
            return parse_rfc3339(text)
        if text[:_FIXED] != self._prefix:
            self._prefix_ns = parse_rfc3339(text[:_FIXED] + "Z")
            self._prefix = text[:_FIXED]
        return self._prefix_ns + int(digits.ljust(9, "0"))
