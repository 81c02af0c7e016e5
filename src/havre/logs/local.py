"""Docker's `local` log: entries in protobuf between two copies of their size; compact, and read by `docker logs`.

An entry holds the source (1), the nanoseconds (2), the line without newline (3), and of a cut line that it is one
(4) and which piece (5: last, id, ordinal).
"""

import os
import struct
import time

from havre.kernel.libc import StrPath
from havre.logs.rotating import Limits, RotatingFile
from havre.logs.sink import Lines, Piece

SIZE = struct.Struct(">I")
_SOURCES = (b"stdin", b"stdout", b"stderr")
_FRAME = 2 * SIZE.size
_SCAN = 1 << 20


def varint(number: int) -> bytes:
    """*number* in groups of seven bits, the lowest first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


class _Entries:
    """Entries between two copies of their size: see rotating.Format."""

    def end_at_or_after(self, block: bytes, at: int) -> int:
        end = 0
        while end < at and end + _FRAME <= len(block):
            end += SIZE.unpack_from(block, end)[0] + _FRAME
        return min(end, len(block)) or len(block)

    def end_before(self, block: bytes, at: int) -> int:
        end = 0
        while end + SIZE.size <= at:
            following = end + SIZE.unpack_from(block, end)[0] + _FRAME
            if following > at:
                break
            end = following
        return end

    def count(self, block: bytes) -> int:
        found = end = 0
        while end + SIZE.size <= len(block):
            end += SIZE.unpack_from(block, end)[0] + _FRAME
            found += 1
        return found

    def mend(self, fd: int, size: int) -> int:
        if size >= _FRAME:
            (last,) = SIZE.unpack(os.pread(fd, SIZE.size, size - SIZE.size))
            begin = size - _FRAME - last
            if begin >= 0 and os.pread(fd, SIZE.size, begin) == SIZE.pack(last):
                return size
        end = 0
        while end + _FRAME <= size:
            following = end + SIZE.unpack(os.pread(fd, SIZE.size, end))[0] + _FRAME
            if following > size:
                break
            end = following
        os.ftruncate(fd, end)
        return end


class LocalWriter:
    """Appends what a container says to *path*, whose folder is made; see RotatingFile for its end and its troubles."""

    waiting = False
    behind = -1

    def __init__(self, path: StrPath, limits: Limits) -> None:
        os.makedirs(os.path.dirname(os.fsdecode(path)), 0o700, exist_ok=True)  # noqa: PTH103, PTH120
        self._file = RotatingFile(path, _Entries(), limits)
        self._lines = [Lines() for _ in _SOURCES]

    @property
    def lost_lines(self) -> int:
        """How many lines could not be written."""
        return self._file.lost_lines

    @property
    def lost_bytes(self) -> int:
        """How many bytes of entries could not be written."""
        return self._file.lost_bytes

    def write(self, stream: int, data: bytes, time_ns: int = 0) -> None:
        """See sink.Writer."""
        self._append(stream, self._lines[stream].feed(data, time_ns or time.time_ns()))

    def end(self, stream: int, time_ns: int = 0) -> None:
        """See sink.Writer."""
        self._append(stream, self._lines[stream].end(time_ns))

    def catch_up(self) -> None:
        """There is nothing to catch up with."""

    def close(self) -> None:
        """See sink.Writer."""
        for stream in range(len(_SOURCES)):
            self.end(stream)
        self._file.close()

    def _append(self, stream: int, pieces: list[Piece]) -> None:
        moment, head = -1, b""
        around: dict[int, tuple[bytes, bytes]] = {}
        parts: list[bytes] = []
        for piece in pieces:
            if piece.time_ns != moment:
                moment, around = piece.time_ns, {}
                source = _SOURCES[stream]
                head = b"\x0a" + varint(len(source)) + source + b"\x10" + varint(moment) + b"\x1a"
            if piece.ordinal:
                parts.append(_framed(head + varint(len(piece.text)) + piece.text + _cut_line(piece)))
                continue
            size = len(piece.text)
            if size not in around:
                begin = head + varint(size)
                frame = SIZE.pack(len(begin) + size)
                around[size] = (frame + begin, frame)
            before, after = around[size]
            parts += (before, piece.text, after)
        if parts:
            self._file.append(b"".join(parts))


def _framed(entry: bytes) -> bytes:
    frame = SIZE.pack(len(entry))
    return frame + entry + frame


def _cut_line(piece: Piece) -> bytes:
    identity = b"%x" % piece.time_ns
    last = b"" if piece.more else b"\x08\x01"
    inner = last + b"\x12" + varint(len(identity)) + identity + b"\x18" + varint(piece.ordinal)
    return b"\x20\x01\x2a" + varint(len(inner)) + inner
