"""The writer of Docker's json-file logs, for the shim: lines in, files out, and no error ever stops a container."""

import os
import time
from _json import encode_basestring
from collections.abc import Mapping

from havre.kernel.libc import StrPath
from havre.logs.rotating import NO_LIMITS, Limits, RotatingFile
from havre.logs.sink import PARTIAL_LIMIT

_STREAMS = ("stdin", "stdout", "stderr")
_NS = 1_000_000_000


def _escapes() -> dict[int, str]:
    table = {code: f"\\u{code:04x}" for code in (*range(0x20), *b"<>&", 0x2028, 0x2029)}
    table |= {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r"}
    return table | dict.fromkeys(range(0xDC80, 0xDD00), "\\ufffd")  # what surrogateescape makes of a bad byte


_ESCAPES = _escapes()
_RARE = (b"\t", b"\b", b"\f")  # where the standard library's short forms differ from Docker's
_COMMON = (
    (b"\\", b"\\\\"),
    (b'"', b'\\"'),
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)
_CONTROLS = bytes(code for code in range(0x20) if code != ord("\n"))
_MARKED = _CONTROLS + b'"\\<>&'


def quoted(data: bytes) -> str:
    r"""*data* as a JSON string with quotes, escaped as Docker does: `<>&` too, each byte of bad UTF-8 as `\ufffd`."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f'"{data.decode("utf-8", "surrogateescape").translate(_ESCAPES)}"'
    for rare in _RARE:
        if rare in data:
            return f'"{text.translate(_ESCAPES)}"'
    result = encode_basestring(text)
    if b"<" in data or b">" in data or b"&" in data:
        result = result.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    if not text.isascii():
        result = result.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return result


def escaped_lines(block: bytes) -> bytes:
    """As `quoted`, without the quotes, but newlines stay: many lines at once, none longer than is looked at."""
    if not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError:
            return block.decode("utf-8", "surrogateescape").translate(_LINE_ESCAPES).encode()
        marked = True
    else:
        marked = len(block.translate(None, _MARKED)) != len(block)
    if not marked:
        return block
    result = block
    for plain, written in _COMMON:
        if plain in block:
            result = result.replace(plain, written)
    if len(block.translate(None, _CONTROLS)) != len(block):
        for code in set(block).intersection(_CONTROLS):
            result = result.replace(bytes((code,)), _ESCAPES[code].encode())
    return result


_LINE_ESCAPES = _ESCAPES | {ord("\n"): "\n"}


class _Lines:
    """Entries that end with a newline: see rotating.Format."""

    def end_at_or_after(self, block: bytes, at: int) -> int:
        return block.find(b"\n", at - 1) + 1 or len(block)

    def end_before(self, block: bytes, at: int) -> int:
        return block.rfind(b"\n", 0, at) + 1

    def count(self, block: bytes) -> int:
        return block.count(b"\n")

    def mend(self, fd: int, size: int) -> int:
        return size if os.pread(fd, 1, size - 1) == b"\n" else size + os.write(fd, b"\n")


class JSONFileWriter:
    """Appends what a container says to *path*; see RotatingFile for its end and its troubles.

    *attrs* go into each line.
    """

    waiting = False  # a file takes what it is given, or it is lost
    behind = -1

    def __init__(self, path: StrPath, limits: Limits = NO_LIMITS, attrs: Mapping[str, str] | None = None) -> None:
        extra = ",".join(f"{quoted(k.encode())}:{quoted(v.encode())}" for k, v in sorted((attrs or {}).items()))
        attributes = f',"attrs":{{{extra}}}' if extra else ""
        self._middles = [f',"stream":"{name}"{attributes},"time":"' for name in _STREAMS]
        self._rests = [b"" for _ in _STREAMS]
        self._partial_since = [0 for _ in _STREAMS]
        self._second = -1
        self._moment = ""
        self._file = RotatingFile(path, _Lines(), limits)

    @property
    def lost_lines(self) -> int:
        """How many lines could not be written."""
        return self._file.lost_lines

    @property
    def lost_bytes(self) -> int:
        """How many bytes of entries could not be written."""
        return self._file.lost_bytes

    def write(self, stream: int, data: bytes, time_ns: int = 0) -> None:
        """Take *data* that *stream* (1 or 2) said at *time_ns* (0: now). Whole lines are written at once."""
        rest = self._rests[stream]
        now_ns = time_ns or time.time_ns()
        end = data.rfind(b"\n")
        if end >= 0 and not self._partial_since[stream] and _short(rest, data, end):
            between = f'{self._middles[stream]}{self._time(now_ns)}"}}\n'.encode()
            text = escaped_lines(rest + data[:end])
            separator = b'\\n"' + between + b'{"log":"'
            block = b'{"log":"' + text.replace(b"\n", separator) + b'\\n"' + between
            rest = data[end + 1 :]
            entries: list[str] = []
            if len(rest) >= PARTIAL_LIMIT:
                rest = self._cut(stream, rest, now_ns, entries)
            self._rests[stream] = rest
            self._file.append(block + "".join(entries).encode() if entries else block)
            return
        self._write_slowly(stream, rest + data, now_ns)

    def _write_slowly(self, stream: int, data: bytes, now_ns: int) -> None:
        """Line by line: there are long ones, or only a part of one."""
        *lines, rest = data.split(b"\n")
        tail = f'{self._middles[stream]}{self._time(now_ns)}"}}\n'
        entries: list[str] = []
        for line in lines:
            if self._partial_since[stream] or len(line) >= PARTIAL_LIMIT:
                left = self._cut(stream, line, now_ns, entries)
                moment = self._time(self._partial_since[stream])
                entries.append(f'{{"log":{quoted(left)[:-1]}\\n"{self._middles[stream]}{moment}"}}\n')
                self._partial_since[stream] = 0
            else:
                entries.append(f'{{"log":{quoted(line)[:-1]}\\n"{tail}')
        if len(rest) >= PARTIAL_LIMIT:
            rest = self._cut(stream, rest, now_ns, entries)
        self._rests[stream] = rest
        if entries:
            self._file.append("".join(entries).encode())

    def end(self, stream: int, time_ns: int = 0) -> None:
        """*stream* has ended: what it said after its last newline is written as it is."""
        rest, self._rests[stream] = self._rests[stream], b""
        if rest:
            moment = self._time(self._partial_since[stream] or time_ns or time.time_ns())
            self._file.append(f'{{"log":{quoted(rest)}{self._middles[stream]}{moment}"}}\n'.encode())
        self._partial_since[stream] = 0

    def catch_up(self) -> None:
        """There is nothing to catch up with."""

    def close(self) -> None:
        """End both streams and close the file. Closing twice is no error."""
        for stream in range(len(_STREAMS)):
            self.end(stream)
        self._file.close()

    def _cut(self, stream: int, line: bytes, now_ns: int, entries: list[str]) -> bytes:
        """Move full pieces of *line* to *entries*; what is left. All pieces of a line carry the time of the first."""
        since = self._partial_since[stream] = self._partial_since[stream] or now_ns
        tail = f'{self._middles[stream]}{self._time(since)}"}}\n'
        at = 0
        while len(line) - at >= PARTIAL_LIMIT:
            entries.append(f'{{"log":{quoted(line[at : at + PARTIAL_LIMIT])}{tail}')
            at += PARTIAL_LIMIT
        return line[at:]

    def _time(self, time_ns: int) -> str:
        second, nanos = divmod(time_ns, _NS)
        if second != self._second:
            self._second = second
            self._moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._moment}.{nanos:09d}".rstrip("0") + "Z" if nanos else f"{self._moment}Z"


def _short(rest: bytes, data: bytes, end: int) -> bool:
    """Whether no line of *rest* and *data* up to *end* is over half the limit or more; a few looks tell."""
    step = PARTIAL_LIMIT // 2
    if len(rest) >= step:
        return False
    return all(data.find(b"\n", at, at + step) >= 0 for at in range(0, end, step) if at + step <= end)
