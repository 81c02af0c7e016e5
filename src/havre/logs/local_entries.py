"""The reading half of a `local` log: bytes to values, whatever stands in the file."""

import os

from havre.logs.entries import ENTRY_LIMIT, LogLine
from havre.logs.frame import STDERR, STDOUT
from havre.logs.local import SIZE

_FRAME = 2 * SIZE.size
_STREAMS = {b"stdout": STDOUT, b"stderr": STDERR}
_VARINT, _BYTES = 0, 2


class LocalDecoder:
    """See files.EntryDecoder. A size that cannot be ends what can be read of a file."""

    def __init__(self) -> None:
        self._rest = b""
        self._lost = False

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that *data* completes."""
        if self._lost:
            return []
        block = self._rest + data if self._rest else data
        at, found = 0, []
        while at + SIZE.size <= len(block):
            (size,) = SIZE.unpack_from(block, at)
            if size > ENTRY_LIMIT:
                self._lost = True
                break
            if at + size + _FRAME > len(block):
                break
            line = _line(block, at + SIZE.size, at + SIZE.size + size)
            if line is not None:
                found.append(line)
            at += size + _FRAME
        self._rest = b"" if self._lost else block[at:]
        return found

    def reset(self) -> None:
        """Forget an entry begun: the next bytes are of another file."""
        self._rest = b""
        self._lost = False

    def from_the_end(self, fd: int, wanted: int) -> tuple[int, int]:
        """(how many of the last *wanted* entries the file *fd* holds, where the first of them begins)."""
        size = at = os.fstat(fd).st_size
        found = 0
        while at and (found < wanted or at == size):  # where none is wanted too: the last one may be half written
            begin = _begin_before(fd, at)
            if begin < 0 and not found:
                return self._forward(fd, wanted)
            if begin < 0 or found == wanted:
                break
            found += at - begin > _FRAME  # an empty one is of zeros that a power cut left
            at = begin
        return found, at

    def _forward(self, fd: int, wanted: int) -> tuple[int, int]:
        """As `from_the_end`, of a file whose last entry is being written."""
        starts, at, end = [], 0, os.fstat(fd).st_size
        while at + _FRAME <= end:
            following = at + SIZE.unpack(os.pread(fd, SIZE.size, at))[0] + _FRAME
            if following > end:
                break
            if following - at > _FRAME:
                starts.append(at)
            at = following
        found = min(wanted, len(starts))
        return found, starts[-found] if found else at


def _begin_before(fd: int, end: int) -> int:
    """Where the entry begins that ends at *end*; -1 when none does."""
    if end < _FRAME:
        return -1
    size = os.pread(fd, SIZE.size, end - SIZE.size)
    begin = end - SIZE.unpack(size)[0] - _FRAME
    return begin if begin >= 0 and os.pread(fd, SIZE.size, begin) == size else -1


def _line(block: bytes, at: int, end: int) -> LogLine | None:
    stream, time_ns, text, more = 0, 0, b"", False
    try:
        while at < end:
            key, at = _number(block, at)
            if key & 7 == _VARINT:
                number, at = _number(block, at)
                time_ns = number if key >> 3 == 2 else time_ns
            elif key & 7 == _BYTES:
                size, at = _number(block, at)
                value = block[at : at + size]
                at += size
                if key >> 3 == 1:
                    stream = _STREAMS[value]
                elif key >> 3 == 3:
                    text = value
                elif key >> 3 == 5:
                    more = value[:2] != b"\x08\x01"
            else:
                return None
    except (IndexError, KeyError):
        return None
    if not stream or at > end:
        return None
    return LogLine(time_ns, stream, text if more else text + b"\n", more)


def _number(block: bytes, at: int) -> tuple[int, int]:
    byte = block[at]
    if byte < 0x80:
        return byte, at + 1
    number, shift = byte & 0x7F, 7
    for place in range(at + 1, at + 10):
        byte = block[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place + 1
        shift += 7
    raise IndexError
