"""What a process said: the frames of its streams, taken apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from havre.client.errors import ClientError
from havre.wire.stream import HEADER_BYTES, STDERR, parse_header


@dataclass(frozen=True, slots=True)
class Output:
    """How a process ended, and what it said. With a terminal everything is *stdout*."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def text(self) -> str:
        """The standard output as text, without its last line end; bytes that are no UTF-8 stand as U+FFFD."""
        return self.stdout.decode(errors="replace").removesuffix("\n")


def split_frames(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The frames of a multiplexed stream: number of the stream, payload. Raises ClientError for what is none."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= HEADER_BYTES:
            try:
                stream, size = parse_header(bytes(held[:HEADER_BYTES]))
            except ValueError as error:
                raise ClientError(str(error)) from error
            end = HEADER_BYTES + size
            if len(held) < end:
                break
            yield stream, bytes(held[HEADER_BYTES:end])
            del held[:end]


def gather(pieces: Iterable[bytes], *, framed: bool) -> tuple[bytes, bytes]:
    """Standard output and standard error of a stream that is read to its end."""
    if not framed:
        return b"".join(pieces), b""
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    for stream, payload in split_frames(pieces):
        parts[stream >= STDERR].append(payload)
    return b"".join(parts[0]), b"".join(parts[1])
