"""The writer of Docker's json-file logs, for the shim: lines in, files out, and no error ever stops a container."""

import os
import time
from _json import encode_basestring
from collections.abc import Mapping

from havre.kernel.libc import KernelError, StrPath

PARTIAL_LIMIT = 16 << 10
"""A longer line is cut into pieces of this many bytes; all but the last have no newline in their `log`."""

_STREAMS = ("stdin", "stdout", "stderr")
_NS = 1_000_000_000
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE = 0o640


def _escapes() -> dict[int, str]:
    table = {code: f"\\u{code:04x}" for code in (*range(0x20), *b"<>&", 0x2028, 0x2029)}
    table |= {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r"}
    return table | dict.fromkeys(range(0xDC80, 0xDD00), "\\ufffd")  # what surrogateescape makes of a bad byte


_ESCAPES = _escapes()
_RARE = (b"\t", b"\b", b"\f")  # where the standard library's short forms differ from Docker's


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


class JSONFileWriter:
    """Appends what a container says to *path*, rotating to `path.1`, `path.2`… when it has grown to *max_size*.

    *max_files* counts the current one; 0 is no limit, as 0 is for *max_size*. *attrs* go into each line.
    A file that cannot be opened at first raises KernelError; from then on nothing raises: a write that fails,
    be it for a full disk, is given up, `lost_lines` and `lost_bytes` count what is missing, and the next
    write is tried afresh.
    """

    def __init__(
        self, path: StrPath, max_size: int = 0, max_files: int = 0, attrs: Mapping[str, str] | None = None
    ) -> None:
        self.lost_lines = 0
        self.lost_bytes = 0
        self._path = os.fsdecode(path)
        self._max_size = max_size
        self._max_files = max_files
        extra = ",".join(f"{quoted(k.encode())}:{quoted(v.encode())}" for k, v in sorted((attrs or {}).items()))
        attributes = f',"attrs":{{{extra}}}' if extra else ""
        self._middles = [f',"stream":"{name}"{attributes},"time":"' for name in _STREAMS]
        self._rests = [b"" for _ in _STREAMS]
        self._partial_since = [0 for _ in _STREAMS]
        self._second = -1
        self._moment = ""
        self._torn = False
        self._size = 0
        try:
            self._fd = self._open()
        except OSError as error:
            raise KernelError.of(error.errno or 0, f"open log {self._path}") from error

    def write(self, stream: int, data: bytes, time_ns: int = 0) -> None:
        """Take *data* that *stream* (1 or 2) said at *time_ns* (0: now). Whole lines are written at once."""
        *lines, rest = (self._rests[stream] + data).split(b"\n")
        now_ns = time_ns or time.time_ns()
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
            self._append(entries)

    def end(self, stream: int, time_ns: int = 0) -> None:
        """*stream* has ended: what it said after its last newline is written as it is."""
        rest, self._rests[stream] = self._rests[stream], b""
        if rest:
            moment = self._time(self._partial_since[stream] or time_ns or time.time_ns())
            self._append([f'{{"log":{quoted(rest)}{self._middles[stream]}{moment}"}}\n'])
        self._partial_since[stream] = 0

    def close(self) -> None:
        """End both streams and close the file. Closing twice is no error."""
        for stream in range(len(_STREAMS)):
            self.end(stream)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

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

    def _append(self, entries: list[str]) -> None:
        """Write *entries* with one call, or entry by entry where a rotation comes between."""
        block = "".join(entries).encode()
        if not self._max_size or self._size + len(block) <= self._max_size:
            self._put(block)
            return
        for entry in entries:
            if self._size >= self._max_size:
                self._rotate()
            self._put(entry.encode())

    def _put(self, block: bytes) -> None:
        """Write whole lines; of those that do not fit nothing stays in the file."""
        written = 0
        try:
            if self._fd < 0:
                self._fd = self._open()
            if self._torn:
                self._size += os.write(self._fd, b"\n")
                self._torn = False
            written = os.write(self._fd, block)
        except OSError:
            pass  # counted below; the container goes on
        if written == len(block):
            self._size += written
            return
        whole = block.rfind(b"\n", 0, written) + 1
        self._size += whole
        self.lost_lines += block.count(b"\n", whole)
        self.lost_bytes += len(block) - whole
        if written > whole:
            self._take_back(written - whole)

    def _take_back(self, extra: int) -> None:
        """Cut *extra* bytes of a line that was written in part off the file's end."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._size += extra
            self._torn = True

    def _rotate(self) -> None:
        """Move the files one name on and begin a new one; when that fails, the old one is gone on with."""
        try:
            self._shift()
        except OSError:
            return
        if self._fd >= 0:
            os.close(self._fd)
        self._size = 0
        try:
            self._fd = self._open()
        except OSError:
            self._fd = -1  # _put tries again

    def _shift(self) -> None:
        last = self._max_files - 1
        if last == 0:
            os.unlink(self._path)  # noqa: PTH108  no pathlib in the shim
            return
        if last < 0:
            last = 1
            while os.path.lexists(f"{self._path}.{last}"):
                last += 1
        names = [self._path, *(f"{self._path}.{number}" for number in range(1, last + 1))]
        for old, new in zip(names[-2::-1], names[:0:-1], strict=True):
            if os.path.lexists(old):  # there may be fewer files than the limit so far
                os.rename(old, new)  # noqa: PTH104  no pathlib in the shim

    def _open(self) -> int:
        """Open the current file for appending, closing off a line that an earlier writer was killed in."""
        handle = os.open(self._path, _FLAGS, _MODE)
        try:
            self._size = os.fstat(handle).st_size
            self._torn = self._size > 0 and os.pread(handle, 1, self._size - 1) != b"\n"
        except OSError:
            os.close(handle)
            raise
        return handle
