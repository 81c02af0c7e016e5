"""The reading half of a json-file log's line: bytes to values, whatever stands in the file."""

import msgspec

from havre.base.clock import parse_rfc3339
from havre.logs.frame import STDERR, STDOUT

ENTRY_LIMIT = 1 << 20
"""No line of ours is longer: 16 KiB of text, each byte escaped, and attributes."""

_STREAMS = {"stdout": STDOUT, "stderr": STDERR}
_FIXED = len("2026-01-02T03:04:05")


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """What *stream* (1 or 2) said at *time_ns*; *partial* when the line goes on in the next entry."""

    time_ns: int
    stream: int
    data: bytes
    partial: bool
    attrs: dict[str, str] = {}


class _Entry(msgspec.Struct):
    time: str
    log: str = ""
    stream: str = "stdout"
    attrs: dict[str, str] = {}


class Decoder:
    """Turns the bytes of a log file, in any pieces, into its lines; what is not an entry is passed over."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(_Entry)
        self._rest = b""
        self._skipping = False
        self._prefix = ""
        self._prefix_ns = 0

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that *data* completes."""
        *entries, rest = (self._rest + data).split(b"\n")
        if self._skipping and entries:
            del entries[0]
            self._skipping = False
        if len(rest) > ENTRY_LIMIT or self._skipping:
            rest = b""
            self._skipping = True
        self._rest = rest
        return [line for entry in entries if entry and (line := self._line(entry)) is not None]

    def reset(self) -> None:
        """Forget a line begun: the next bytes are of another file."""
        self._rest = b""
        self._skipping = False

    def _line(self, raw: bytes) -> LogLine | None:
        try:
            entry = self._decoder.decode(raw)
            time_ns = self._time(entry.time)
            data = entry.log.encode()
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
            return None
        stream = _STREAMS.get(entry.stream)
        if stream is None:
            return None
        return LogLine(time_ns, stream, data, not data.endswith(b"\n"), entry.attrs)

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
