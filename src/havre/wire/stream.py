"""The framing of attached streams without a terminal: a header of eight bytes before each piece.

One byte names the stream, three are zero, four hold the length of the piece, most significant first.
"""

from functools import lru_cache
from typing import Final

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
SYSTEM_ERROR: Final = 3
HEADER_BYTES: Final = 8

RAW_STREAM: Final = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM: Final = "application/vnd.docker.multiplexed-stream"


@lru_cache(maxsize=512)
def header(stream: int, length: int) -> bytes:
    """The header of a piece of *length* bytes of *stream*."""
    return bytes((stream, 0, 0, 0)) + length.to_bytes(4, "big")


def parse_header(eight: bytes) -> tuple[int, int]:
    """The stream and the length that a header tells. Raises ValueError when it is none."""
    if len(eight) != HEADER_BYTES or eight[0] > SYSTEM_ERROR or eight[1:4] != b"\0\0\0":
        raise ValueError(f"not the header of a stream: {eight!r}")
    return eight[0], int.from_bytes(eight[4:], "big")
