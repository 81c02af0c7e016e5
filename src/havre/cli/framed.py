"""Frames of a multiplexed stream, copied to standard output and standard error."""

from __future__ import annotations

from collections.abc import Iterable

from havre.cli.screen import STDERR, STDOUT, write_all
from havre.wire.stream import HEADER_BYTES, parse_header
from havre.wire.stream import STDERR as STDERR_FRAMES


class FrameWriter:
    """Takes bytes as they come and writes each frame once it is whole."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> None:
        """Take some bytes of the stream."""
        self._held += data
        while len(self._held) >= HEADER_BYTES:
            stream, size = parse_header(self._held[:HEADER_BYTES])
            end = HEADER_BYTES + size
            if len(self._held) < end:
                return
            write_all(STDERR if stream >= STDERR_FRAMES else STDOUT, self._held[HEADER_BYTES:end])
            self._held = self._held[end:]


def copy_frames(pieces: Iterable[bytes]) -> None:
    """Copy a whole stream."""
    writer = FrameWriter()
    for piece in pieces:
        writer.feed(piece)
